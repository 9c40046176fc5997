# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which unit a process belongs to, and which sockets the processes of a unit hold."""

from __future__ import annotations

import os
import re
from typing import Iterable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups, processes, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

# The characters of unit names. A template without an instance can't run, and systemctl would take a leading dash for an
# option.
SERVICE = re.compile(r"(?!-)[\w:.\\@-]{1,250}(?<!@)\.service", re.ASCII)

_INIT = "/init.scope"


class Held(NamedTuple):
    """A listening socket of a service's process."""

    bind: Address
    inode: str
    pid: int
    descriptor: int


def read_held(service: str, main_pid: int, root: str = "/") -> list[Held]:
    """Return the listening sockets of a unit's processes, each once, and with the main process if that has it."""
    found: dict[str, Held] = {}
    others = sorted(pid for pid, _arguments in processes.read_command_lines(root) if pid != main_pid)
    for pid in [main_pid, *(pid for pid, unit in units_of(others, root).items() if unit == service)]:
        for address, inode, descriptor in sockets.read_descriptors(pid, root):
            for bind in addresses.parse_streams([address[len("unix:") :] if address.startswith("unix:") else address]):
                found.setdefault(inode, Held(bind, inode, pid, descriptor))
    return list(found.values())


def units_of(pids: Iterable[int], root: str = "/") -> dict[int, str | None]:
    """Return the system's service that each process belongs to, or None, in the order of the processes."""
    tops = {controllers: _without_scope(path) for controllers, path in _systemd_cgroups(1, root)}
    return {pid: _unit_of(_systemd_cgroups(pid, root), tops) for pid in pids}


def _systemd_cgroups(pid: int, root: str) -> list[tuple[str, str]]:
    """Return the cgroups that systemd made for a process, each with the controllers of its hierarchy."""
    lines = read(join(root, f"/proc/{pid}/cgroup")).splitlines()
    found = ((line.split(":", 2) + ["", ""])[1:3] for line in lines)
    return [(controllers, path) for controllers, path in found if controllers in ("", "name=systemd")]


def _without_scope(path: str) -> str:
    """Return the cgroup of the container that this is, by that of its first process."""
    return (path[: -len(_INIT)] if path.endswith(_INIT) else path).rstrip("/")


def _unit_of(groups: list[tuple[str, str]], tops: dict[str, str]) -> str | None:
    for controllers, path in groups:
        top = tops.get(controllers, "")
        names = (path[len(top) :] if path.startswith(f"{top}/") else path).split("/")
        # As systemd does it: the first name that is not a slice, in this container
        name = next((name for name in names if name and not name.endswith(".slice")), "")
        if SERVICE.fullmatch(name) and not name.startswith("user@"):
            return name
    return None


def unit_groups(pid: int, unit: str, root: str = "/") -> list[str]:
    """Return the folders of the unit's own cgroups that a process is in; some controllers may have none."""
    return own_groups(cgroups.cgroups_of(pid, root), unit)


def own_groups(groups: list[str], unit: str) -> list[str]:
    """Return the folders of the unit's own cgroups among these."""
    return [group for group in groups if os.path.basename(group) == unit]
