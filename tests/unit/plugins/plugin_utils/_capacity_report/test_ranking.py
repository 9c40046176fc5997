# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import ranking


@pytest.mark.parametrize("name", ["²", "٣", "1" * 19, pytest.param("9" * 5000, id="very long")])
def test_odd_digits_can_be_sorted(name: str) -> None:
    """Python can't convert some of them to numbers."""
    assert len(ranking.rows([fleet.unreachable(name), fleet.unreachable("web1")])) == 2


def test_the_worst_come_first() -> None:
    """Short, not read, watch, healthy; within each the least memory, and then names as people sort them."""
    report = fleet.report(
        fleet.host("web10", **{"recommended.workers": 5}),
        fleet.host("web2", **{"recommended.workers": 5}),
        fleet.host("low", **{"recommended.workers": 5, "host.memory.available": 900000000}),
        fleet.host("web1"),
        fleet.unreachable("gone"),
        fleet.without_service("cache"),
        fleet.host("late", **{"service.exits.timeout": 1}),
        fleet.host("full", **fleet.SHORT),
    )
    assert [row.host["name"] for row in ranking.rows(report["hosts"])] == [
        "full", "late", "gone", "web1", "low", "cache", "web2", "web10",
    ]  # fmt: skip
    assert ranking.verdicts(report["hosts"]) == {"short": 2, "missing": 1, "watch": 1, "healthy": 4}


@given(st.lists(st.text(st.characters(codec=None), max_size=8)))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    """With digits of all scripts."""
    rows = ranking.rows([fleet.unreachable(name) for name in names])
    assert sorted(row.host["name"] for row in rows) == sorted(names)
    assert sorted(row.place for row in rows) == list(range(len(names)))
