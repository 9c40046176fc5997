# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the text and the name of a unit tell of the companion that it belongs to.

It imports nothing of the role's, so that a host is read without all that makes the units.
"""

from __future__ import annotations

import re

MARKER = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run."
_COMPANION = re.compile(r"^# A companion of (\S+): (\S+)$", re.MULTILINE)
_WANTS = re.compile(r"^Wants=(.*)$", re.MULTILINE)
_GENERATION = re.compile(r"@([0-9]{1,9})-[0-9]+\.service\Z")


def owner_of(text: str | None) -> tuple[str, str]:
    """The service and the name of the companion to which a unit belongs; empty for another unit."""
    found = _COMPANION.search(text or "") if (text or "").startswith(MARKER) else None
    return (found[1], found[2]) if found else ("", "")


def generation_of(unit: str) -> int:
    """The generation of a process's unit; 0 for another unit."""
    found = _GENERATION.search(unit)
    return int(found[1]) if found else 0


def stands_for(unit: str, text: str) -> list[str]:
    """The units of the processes for which a unit stands, by its text; none for one that runs a command itself."""
    prefix = f"{unit.rpartition('.')[0]}@"
    words = [word for line in _WANTS.findall(text) for word in line.split()]
    return [word for word in words if word.startswith(prefix) and generation_of(word)]


def live_generation(unit: str, text: str) -> int:
    """The generation of the processes for which a unit stands; 0 for one that runs a command itself."""
    return max(map(generation_of, stands_for(unit, text)), default=0)
