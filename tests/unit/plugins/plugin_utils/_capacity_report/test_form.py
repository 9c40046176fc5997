# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.form import (
    HOST,
    SERVICE,
    Maybe,
    conform,
    plain,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


class OwnString(str):
    """Like Ansible's own classes of strings."""


@pytest.mark.parametrize("name", ["service_info.json", "service_info-bookworm.json"])
def test_the_answer_of_a_host_stays_as_it_is(name: str) -> None:
    """It is the module's form: nothing of a real answer is lost."""
    read = fleet.info(name)
    assert conform(read["host"], HOST) == read["host"]
    assert conform(read["services"], [SERVICE]) == read["services"]


@given(anything)
def test_plain_is_json(value: object) -> None:
    """The report can be written as JSON, which has neither NaN nor infinity, whatever a host answers."""
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)


def test_plain_has_no_classes_of_ansible() -> None:
    """The YAML writer would name them."""
    assert type(plain({OwnString("a"): [OwnString("b")]})["a"][0]) is str


@pytest.mark.parametrize(
    ("value", "form", "result"),
    [
        (None, float, None),
        ("5", float, None),
        (True, float, None),
        (1 << 70, float, None),
        (5, float, 5),
        (5, str, None),
        ({}, {"a": float, "b": {"c": str}}, {"a": None, "b": {"c": None}}),
        ([], {"a": float}, {"a": None}),
        ({"a": 1, "new": "stays"}, {"a": float}, {"a": 1, "new": "stays"}),
        (None, Maybe({"a": float}), None),
        ("x", Maybe({"a": float}), None),
        ({"a": "x"}, Maybe({"a": float}), {"a": None}),
        ("text", [str], []),
        (["a", 1, None, "b"], [str], ["a", "b"]),
        ([{"a": 1}, 2], [{"a": float}], [{"a": 1}]),
    ],
)
def test_what_is_not_of_its_type_is_null(value: object, form: object, result: object) -> None:
    """So the code that shows the report only has to know null."""
    assert conform(value, form) == result
