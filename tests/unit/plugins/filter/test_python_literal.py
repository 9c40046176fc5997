# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import datetime

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.filter.python_literal import FilterModule

python_literal = FilterModule().filters()["python_literal"]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(value=values)
def test_python_reads_back_the_value(value: object) -> None:
    """With the same type, and on one line, so that no value ends its line of the settings."""
    source = python_literal(value)
    read = ast.literal_eval(source)
    assert read == value
    assert type(read) is type(value)
    assert source.splitlines() in ([source], [])


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (30, "30"),
        (True, "True"),
        (None, "None"),
        ("30", "'30'"),
        ("a'b\"c", "'a\\'b\"c'"),
        ("x'\nimport os", '"x\'\\nimport os"'),
        ("{{ no }}", "'{{ no }}'"),
        ([1, "a"], "[1, 'a']"),
        ({"a": {"b": False}}, "{'a': {'b': False}}"),
    ],
)
def test_it_is_written_as_people_would(value: object, source: str) -> None:
    """As short as Python itself writes it."""
    assert python_literal(value) == source


class OwnString(str):
    """Like Ansible's own classes of strings, some of which have another repr."""

    def __repr__(self) -> str:
        return f"OwnString({str(self)!r})"


def test_ansibles_own_strings() -> None:
    """What reads the file does not know Ansible."""
    assert python_literal([OwnString("a")]) == "['a']"


@pytest.mark.parametrize(
    "value",
    [float("inf"), float("-inf"), float("nan"), [float("nan")], datetime.date(2026, 1, 1), b"x", {1, 2}, object()],
)
def test_what_is_no_literal_is_an_error(value: object) -> None:
    """YAML has dates and infinity. As source, they would be names that Python does not know."""
    with pytest.raises(AnsibleFilterError, match="python_literal: "):
        python_literal(value)
