# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requirements that users give, the one for Gunicorn itself, and the stamp that notes which were installed last."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Callable, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

FLOOR = "23.0.0"  # older versions let requests be smuggled: CVE-2024-1135, CVE-2024-6827
# In a virtual environment, the hash of the lines that were installed last. It tells that a line changed which the probe
# can't compare with the installed version.
STAMP = ".gunicorn-requirements"
# A line that names another file, relative to its own file. pip reads the lines from a file elsewhere.
# Not of the host are URLs, and not known here are paths with ${VARIABLES}.
_PATH = r"(?:file://(?=/))?(?P<path>(?!\S*(?:://|\$\{))\S.*)"
_INCLUDE = re.compile(rf"(?P<option>\s*(?:(?:-r|-c)\s*|(?:--requirement|--constraint)(?:\s+|=))){_PATH}")
# pip looks for a relative one beside the file, and then in the current directory.
_LINKS = re.compile(rf"(?P<option>\s*(?:-f\s*|--find-links(?:\s+|=))){_PATH}")
_INCLUDES_MAX = 100
_SERVICES_MAX = 50
_NOTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63} [0-9a-f]{64}")


def gunicorn_requirement(version: str) -> str:
    """The requirement that says the same as gunicorn_version."""
    floor = f"gunicorn>={FLOOR}"
    if version == "newest":
        return floor
    return f"{floor},=={version}" if version[0].isdigit() else f"{floor},{version.replace(' ', '')}"


def read_requirements(given: list | str | None) -> list[str]:
    """The requirements, without comments: the lines of a file on the host if a string names one, or of the list itself.

    InvalidValue if they are neither, or if the file, or one that they include, can't be read.
    """
    if not given:
        return []
    if isinstance(given, str):
        lines = _lines_of(given, given)
    elif isinstance(given, list) and all(isinstance(line, str) for line in given):
        lines = _bare(given)
    else:
        shown = urls.without_passwords(given)
        raise InvalidValue("gunicorn_requirements", shown, "a list of requirements, or the path of a file of them")
    _included(lines, {})
    return lines


def file_of(given: list | str | None) -> str:
    """The path of the file that the requirements are from, or ""."""
    return os.path.abspath(given) if given and isinstance(given, str) else ""


def write_lines(folder: str, name: str, lines: list[str], change: Callable[[str], str] = str) -> str:
    """Write a requirements file for pip in a folder, with a copy of each file that the lines include; its path.

    What others may write is read here, since pip would wait for the other end of a FIFO. `change` is applied to each
    line.
    """
    copies: dict[str, str] = {}
    texts = _included(lines, {})
    for number, path in enumerate(texts):
        copies[path] = os.path.join(folder, f"included-{number}-{name}")
    for path, text in [(os.path.join(folder, name), lines), *((copies[path], texts[path]) for path in texts)]:
        with open(path, "x", encoding="utf-8") as file:
            file.writelines(f"{change(_with_copies(line, copies))}\n" for line in text)
    return os.path.join(folder, name)


def included_path(line: str) -> str:
    """The path of the file of the host that a line includes, or ""."""
    include = _INCLUDE.match(line)
    return os.path.abspath(os.path.join("/", include["path"])) if include else ""


def included_lines(lines: list[str]) -> list[str]:
    """The lines of all files that these lines include."""
    return [line for text in _included(lines, {}).values() for line in text]


def _included(lines: list[str], found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The path and lines of each file that the lines include, and so on."""
    for line in lines:
        path = included_path(line)
        if path and path not in found:
            if len(found) >= _INCLUDES_MAX:
                raise InvalidValue("gunicorn_requirements", line, f"at most {_INCLUDES_MAX} included files")
            found[path] = []
            found[path] += _lines_of(path, line)
            _included(found[path], found)
    return found


def _with_copies(line: str, copies: dict[str, str]) -> str:
    path = included_path(line)
    return f"{_INCLUDE.match(line)['option']}{copies[path]}" if path else line  # type: ignore[index]


def _lines_of(path: str, value: str) -> list[str]:
    """The lines of a file; InvalidValue for `value`, which names it, if it can't be read."""
    try:
        text = files.read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "not UTF-8")
        where = "" if path == value else f"{path}: "
        expected = f"a file of the host ({where}{reason})"
        raise InvalidValue("gunicorn_requirements", urls.without_passwords(value), expected) from None
    folder = os.path.dirname(os.path.abspath(path))
    return [_with_whole_path(line, folder) for line in _bare(text.splitlines())]


def _bare(lines: list[str]) -> list[str]:
    bare = (re.split(r"(?:^|\s)#", line)[0].strip() for line in lines)
    return [line for line in bare if line]


def _with_whole_path(line: str, folder: str) -> str:
    named = _INCLUDE.match(line)
    if named is None:
        named = _LINKS.match(line)
        if named is None or not os.path.exists(os.path.join(folder, named["path"])):
            return line
    return named["option"] + os.path.join(folder, named["path"])


class Stamp(NamedTuple):
    """What was installed last into a virtual environment."""

    requirements: str  # their hash
    services: dict[str, str]  # a hash of what each service wanted when it was installed for it, the last one last


def write_stamp(directory: str, lines: list[str], services: Mapping[str, str]) -> None:
    """Note in a virtual environment which requirements were installed last, and for which services."""
    noted = "".join(f"{name} {wanted}\n" for name, wanted in list(services.items())[-_SERVICES_MAX:])
    # The old file is replaced and not written to: a backup by hard links shares it.
    text = f"{hash_of(lines)}\n{noted}"
    files.put(WantedFile(os.path.join(directory, STAMP), text, 0o644, os.getegid(), os.geteuid()))


def has_stamp(directory: str, lines: list[str]) -> bool:
    """Whether these requirements were installed last; where there are none, nothing has to be noted."""
    return not lines or read_stamp(directory).requirements == hash_of(lines)


def read_stamp(directory: str) -> Stamp:
    """What the stamp says, which may not be root's; nothing if there is none."""
    try:
        text = files.read_regular(os.path.join(directory, STAMP)).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return Stamp("", {})
    first, *others = text.splitlines() or [""]
    return Stamp(first, dict(line.split(" ") for line in others if _NOTED.fullmatch(line)))


def hash_of(lines: list[str]) -> str:
    """A hash of requirements, which is the same with another password in a URL."""
    # Everybody can read it, and could try passwords. Another password is no other requirement, either.
    return hashlib.sha256("\n".join(urls.without_passwords(lines)).encode()).hexdigest()


def other_owner(stamp: Stamp, service: str, wanted: str) -> str:
    """The service that something else was installed for, and that has a right to it, or "".

    Services may share a virtual environment if they want the same, and one of them has to come first with a change. So
    this one must leave what another one has installed only if it is new, or wants what it wanted before.
    """
    last = next(reversed(list(stamp.services)), "")
    if not service or last in ("", service) or stamp.services[last] == wanted:
        return ""
    return last if stamp.services.get(service, wanted) == wanted else ""
