# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "releases-table"
BEGIN, END = "<!-- releases: begin -->\n", "<!-- releases: end -->"
RESULTS = {
    "role": {
        "events": {"a good release": {"requests": 1200, "failed": 0}, "a reboot": {"requests": 10, "failed": 1}},
        "seconds": {"going back": 2.04},
    },
    "link": {
        "events": {"a good release": {"requests": 1000, "failed": 12}},
        "seconds": {"going back": 1.55},
    },
}
TABLE = """\
| event | lost | a `current` link: lost |
| --- | ---: | ---: |
| a good release | 0 of 1200 | 12 of 1000 |
| a reboot | 1 of 10 |  |
| going back: time | 2.0 s | 1.6 s |
"""


def test_table_compares_releases_with_a_link(tmp_path: Path) -> None:
    """A page gets it between its comments; an event that the link has not is empty there."""
    results, page = tmp_path / "releases.json", tmp_path / "page.md"
    results.write_text(json.dumps(RESULTS))
    page.write_text(f"# Title\n\n{BEGIN}old\n{END}\nrest\n")
    command = [sys.executable, SCRIPT, results]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == TABLE
    subprocess.run([*command, "--write", page], check=True)
    assert page.read_text() == f"# Title\n\n{BEGIN}{TABLE}{END}\nrest\n"


def test_the_page_has_a_place_for_the_table() -> None:
    """Otherwise the next run could not write it."""
    text = (ROOT / "docs" / "zero_downtime.md").read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
