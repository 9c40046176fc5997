# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which drop-ins systemd adds to a unit, and what they say.

systemctl shows those of a unit that is loaded, as they were when it was loaded. A change loads what is there now, and a
stand-in has a name of its own. Source: systemd.unit(5), "Unit File Load Path" and the description of drop-ins.
"""

from __future__ import annotations

import os
from typing import Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import kernel_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, units

# Where systemd looks for them, apart from the places of administrators: before these, and after them
_BEFORE = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
)
_AFTER = (
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)
_LONGEST = 1 << 20  # bytes of a drop-in


class Assignment(NamedTuple):
    """A line of a drop-in."""

    path: str
    section: str
    name: str
    value: str


def find(unit: str) -> list[str]:
    """The paths of the drop-ins of a unit, in the order in which they take effect."""
    own, of_type = _folders(unit)
    places = (*_BEFORE, units.UNIT_DIRECTORY, units.RUNTIME_DIRECTORY, *_AFTER)
    found: dict[str, str] = {}
    # What is for all units of a type can be replaced by all that is more specific.
    for folders in (own, [of_type]):
        for place in places:
            for folder in (os.path.join(place, each) for each in folders):
                for name in kernel_files.list_folder(folder):
                    if name.endswith(".conf"):
                        found.setdefault(name, os.path.join(folder, name))
    return [found[name] for name in sorted(found)]


def _folders(unit: str) -> tuple[list[str], str]:
    """The names of a unit's folders, the most specific first: a-b.service.d, a-.service.d; and service.d."""
    name, _dot, suffix = unit.rpartition(".")
    parts = name.split("-")
    prefixes = ("-".join(parts[:count]) + "-" for count in range(len(parts) - 1, 0, -1))
    return [f"{each}.{suffix}.d" for each in (name, *prefixes)], f"{suffix}.d"


def copy(unit: str, other: str) -> None:
    """Add what drop-ins add to a unit to another one in /run, which some of them are for already."""
    its_own = find(other)
    for path in find(unit):
        if path not in its_own:
            runtime_units.write(f"{other}.d/{os.path.basename(path)}", text_of(path))


def assignments(paths: list[str]) -> Iterator[Assignment]:
    """Yield what the drop-ins say, in this order; one that can't be read says nothing."""
    for path in paths:
        section = ""
        for line in _lines(path):
            if line.startswith("["):
                section = line[1:].rstrip("]")
            elif "=" in line:
                name, _equals, value = line.partition("=")
                yield Assignment(path, section, name.rstrip(), value.lstrip())


def text_of(path: str) -> str:
    """The text of a drop-in; empty if it is none, or a link to /dev/null, which masks another one."""
    try:
        # systemd follows links. What they lead to must not hold up the caller.
        text, _begin = kernel_files.read_tail(os.path.realpath(path), _LONGEST)
    except OSError:
        return ""
    return text.decode("utf-8", "surrogateescape")


def _lines(path: str) -> Iterator[str]:
    """Yield the lines without comments, and those that a backslash continues as one."""
    begun = ""
    for line in text_of(path).splitlines():
        line = line.strip()
        if line.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        yield begun + line
        begun = ""
