# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The companions of services under supervisor, in the words in which systemd says the same of units.

Their programs are in files that only root can write. How their processes are, supervisor tells root alone.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import companion_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.companion_files import CompanionFiles
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.unit_state import UnitState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs

if t.TYPE_CHECKING:
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess, Supervisor

_NUMPROCS = re.compile(r"^numprocs=([0-9]{1,3})$", re.MULTILINE)
# From BACKOFF, supervisor tries again. It calls one that ended by itself EXITED until it starts it again.
_STATES = {
    "RUNNING": "active",
    "STARTING": "activating",
    "BACKOFF": "activating",
    "EXITED": "activating",
    "STOPPING": "deactivating",
    "STOPPED": "inactive",
    "FATAL": "failed",
}
# The state of a program is the first of these in which one of its processes is.
_ORDER = ("active", "activating", "failed", "deactivating", "inactive")


def read_installed(root: str = "/") -> list[CompanionFiles]:
    """Return the companions that the host has as programs of supervisor, by their services and names."""
    paths = sorted(glob.glob(os.path.join(glob.escape(join(root, programs.PROGRAMS)), "*-*.conf")))
    return _read_programs(paths) if paths else []


def _read_programs(paths: list[str]) -> list[CompanionFiles]:
    # Not at the top: a host with systemd would take a hundredth of a second for what this imports.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_programs

    found = []
    for path in paths:
        text = "" if os.path.islink(path) else read(path)
        service, name = companion_programs.owner_of(text)
        count = _NUMPROCS.search(text)
        program = companion_programs.name_of(service, name)
        if service and count and os.path.basename(path) == f"{program}.conf":
            numbers = range(1, min(int(count[1]), companion.INSTANCES_MAX) + 1)
            each = tuple(f"{program}:{number}" for number in numbers)
            # As supervisorctl takes it. The file does not say which of them is single.
            found.append(CompanionFiles(service, name, companion_files.ALWAYS, f"{program}:*", each, each, True))
    return sorted(found, key=lambda each: (each.service, each.name))


def read_states(companions: list[CompanionFiles], root: str = "/") -> dict[str, UnitState]:
    """Return how companions and their processes are, by their names; nothing where this user may not ask."""
    supervised = [each for each in companions if each.supervised]
    if not supervised:
        return {}
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client

    supervisor = client.this_supervisor()
    parents = processes.read_parents(root)
    states: dict[str, UnitState] = {}
    for each in supervised:
        known = _ask(supervisor, str(each.unit).partition(":")[0])
        if known is None:
            return {}
        own = {unit: _state(known.get(unit.rpartition(":")[2]), parents) for unit in each.processes}
        states.update(own)
        states[str(each.unit)] = UnitState(min((state.state for state in own.values()), key=_ORDER.index))
    return states


def _ask(supervisor: Supervisor, program: str) -> dict[str, ProgramProcess] | None:
    """Return what supervisor knows of a program: nothing if it does not run, None if this user may not ask it."""
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError

    try:
        return supervisor.group(program)
    except SupervisorError:
        socket = supervisor.access.socket
        return None if os.path.exists(socket) and not os.access(socket, os.W_OK) else {}


def _state(process: ProgramProcess | None, parents: dict[int, int]) -> UnitState:
    if process is None:
        return UnitState("inactive")
    state = _STATES.get(process.state, "failed")
    # One that this user does not see has no family, either.
    family = {process.pid, *processes.descendants_in(parents, process.pid)} if process.pid in parents else ()
    return UnitState(state, process.pid, pids=tuple(sorted(family)))
