# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reading_benchmark import agent, table
from waiting import wait_for

PARTS = {"python": 14.0, "ansible": 85.0, "collection": 43.0, "reading": 29.0, "commands": 7.0, "all": 200.0}


def measured(version: str, factor: float = 1.0) -> dict:
    """What one case took."""
    case = {"module": "gunicorn_service_info", "kind": "processes", "number": 200, "version": version}
    return {**case, **{part: factor * cost for part, cost in PARTS.items()}}


RESULTS = {"rounds": 7, "python": "Python 3.11.2", "memory": 2 << 30, "baseline": None}


def test_where_it_goes() -> None:
    """Each part has a column; without a baseline, nothing is compared."""
    made = table.table({**RESULTS, "measured": [measured("checkout")]})
    assert "| `gunicorn_service_info` | 200 processes | 29 | 7 | 43 | 85 | 14 | 200 |\n" in made
    assert "ratio" not in made


def test_a_baseline_is_compared() -> None:
    """By the reading with its commands, and by all of it."""
    results = [measured("baseline", 2.0), measured("checkout")]
    made = table.table({**RESULTS, "baseline": "v1.0.0", "measured": results})
    assert "| `gunicorn_service_info` | 200 processes | 36 | 72 | 0.50 | 200 | 400 | 0.50 |\n" in made
    assert "the ratios are to v1.0.0" in made


def command_line(process: Path) -> bytes:
    """The command line of a process, if it has not ended."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_other_processes_are_there_for_a_while() -> None:
    """And have ended afterwards."""
    before = set(os.listdir("/proc"))

    def mine() -> list[Path]:
        others = [path for path in Path("/proc").glob("[0-9]*") if path.name not in before]
        return [path for path in others if command_line(path) == b"sleep\x003600\x00"]

    with agent.crowd("processes", 3):
        # A process that has just begun has no command line yet.
        wait_for(lambda: len(mine()) == 3, 5)
        found = mine()
    assert len(found) == 3
    assert not any(path.exists() for path in found)


def test_a_module_that_fails_is_an_error(tmp_path: Path) -> None:
    """It would be measured as a fast one."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x/sent.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    with pytest.raises(agent.subprocess.CalledProcessError):
        agent.parts_of(tmp_path, "x")
