# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gunicorn_service_info returns of the companions of a service.

systemd and the kernel tell all of it: which processes a unit has is the kernel's to say, by their cgroups.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, plain, whole
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    companion_files,
    companion_programs,
    process_memory,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.companion_files import CompanionFiles
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services import Service
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.unit_state import UnitState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes, units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text

_PROPERTIES = (
    "Id",
    "ActiveState",
    "MainPID",
    "NRestarts",
    "Result",
    "ExecMainExitTimestamp",
    "NextElapseUSecRealtime",
)
# systemctl prints these times as the host's time zone has them. Its --timestamp= leaves those of timers as they are.
_IN_UTC = {"environ_update": {"TZ": "UTC"}}
_MOMENT = re.compile(r"[A-Z][a-z]{2} (\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) UTC", re.ASCII)
_ENDED = ("inactive", "failed", "")
_UP = ("active", "reloading", "refreshing")
_RELEASE, _LONGEST_RELEASE = "GUNICORN_APP_REVISION", 100
_SUCCESS = "success"


def read_states(services: list[Service], runner: Runner, root: str = "/") -> dict[str, UnitState]:
    """Return the units of all companions of these services by their names; systemd is asked once, about all of them.

    Those under supervisor have the names that supervisorctl takes.
    """
    companions = [each for service in services for each in service.companions]
    names = [unit for each in companions if not each.supervised for unit in each.units]
    supervised = companion_programs.read_states(companions, root)
    return {**_read_units(names, runner, root), **supervised} if names else supervised


def _read_units(names: list[str], runner: Runner, root: str) -> dict[str, UnitState]:
    """Return the units of companions by their names."""
    found = {}
    for block in units.show_units(names, _PROPERTIES, runner, **_IN_UTC):
        values = {key: values[0] for key, values in block.items()}
        found[values.get("Id", "")] = _parse_state(values)
    states = {name: found[name] for name in names if name in found}
    return _with_processes(states, root) if any(_goes_on(each) for each in states.values()) else states


def _parse_state(values: dict[str, str]) -> UnitState:
    return UnitState(
        state=values.get("ActiveState", ""),
        main_pid=whole(values.get("MainPID", "")) or 0,
        restarts=whole(values.get("NRestarts", "")) or 0,
        result=values.get("Result", ""),
        ended=parse_moment(values.get("ExecMainExitTimestamp", "")),
        next_run=parse_moment(values.get("NextElapseUSecRealtime", "")),
    )


def parse_moment(text: str) -> float | None:
    """Return a time as systemctl prints it in UTC, in epoch seconds; None where there is none."""
    import calendar  # not at the top: most hosts have no companions

    found = _MOMENT.fullmatch(text)
    return float(calendar.timegm(tuple(int(part) for part in found.groups()))) if found else None


def _with_processes(states: dict[str, UnitState], root: str) -> dict[str, UnitState]:
    pids: dict[str, list[int]] = {}
    for pid, unit in unit_processes.units_of(sorted(processes.read_ids(root)), root).items():
        pids.setdefault(unit or "", []).append(pid)
    return {name: state._replace(pids=tuple(pids.get(name, ()))) for name, state in states.items()}


def _goes_on(state: UnitState) -> bool:
    return state.state not in _ENDED


def read_companions(
    service: Service, states: dict[str, UnitState], boot_time: float, root: str, unseen: list[str]
) -> list[dict[str, t.Any]]:
    """Return what the module returns of the companions of a service."""
    memory = {each.name: _read_memory(each, states, boot_time, root) for each in service.companions}
    if any(_is_untold(each, states) for each in service.companions):
        unseen.append("processes of its companions: supervisor answers root alone")
    elif any(_is_hidden(state) for each in service.companions for state in _states_of(each, states)):
        unseen.append("processes of its companions: this user may not see those of others")
    elif any(sums["pss"] is None for sums in memory.values()):
        unseen.append(process_memory.unseen_memory("its companions", service, root))
    return [
        {
            **_companion(each, states, memory[each.name]),
            "restarts_since": _counted_since(each, boot_time, root),
            "release": _release(each, states, root),
        }
        for each in service.companions
    ]


