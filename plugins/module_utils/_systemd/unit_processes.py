# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which unit a process belongs to, and which sockets the processes of a unit hold."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups, processes, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

# The characters of unit names. A template without an instance can't run, and systemctl would take a leading dash for an
# option.
SERVICE = re.compile(r"(?!-)[\w:.\\@-]{1,250}(?<!@)\.service", re.ASCII)


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
    for pid in [main_pid, *(pid for pid in others if unit_of(pid, root) == service)]:
        for address, inode, descriptor in sockets.read_descriptors(pid, root):
            for bind in addresses.parse_streams([address[len("unix:") :] if address.startswith("unix:") else address]):
                found.setdefault(inode, Held(bind, inode, pid, descriptor))
    return list(found.values())


def unit_of(pid: int, root: str = "/") -> str | None:
    """Return the system's service that a process belongs to, or None if it belongs to none."""
    for line in read(join(root, f"/proc/{pid}/cgroup")).splitlines():
        _number, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if controllers in ("", "name=systemd"):
            # As systemd does it: the first name that is not a slice, in this container
            for name in _below_init(path, controllers, root):
                if not name.endswith(".slice"):
                    if SERVICE.fullmatch(name) and not name.startswith("user@"):
                        return name
                    break
    return None


def _below_init(path: str, controllers: str, root: str) -> list[str]:
    """Return the names in the path of a cgroup, without the path of the container that this is."""
    for line in read(join(root, "/proc/1/cgroup")).splitlines():
        _number, others, init = (line.split(":", 2) + ["", ""])[:3]
        if others == controllers:
            init = re.sub(r"/init\.scope\Z", "", init).rstrip("/")
            if path.startswith(init + "/"):
                path = path[len(init) :]
    return [name for name in path.split("/") if name]


def unit_groups(pid: int, unit: str, root: str = "/") -> list[str]:
    """Return the folders of the unit's own cgroups that a process is in; some controllers may have none."""
    return [group for group in cgroups.cgroups_of(pid, root) if os.path.basename(group) == unit]
