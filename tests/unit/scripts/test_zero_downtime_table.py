# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "zero-downtime-table"
BEGIN, END = "<!-- zero-downtime: begin -->\n", "<!-- zero-downtime: end -->"
TABLE = """\
| change | lost | longest wait | a plain unit: lost | longest wait |
| --- | ---: | ---: | ---: | ---: |
| workers changed | 0 of 1200 | 0.31 s | 120 of 1000 |  |
| secret | 0 of 1300 | 0.29 s |  |  |
"""


def phase(name: str, requests: int, failed: int, longest: float | None) -> dict:
    return {"name": name, "requests": requests, "failed": failed, "latency": longest and {"max": longest}}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The results of a run of the scenario."""
    role = [
        phase("start", 10, 0, 0.1),
        phase("workers changed", 1200, 0, 0.312),
        phase("after workers changed", 10, 0, 0.1),
        phase("secret", 1300, 0, 0.288),
    ]
    plain = [phase("start", 10, 0, 0.1), phase("workers changed", 1000, 120, None)]
    file = tmp_path / "zero_downtime.json"
    file.write_text(json.dumps({"role": {"phases": role}, "plain": {"phases": plain}}))
    return file


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], check=False, capture_output=True, text=True)


def test_each_change_has_a_row(results: Path) -> None:
    """The times between the changes have no row, and the plain unit may lack a change."""
    assert run(results).stdout == TABLE


def test_write_replaces_only_the_table(results: Path, tmp_path: Path) -> None:
    """The text around it stays, and a second time changes nothing."""
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{BEGIN}old\n{END}\nrest é\n", encoding="utf-8")
    for _time in range(2):
        assert run(results, "--write", readme).returncode == 0
        assert readme.read_text(encoding="utf-8") == f"# Title\n\n{BEGIN}{TABLE}{END}\nrest é\n"


def test_write_says_where_it_would_write(results: Path, tmp_path: Path) -> None:
    """A file without the comments is not changed."""
    (tmp_path / "README.md").write_text("# Title\n")
    done = run(results, "--write", tmp_path / "README.md")
    assert done.returncode == 1
    assert BEGIN.strip() in done.stderr
    assert (tmp_path / "README.md").read_text() == "# Title\n"


def test_the_page_shows_nothing_lost_by_a_planned_change() -> None:
    """It has exactly one such table, and it claims what the scenario asserts."""
    page = (ROOT / "docs" / "zero_downtime.md").read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    rows = [line.split("|")[1:-1] for line in page.partition(BEGIN)[2].partition(END)[0].splitlines()[2:]]
    for change, lost, _longest, *_plain in rows:
        assert "killed" in change or lost.strip().startswith("0 of ")
