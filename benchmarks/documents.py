# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of the documentation that programs make."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


class DocumentError(Exception):
    """What is wrong with a document, in words for the person who called."""


def markdown(rows: Iterable[Sequence[str]]) -> str:
    """Return the rows of a Markdown table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def add_write(parser: argparse.ArgumentParser) -> None:
    """Add the option by which publish_part gets a file."""
    parser.add_argument("--write", metavar="FILE", type=Path, help="put it between the file's comments instead")


def publish_part(path: Path | None, begin: str, end: str, made: str) -> None:
    """Print a text, or put it between two lines of a file."""
    if path is None:
        print(made, end="")
    else:
        replace_part(path, begin, end, made)


def replace_part(path: Path, begin: str, end: str, made: str) -> None:
    """Put a text between two lines of a file."""
    replace_parts(path, {(begin, end): made})


def replace_parts(path: Path, parts: Mapping[tuple[str, str], str]) -> None:
    """Put texts between two lines of a file each; where one of the lines is not there, the file stays as it is."""
    text = path.read_text(encoding="utf-8")
    for (begin, end), made in parts.items():
        if begin not in text or end not in text:
            raise DocumentError(f"{path}: there are no lines {begin.strip()} and {end.strip()}")
        before, _begin, rest = text.partition(begin)
        _old, _end, after = rest.partition(end)
        text = before + begin + made + end + after
    path.write_text(text, encoding="utf-8")
