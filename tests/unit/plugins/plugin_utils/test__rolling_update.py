# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _rolling_update

NGINX = {"host": "lb2", "type": "nginx"}
GOOD = {
    "rolling_update_serial": [1, "10%", "25%"],
    "rolling_update_max_fail_percentage": 0.0,
    "rolling_update_balancers": [{"host": "lb1", "type": "haproxy"}, {**NGINX, "config_file": "/etc/nginx/shop.conf"}],
    "rolling_update_minimum": 1,
    "rolling_update_drain_timeout": 60,
    "rolling_update_health['timeout']": 30,
    "rolling_update_before": __file__,
    "rolling_update_after": "",
    "rolling_update_take_out": "",
    "rolling_update_put_back": "",
}


def test_what_can_be_used_has_no_problem() -> None:
    """Numbers may be strings: --extra-vars makes them so."""
    assert _rolling_update.problems(GOOD) == []
    assert _rolling_update.problems({**GOOD, "rolling_update_serial": ["5", "100%"]}) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("rolling_update_serial", []),
        ("rolling_update_serial", [1, 0]),
        ("rolling_update_serial", [-1]),
        ("rolling_update_serial", ["0%"]),
        ("rolling_update_serial", ["101%"]),
        ("rolling_update_serial", ["1.5"]),
        ("rolling_update_serial", ["all"]),
        ("rolling_update_serial", [[1]]),
        ("rolling_update_serial", [None]),
        ("rolling_update_serial", ["5\n"]),
        ("rolling_update_max_fail_percentage", -1.0),
        ("rolling_update_max_fail_percentage", 101.0),
        ("rolling_update_max_fail_percentage", float("nan")),
        ("rolling_update_balancers", [NGINX]),
        ("rolling_update_balancers", [{**NGINX, "config_file": ""}]),
        ("rolling_update_minimum", -1),
        ("rolling_update_drain_timeout", 0),
        ("rolling_update_health['timeout']", -5),
        ("rolling_update_before", "tasks/code.yml"),
        ("rolling_update_after", str(Path(__file__).parent)),
        ("rolling_update_take_out", "/nowhere/to/be/found.yml"),
        ("rolling_update_put_back", Path(__file__).name),
    ],
)
def test_a_bad_value_is_named(variable: str, value: object) -> None:
    """One sentence, with the variable, the value and what was expected."""
    (sentence,) = _rolling_update.problems({**GOOD, variable: value})
    assert sentence.startswith(f"{variable}: {value!r} can't be used: expected ")


def test_a_failure_names_its_task() -> None:
    """For a loop, it has the messages of the items that failed, each once."""
    assert _rolling_update.failure_sentence({"msg": "no disk"}, "Copy") == "Copy: no disk"
    assert _rolling_update.failure_sentence({}, "Copy") == "Copy: failed"
    items = [
        {"msg": "good"},
        {"failed": True, "msg": "bad"},
        {"failed": True, "msg": "worse "},
        {"failed": True, "msg": "bad"},
    ]
    assert (
        _rolling_update.failure_sentence({"msg": "One or more items failed", "results": items}, "T") == "T: bad worse"
    )


@pytest.mark.parametrize(
    ("batch", "lost", "percentage", "too_many"),
    [
        (range(0, 4), 0, 0, False),
        (range(0, 4), 1, 100, True),  # the first batch
        (range(4, 14), 1, 0, True),
        (range(4, 14), 1, 9.9, True),
        (range(4, 14), 1, 10, False),
        (range(4, 14), 10, 100, False),
        (range(4, 14), 0, 0, False),
    ],
)
def test_when_an_update_ends(batch: range, lost: int, percentage: float, too_many: bool) -> None:
    """In the first batch, no host may be lost; in the others, that many percent of the batch."""
    names = [f"web{number}" for number in batch]
    everyone = [f"web{number}" for number in range(14)]
    assert _rolling_update.too_many_lost(names, names[lost:], everyone, percentage) is too_many


@given(st.integers(1, 50), st.integers(0, 50), st.floats(0, 100), st.floats(0, 100))
def test_a_higher_percentage_never_ends_an_update_earlier(size: int, lost: int, one: float, other: float) -> None:
    """The percentage is an upper bound."""
    batch = [f"web{number}" for number in range(size)]
    left = batch[min(lost, size) :]
    strict, lenient = (_rolling_update.too_many_lost(batch, left, ["first"], share) for share in sorted((one, other)))
    assert strict or not lenient
