# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reading_benchmark import agent, table

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


def test_other_processes_are_there_for_a_while() -> None:
    """And have ended afterwards."""
    before = set(os.listdir("/proc"))
    with agent.crowd("processes", 3):
        sleeping = [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.read_bytes() == b"sleep\x003600\x00"]
        mine = [path.parent for path in sleeping if path.parent.name not in before]
        assert len(mine) == 3
    assert not any(path.exists() for path in mine)


def test_a_module_that_fails_is_an_error(tmp_path: Path) -> None:
    """It would be measured as a fast one."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x/sent.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    with pytest.raises(agent.subprocess.CalledProcessError):
        agent.parts_of(tmp_path, "x")
