# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes tables that programs make into the documentation."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


class DocumentError(Exception):
    """A message about a document, for the person who called the program."""


def markdown(rows: Iterable[Sequence[str]]) -> str:
    """Return the lines of a Markdown table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def add_write(parser: argparse.ArgumentParser) -> None:
    """Add the option that gives publish_part its file."""
    parser.add_argument("--write", metavar="FILE", type=Path, help="put it between the file's comments instead")


def publish_part(path: Path | None, begin: str, end: str, made: str) -> None:
    """Print a text, or put it between two lines of a file."""
    if path is None:
        print(made, end="")
    else:
        replace_part(path, begin, end, made)


def replace_part(path: Path, begin: str, end: str, made: str) -> None:
    """Put a text between two lines of a file; raise DocumentError if a line is missing."""
    replace_parts(path, {(begin, end): made})


def replace_parts(path: Path, parts: Mapping[tuple[str, str], str]) -> None:
    """Put each text between its two lines of a file; if a line is missing, raise DocumentError and change nothing."""
    text = path.read_text(encoding="utf-8")
    for (begin, end), made in parts.items():
        if begin not in text or end not in text:
            raise DocumentError(f"{path}: there are no lines {begin.strip()} and {end.strip()}")
        before, _begin, rest = text.partition(begin)
        _old, _end, after = rest.partition(end)
        text = before + begin + made + end + after
    path.write_text(text, encoding="utf-8")
