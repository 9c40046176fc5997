# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from elsewhere, made fit to be shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator


def on_one_line(text: str) -> str:
    """Return the text with an escape for each character that can't be printed.

    Control characters would reach the terminal, line ends would begin new lines, and marks that turn the direction of
    writing would show one name as another.
    """
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def width(text: str) -> int:
    """Return how many columns a text takes in a terminal: two for a wide character, none for an accent on another."""
    return sum(_columns(character) for character in text)


def fitted(text: str, columns: int) -> str:
    """Return the text in that many columns, aligned to the right if negative; a longer text is cut with an ellipsis."""
    text, most = on_one_line(text), abs(columns)
    if width(text) > most:
        while width(text) > most - 1:
            text = text[:-1]
        text += "…"
    blanks = " " * (most - width(text))
    return blanks + text if columns < 0 else text + blanks


def wrapped(text: str, columns: int, indent: str = "") -> list[str]:
    """Return the text in lines of at most that many columns; unlike in textwrap, a wide character counts as two."""
    lines, line = [], indent
    for word in on_one_line(text).split(" "):
        for piece in _pieces(word, columns - len(indent)):
            if line != indent and width(line) + 1 + width(piece) > columns:
                lines.append(line)
                line = indent
            line += piece if line == indent else f" {piece}"
    return [*lines, line] if line != indent else lines


def _pieces(word: str, columns: int) -> Iterator[str]:
    """Yield a word in pieces that fit into a line."""
    piece = ""
    for character in word:
        if width(piece + character) > columns:
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
