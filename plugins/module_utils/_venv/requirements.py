# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requirements that users give, and the one for Gunicorn itself."""

from __future__ import annotations

import os
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

FLOOR = "23.0.0"  # older versions let requests be smuggled: CVE-2024-1135, CVE-2024-6827
# Lines that name another file, relative to their own; pip gets the lines from elsewhere.
_INCLUDE = re.compile(r"(\s*(?:(?:-r|-c)\s*|(?:--requirement|--constraint)(?:\s+|=)))(?!\S*://)(\S.*)")


def gunicorn_requirement(version: str) -> str:
    """The requirement that stands for gunicorn_version."""
    floor = f"gunicorn>={FLOOR}"
    if version == "newest":
        return floor
    return f"{floor},=={version}" if version[0].isdigit() else f"{floor},{version.replace(' ', '')}"


def read_requirements(given: list | str | None) -> list[str]:
    """The lines of a requirements file of the host (where a string names one), or of the list itself."""
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
