# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import copy
import json

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import page, report, text


@pytest.mark.parametrize(
    ("info", "problem", "reachable"),
    [
        ({"unreachable": True, "msg": "Task failed: Failed to connect\nvia ssh"}, "Not reachable: Failed to connect via ssh", False),
        ({"failed": True, "msg": "Task failed: Action failed: no python"}, "Could not be read: no python", True),
        ({"failed": True}, "Could not be read: it did not say why", True),
        ({"services": "<script>", "host": {}}, "Could not be read: it gave no answer that can be understood.", True),
        (None, "Could not be read: it gave no answer that can be understood.", True),
    ],
)  # fmt: skip
def test_a_host_that_gave_no_answer_says_why(info: object, problem: str, reachable: bool) -> None:
    """In its own words, on one line."""
    host = report.report_host("web1", info, {})
    assert (host["problem"], host["reachable"], host["host"], host["services"]) == (problem, reachable, None, [])


def test_a_sizing_that_failed_leaves_the_rest_of_the_host() -> None:
    """The service has no recommendation, and says why, whether only its sizing failed or all did."""
    read = fleet.info()
    failed = fleet.sized(read)
    failed["results"][0].update(failed=True, msg="memory_reserve: 'x' can't be used")
    for answer in (failed, {"failed": True, "msg": "Task failed: memory_reserve: 'x' can't be used"}):
        host = report.report_host("web1", read, answer)
        assert host["problem"] is None
        assert host["services"][0]["recommended"] is None
        assert host["services"][0]["unseen"] == ["how many workers would be right: memory_reserve: 'x' can't be used"]
        assert host["services"][0]["advice"] == "Nothing to do, as far as can be seen."


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Return the path of each part of an answer."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for key, part in parts for place in places(part, (*path, key))]
    return [path, *found] if path else found


ANSWER = {"info": fleet.info(), "sizing": fleet.sized(fleet.info())}
# The parts that the host answers; the controller makes the results themselves, and the items of the loop.
SAID = [place for place in places(ANSWER) if len(place) > {"info": 1, "sizing": 3}[place[0]] and "item" not in place]
changes_of_an_answer = st.lists(st.tuples(st.sampled_from(SAID), anything), max_size=5)


@given(changes_of_an_answer)
def test_whatever_a_host_answers_the_report_is_made(changes: list) -> None:
    """A host that was broken into can only spoil its own part of it."""
    answer = copy.deepcopy(ANSWER)
    for path, value in changes:
        part = answer
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = value
    made = fleet.report(report.report_host("web1", answer["info"], answer["sizing"]), fleet.host("web2"))
    json.dumps(made, allow_nan=False)
    assert "web2" in page.page(made)
    assert text.table(made["hosts"])
    assert "web2.yml" in text.snippets(made)
