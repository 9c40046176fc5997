# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import documents
import pytest

BEGIN, END = "<!-- begin -->\n", "<!-- end -->\n"


def test_a_part_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    """Each time, the two lines have only the latest text between them."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n", encoding="utf-8")
    for made in ("| new |\n", "", "| newer |\n"):
        documents.replace_part(page, BEGIN, END, made)
        assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}{made}{END}after\n"


def test_a_page_without_the_lines_is_left_alone(tmp_path: Path) -> None:
    """And the error names the page."""
    page = tmp_path / "page.md"
    page.write_text("without", encoding="utf-8")
    with pytest.raises(documents.DocumentError, match=r"page\.md"):
        documents.replace_part(page, BEGIN, END, "| new |\n")
    assert page.read_text(encoding="utf-8") == "without"
