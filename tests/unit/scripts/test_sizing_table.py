# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BEGIN, END = "<!-- sizing-table: made by scripts/sizing-table -->\n", "<!-- end of sizing-table -->"


def test_the_table_in_the_documentation_is_what_the_rule_gives(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/sizing.md has the output of scripts/sizing-table: put it there after a change of the rule."""
    runpy.run_path(str(ROOT / "scripts" / "sizing-table"), run_name="__main__")
    documented = (ROOT / "docs" / "sizing.md").read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert documented == capsys.readouterr().out
