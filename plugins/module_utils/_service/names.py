# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the files of a service are, how to tell that a file is the role's, and what it names."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units

# Where it is noted what services were given: root alone can write there
NOTES = "/var/lib"


def lock_name(name: str) -> str:
    """The name of the lock on everything of one service."""
    return f"service-{name}"


class Paths(NamedTuple):
    """Where the files of a service are, apart from its secrets."""

    configuration: str
    unit: str
    socket: str
    logrotate: str
    memory: str


def paths(name: str, config_directory: str) -> Paths:
    """Where the files of a service are."""
    units = (os.path.join(systemd_units.UNIT_DIRECTORY, f"{name}.{suffix}") for suffix in ("service", "socket"))
    configuration = os.path.join(config_directory, "gunicorn.conf.py")
    return Paths(configuration, *units, f"/etc/logrotate.d/gunicorn-{name}", memory_note(name))


def memory_note(name: str) -> str:
    """Where it is noted how much memory a service was given: the sizing of other projects reads that."""
    return os.path.join(NOTES, f"gunicorn-{name}.memory")


def journal_of(name: str) -> str:
    """Where a change under systemd notes how to go back: beside the unit, where only root can write."""
    return os.path.join(systemd_units.UNIT_DIRECTORY, f".{name}.gunicorn-switch.json")


def roll_back_command(name: str) -> str:
    """The path of the command that goes back to a kept release of a service."""
    return f"/usr/local/sbin/{name}-roll-back"


def run_command(name: str) -> str:
    """The path of the command that runs commands of a service's project."""
    return f"/usr/local/sbin/{name}-run"


def sudoers(name: str) -> str:
    """The path of what lets a group run that command; sudo does not read a file with a point in its name."""
    return f"/etc/sudoers.d/{name.replace('.', '_')}-run"


def is_ours(text: str | None) -> bool:
    """Whether a file is one that the role wrote."""
    return (
        re.search(r"^[#;] Managed by Ansible \(role pyweb\.gunicorn\.gunicorn\)", text or "", re.MULTILINE) is not None
    )


def credentials_of(text: str) -> list[str]:
    """The names of the credentials that were written with a file of secrets, from a comment in it."""
    found = re.search(r"^# Credentials:(.*)$", text, re.MULTILINE)
    return found[1].split() if found else []
