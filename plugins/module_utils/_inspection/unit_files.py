# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The units that start Gunicorn, found by the commands in their files."""

from __future__ import annotations

import contextlib
import os
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, list_folder, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import command_line
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.unit_processes import SERVICE

# The first directory that has a unit of some name counts.
_UNIT_DIRECTORIES = (
    units.UNIT_DIRECTORY,
    units.RUNTIME_DIRECTORY,
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_EXEC_START = re.compile(r"^[ \t]*ExecStart[ \t]*=[ \t]*[-@:+!|]*(.*)$", re.MULTILINE)
_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"^[ \t]*[#;].*\n?", re.MULTILINE)
_PIECE = r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\\(.)|([^\s"'\\]+)"""
_WORD = re.compile(f"(?:{_PIECE})+", re.DOTALL)
_PIECES = re.compile(_PIECE, re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read_installed(root: str = "/") -> dict[str, tuple[str, ...]]:
    """Return the command of each unit whose file, or a drop-in of it, starts Gunicorn."""
    paths: dict[str, str] = {}
    drop_ins: dict[str, list[str]] = {}
    for folder in _folders(root):
        for name in sorted(list_folder(folder)):
            path = f"{folder}/{name}"
            if name.endswith(".service.d"):
                drop_ins.setdefault(name[: -len(".d")], []).extend(
                    os.path.join(path, entry) for entry in sorted(list_folder(path)) if entry.endswith(".conf")
                )
            elif name.endswith(".service") and SERVICE.fullmatch(name):
                paths.setdefault(name, path)
    commands = {}
    for name, path in paths.items():
        text = "\n".join(read(each) for each in (path, *drop_ins.get(name, ())))
        # A unit with an alias is found by its own name.
        if command_line.WORD in text and os.path.basename(os.path.realpath(path)) == name:
            command = parse_exec_start(text)
            if command_line.starts_gunicorn(command):
                commands[name] = command
    return commands


def _folders(root: str) -> list[str]:
    """Return the directories that there are, each once: on most hosts, /lib leads to /usr/lib."""
    found: dict[tuple[int, int], str] = {}
    for directory in _UNIT_DIRECTORIES:
        folder = join(root, directory)
        with contextlib.suppress(OSError):
            status = os.stat(folder)
            found.setdefault((status.st_dev, status.st_ino), folder)
    return list(found.values())


def parse_exec_start(text: str) -> tuple[str, ...]:
    """Return the last command in the text of a unit, as arguments. Specifiers and variables stay as they are."""
    text = _CONTINUED.sub(" ", _COMMENT.sub("", text))
    lines = [line for line in _EXEC_START.findall(text) if line.strip()]
    return split_words(lines[-1]) if lines else ()


def split_words(line: str) -> tuple[str, ...]:
    """Return the arguments in a line of a unit, see systemd.syntax(7)."""
    words = []
    for found in _WORD.finditer(line):
        pieces = _PIECES.findall(found[0])
        word = "".join(
            _ESCAPED.sub(r"\1", double or single) + escaped + plain for double, single, escaped, plain in pieces
        )
        words.append(word.replace("%%", "%").replace("$$", "$"))
    return tuple(words)
