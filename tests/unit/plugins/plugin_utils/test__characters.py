# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._characters import (
    fitted,
    on_one_line,
    width,
    wrapped,
)

# Lone surrogates, too: file names that are not UTF-8 have them in Python.
texts = st.text(st.characters(codec=None))


@given(texts)
def test_nothing_but_plain_characters_is_left(text: str) -> None:
    """It has no control character, line end, or mark that turns the direction of writing, and can be encoded."""
    shown = on_one_line(text)
    assert shown.isprintable()
    assert shown.splitlines() in ([shown], [])
    shown.encode("utf-8")


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_plain_characters_stay(text: str) -> None:
    """Names in any script are shown as they are."""
    assert on_one_line(text) == text


@pytest.mark.parametrize(
    ("text", "columns"), [("web1", 4), ("日本", 4), ("e\u0301", 1), ("", 0), ("ｗｅｂ", 6), ("🦄", 2)]
)
def test_width_is_that_of_a_terminal(text: str, columns: int) -> None:
    """Wide characters take two columns, accents none."""
    assert width(text) == columns


@given(texts, st.integers(2, 40), st.booleans())
def test_a_cell_has_its_width(text: str, columns: int, at_the_right: bool) -> None:
    """Whatever is in it, so that the columns to its right stay aligned."""
    assert width(fitted(text, -columns if at_the_right else columns)) == columns


@pytest.mark.parametrize(
    ("text", "columns", "cell"),
    [("web1", 6, "web1  "), ("web1", -6, "  web1"), ("webserver", 6, "webse…"), ("日本語", 4, "日… ")],
)
def test_a_cell_is_filled_and_cut(text: str, columns: int, cell: str) -> None:
    """An ellipsis says that something is missing."""
    assert fitted(text, columns) == cell


@given(texts, st.integers(4, 40))
def test_lines_have_their_width(text: str, columns: int) -> None:
    """Each is indented and not too long, and only blanks are lost."""
    lines = wrapped(text, columns, "# ")
    assert all(line.startswith("# ") and width(line) <= columns for line in lines)
    assert "".join(line[2:] for line in lines).replace(" ", "") == on_one_line(text).replace(" ", "")
