# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What everything that runs as the service does has of the service's unit: user, environment, credentials, sandbox."""

from __future__ import annotations

import re
from typing import Iterable

# What makes a unit the web service, and what others have of their own. These are beginnings of names.
_OF_SERVICE = ("Type", "NotifyAccess", "NonBlocking", "Exec", "Restart", "Timeout", "RuntimeMax", "Kill", "Watchdog")
_OF_SERVICE += ("Sockets", "RuntimeDirectory", "WorkingDirectory", "Standard", "RemainAfterExit", "SuccessExitStatus")
# What a unit of systemd has for its search path
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIGURATION = "Environment=GUNICORN_CONFIGURATION="


def service_lines(unit: str, left_out: tuple[str, ...] = ()) -> list[str]:
    """The lines of the section [Service] that do not make it the web service, without the directives in `left_out`."""
    return [
        line
        for name, line in _assignments(unit)
        if not name.startswith(_OF_SERVICE) and not line.startswith(_CONFIGURATION) and name not in left_out
    ]


def search_path(venv: str) -> str:
    """Where what runs as the service does has its programs: first in the virtual environment."""
    return f"{venv}/bin:{_SYSTEM}"


def has_path(lines: Iterable[str]) -> bool:
    """Whether a unit sets PATH for its processes."""
    return any(re.match(r'Environment="?PATH=', line) for line in lines)


def _assignments(unit: str) -> Iterable[tuple[str, str]]:
    """Yield the names and lines of the section [Service]."""
    section = ""
    for line in unit.splitlines():
        if line.startswith("["):
            section = line
        name, equals, _value = line.partition("=")
        if section == "[Service]" and equals and not line.startswith("#"):
            yield name, line