def _counted_since(companion: CompanionFiles, boot_time: float, root: str) -> float | None:
    """Return since when restarts count at the earliest: neither before the boot nor before the units were written."""
    written = []
    for unit in companion.processes:
        with contextlib.suppress(OSError):
            written.append(os.stat(join(root, os.path.join(units.UNIT_DIRECTORY, unit))).st_mtime)
    return max(boot_time, min(written)) if written else None


def _release(companion: CompanionFiles, states: dict[str, UnitState], root: str) -> str | None:
    """Return the release that a process says it runs, else its working directory; as a terminal can show it, and cut.

    The process can write anything there.
    """
    own = companion.processes or (companion.runs,)
    pid = next((states[unit].main_pid for unit in own if unit in states and states[unit].main_pid), 0)
    said = processes.read_environment(pid, root).get(_RELEASE, "") if pid else ""
    if pid and not said:
        with contextlib.suppress(OSError):
            said = os.readlink(join(root, f"/proc/{pid}/cwd"))
    return text.shown(plain(said), _LONGEST_RELEASE) or None


def _states_of(companion: CompanionFiles, states: dict[str, UnitState]) -> list[UnitState]:
    return [states[unit] for unit in companion.units if unit in states]


def _is_hidden(state: UnitState) -> bool:
    """Whether systemd knows of a process that this user does not see."""
    return bool(state.main_pid and not state.pids)


def _is_untold(companion: CompanionFiles, states: dict[str, UnitState]) -> bool:
    """Whether supervisor does not tell this user how a companion is."""
    return companion.supervised and companion.unit not in states


def _read_memory(
    companion: CompanionFiles, states: dict[str, UnitState], boot_time: float, root: str
) -> dict[str, int | None]:
    own = _states_of(companion, states)
    if any(_is_hidden(state) for state in own) or _is_untold(companion, states):
        return process_memory.sum_memory([])
    read = [process_memory.read_process(pid, "companion", boot_time, root) for state in own for pid in state.pids]
    there = [process for process in read if process]
    # Without a process it takes none, which is known.
    return process_memory.sum_memory(there) if there else dict.fromkeys(process_memory.sum_memory([]), 0)


def _companion(
    companion: CompanionFiles, states: dict[str, UnitState], memory: dict[str, int | None]
) -> dict[str, t.Any]:
    is_job = companion.kind == companion_files.JOB
    top = states.get(companion.unit or "", UnitState())
    runs = states.get(companion.runs, UnitState())
    up = [states.get(unit, UnitState()) for unit in companion.processes]
    own = {companion.runs} if companion.unit else set()
    finishing = [unit for unit in companion.units if unit not in own and unit not in companion.processes]
    running = sum(state.state in _UP for state in up) if not is_job else int(bool(runs.main_pid))
    ran = is_job and (runs.ended is not None or runs.result not in ("", _SUCCESS))
    return {
        "name": companion.name,
        "kind": companion.kind,
        "unit": companion.unit,
        "state": top.state or None,
        "running": None if _is_untold(companion, states) else running,
        "wanted": None if is_job else len(companion.processes),
        "pids": sorted(pid for state in _states_of(companion, states) for pid in state.pids),
        "memory": memory,
        # supervisor does not count them.
        "restarts": None if companion.supervised else sum(state.restarts for state in up),
        "finishing": [
            unit for unit in finishing if unit.endswith(".service") and unit in states and _goes_on(states[unit])
        ],
        # A unit that has never run has a success, too.
        "last_result": runs.result if ran else None,
        "last_run": runs.ended if is_job else None,
        "next_run": top.next_run if is_job else None,
    }
