# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run measures what may be the best for longer than what it only looks at."""

from __future__ import annotations

from pathlib import Path

import pytest
from sizing_benchmark import run
from sizing_benchmark.cases import APPLICATIONS, LIMITS, MIB, Setting
from sizing_benchmark.results import Results

HOST = {"nproc": 2, "cpus": 2.0, "memory": 16 << 30}


class Lucky:
    """An agent on whose host short rounds have ten times the throughput of long ones."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict]] = []

    def ask(self, command: str, **options: object) -> dict:
        """Answer as agent.py does."""
        self.asked.append((command, options))
        if command != "measure":
            return {"problem": None}
        cores = {"foreign": 0.0, "busy": 0.5, "service": 0.5}
        throughput = 1000.0 if options["seconds"] == 1.5 else 100.0
        return {
            "round": {"throughput": throughput, "p50": 0.1, "p99": 0.2, "failed": 0, "cores": cores},
            "memory": {"pss": MIB, "pss_per_worker": MIB},
            "memory_peak": MIB,
            "failures": [],
            "problem": None,
            "reload_seconds": 1.0,
            "reload_longest": 1.0,
        }


@pytest.fixture
def measured(tmp_path: Path) -> tuple[Results, Lucky]:
    """Return what a run of two settings with rounds of 1.5 and 4 seconds measured, and its agent."""
    agent, results = Lucky(), Results(HOST)
    options = run.Options(rounds=2, seconds=1.5, final_seconds=4)
    running = run.Run(agent, lambda *_: {}, results, tmp_path / "results.json", options)  # type: ignore[arg-type]
    running.measure_settings(APPLICATIONS["wait"], LIMITS["50%"], [Setting(2), Setting(2, 8)])
    return results, agent


def test_luck_of_a_short_round_does_not_count(measured: tuple[Results, Lucky]) -> None:
    """It only chooses what is measured for longer."""
    assert [record.median for record in measured[0].records] == [100, 100]


def test_settings_take_turns_in_long_rounds(measured: tuple[Results, Lucky]) -> None:
    """A change of the machine then affects all of them."""
    rounds = [(options["name"], options["seconds"]) for command, options in measured[1].asked if command == "measure"]
    assert rounds == [("s0", 1.5), ("s1", 1.5), ("s0", 4), ("s1", 4), ("s0", 4), ("s1", 4)]
