# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import bars


@given(
    st.integers(0, 10**11),
    st.integers(0, 10**11),
    st.lists(st.tuples(st.none() | st.integers(0, 10**10), st.none() | st.integers(0, 10**10)), max_size=3),
)
def test_bars_are_never_longer_than_the_whole(used: int, free: int, services: list) -> None:
    """Whatever a host says of its memory, even if the parts exceed the total."""
    host = fleet.host(**{"host.memory.used": used, "host.memory.free": free})["host"]
    found = [
        {
            "name": "x",
            "memory": {"private": private, "shared": shared},
            "limits": {"memory": 10**9},
            "companions": [{"memory": {"pss": shared}}],
        }
        for private, shared in services
    ]
    bar = bars.memory_bar(host, found)
    assert sum(part.percent for part in bar.parts) <= 100.1
    assert all(0 <= place <= 100 for _label, place in bar.marks)


def test_bars_have_the_lengths_of_their_figures() -> None:
    """In proportion, with lines at the bounds."""
    host = fleet.host("web1")
    memory = bars.memory_bar(host["host"], host["services"])
    total = host["host"]["memory"]["total"]
    assert {part.key: part.percent for part in memory.parts}["memory.free"] == round(2852126720 / total * 100, 2)
    assert sum(part.percent for part in memory.parts) == pytest.approx(100, abs=0.1)
    (_key, _label, one), *_others = bars.load_bars(host["host"])
    assert (one.parts[0].percent, one.parts[0].kind) == (round(0.62 / 2.5 * 100, 2), "calm")
    assert [place for _label, place in one.marks] == [56, 80]
    assert [bar.parts[0].percent for _label, _key, bar in bars.worker_bars(host["services"][0])] == [
        71.43, 71.43, 100,
    ]  # fmt: skip
