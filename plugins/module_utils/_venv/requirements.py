# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requirements that users give, the one for Gunicorn itself, and the stamp that notes which were installed last."""

from __future__ import annotations

import hashlib
import os
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

FLOOR = "23.0.0"  # older versions let requests be smuggled: CVE-2024-1135, CVE-2024-6827
# In a virtual environment, the hash of the lines that were installed last. It tells that a line changed which the probe
# can't compare with the installed version.
STAMP = ".gunicorn-requirements"
# A line that names another file, relative to its own file. pip reads the lines from a file elsewhere.
_INCLUDE = re.compile(r"(\s*(?:(?:-r|-c)\s*|(?:--requirement|--constraint)(?:\s+|=)))(?!\S*://)(\S.*)")


def gunicorn_requirement(version: str) -> str:
    """The requirement that says the same as gunicorn_version."""
    floor = f"gunicorn>={FLOOR}"
    if version == "newest":
        return floor
    return f"{floor},=={version}" if version[0].isdigit() else f"{floor},{version.replace(' ', '')}"


def read_requirements(given: list | str | None) -> list[str]:
    """The requirements, without comments: the lines of a file on the host if a string names one, or of the list itself.

    InvalidValue if they are neither, or if the file can't be read.
    """
    if not given:
        return []
    lines = _read_lines(given) if isinstance(given, str) else given
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InvalidValue("gunicorn_requirements", given, "a list of requirements, or the path of a file of them")
    bare = (re.split(r"(?:^|\s)#", line)[0].strip() for line in lines)
    return [line for line in bare if line]


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as lines:
            text = lines.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "not UTF-8")
        raise InvalidValue("gunicorn_requirements", path, f"a file of the host ({reason})") from None
    return [_with_whole_path(line, os.path.dirname(os.path.abspath(path))) for line in text.splitlines()]


def _with_whole_path(line: str, folder: str) -> str:
    include = _INCLUDE.match(line)
    return include[1] + os.path.join(folder, include[2]) if include else line


def write_stamp(directory: str, lines: list[str]) -> None:
    """Note in a virtual environment which requirements were installed last."""
    # The old file is replaced and not written to: a backup by hard links shares it.
    files.put(WantedFile(os.path.join(directory, STAMP), _stamp(lines), 0o644, os.getegid(), os.geteuid()))


def has_stamp(directory: str, lines: list[str]) -> bool:
    """Whether these requirements were installed last; where there are none, nothing has to be noted."""
    if not lines:
        return True
    try:
        with open(os.path.join(directory, STAMP), encoding="ascii") as file:
            return file.read() == _stamp(lines)
    except (OSError, UnicodeDecodeError):
        return False


def _stamp(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() + "\n"
