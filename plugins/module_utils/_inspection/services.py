# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Gunicorn services of a host: masters that run, and units that would start one.

A master is found by its command line or title, its unit by its cgroup, and a stopped unit by its ExecStart=. systemd is
asked once, about all units. Sources: systemd.unit(5) for the places of unit files, systemd.service(5), and
org.freedesktop.systemd1(5) for the properties.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read_tail
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    command_line,
    companion_files,
    companion_programs,
    unit_details,
    unit_files,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.companion_files import CompanionFiles
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.unit_details import UnitDetails
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes

_GENERATIONS = 5
# A program's name becomes a part of a path, and it is read from an environment that the process's user can write.
_PROGRAM = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)


class Service(t.NamedTuple):
    """A Gunicorn service: its unit, its master and workers if it runs, and the command in its unit's file."""

    unit: UnitDetails | None
    master: int | None
    workers: tuple[int, ...]
    arguments: tuple[str, ...]  # of the master, as procfs shows them
    exec_start: tuple[str, ...]
    listens: tuple[str, ...]  # the addresses of the unit's socket, as ListenStream= has them
    program: str = ""  # its name in supervisor, which passes it to what it starts
    companions: tuple[CompanionFiles, ...] = ()
    dirty_arbiter: int | None = None  # the process that starts the dirty workers
    dirty_workers: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The name of its unit without the suffix, else that of its program in supervisor, else its process id."""
        if self.unit:
            return self.unit.name[: -len(".service")]
        return self.program or f"pid {self.master}"

    @property
    def is_managed(self) -> bool:
        """Whether systemd or root's supervisor runs it: every local user can start what looks like a master."""
        return bool(self.unit or self.program)


def read_services(runner: Runner, root: str = "/") -> list[Service]:
    """Return all Gunicorn services of the host, and those of which it only has companions."""
    companions = [*companion_files.read_installed(root), *companion_programs.read_installed(root)]
    # A companion may run Gunicorn, too, and is a part of its service all the same.
    of_companions = {unit for each in companions for unit in each.units}
    owners = {f"{each.service}.service" for each in companions if not each.supervised}
    named = processes.read_command_lines(root, command_line.WORD)
    commands = {pid: arguments for pid, arguments in named if command_line.is_gunicorn(arguments)}
    parents = _parents(commands, root)
    families = _families(commands, parents)
    units = unit_processes.units_of(families, root)
    families = {master: workers for master, workers in families.items() if units[master] not in of_companions}
    installed = {name: words for name, words in unit_files.read_installed(root).items() if name not in of_companions}
    names = sorted({units[master] or "" for master in families} - {""} | set(installed) | owners)
    known, listens = unit_details.read_details(names, runner)
    services = []
    wanted = set(installed) | owners
    left = {name: unit for name, unit in known.items() if name in wanted or unit.main_pid in families}
    for master, workers in families.items():
        name = units[master] or ""
        if name in left and _descends(master, left[name].main_pid, root):
            services.append(_service(left.pop(name), master, workers, commands[master], installed, listens))
        elif name not in installed or name not in known:
            # Another program runs it, such as a supervisor, whose unit's cgroup it is in.
            service = _service(None, master, workers, commands[master], installed, listens)
            services.append(service._replace(program=_program(master, root)))
        # The others are workers without a master, which has ended.
    services = [_with_dirty_workers(service, commands, parents, root) for service in services]
    services += [_service(unit, None, (), (), installed, listens) for unit in left.values()]
    found = {service.name for service in services}
    without_unit = {each.service for each in companions} - found
    services += [Service(None, None, (), (), (), (), program=name) for name in without_unit]
    return sorted(
        (service._replace(companions=_of(service, companions)) for service in services),
        key=lambda service: (service.name, service.master or 0),
    )


def _of(service: Service, companions: list[CompanionFiles]) -> tuple[CompanionFiles, ...]:
    # Supervisor's programs have names of their own.
    owned = {False: bool(service.unit or not service.master), True: not service.unit}
    return tuple(each for each in companions if each.service == service.name and owned[each.supervised])


def read_user(service: Service, root: str = "/") -> str | None:
    """Return the user that a service runs as, by its unit or its master; None where neither tells."""
    if service.unit:
        return service.unit.user
    return processes.read_user(service.master, root) if service.master else None


def _parents(commands: dict[int, tuple[str, ...]], root: str) -> dict[int, int]:
    stats = {pid: processes.read_stat(pid, root) for pid in commands}
    return {pid: stat.parent for pid, stat in stats.items() if stat}


def _families(commands: dict[int, tuple[str, ...]], parents: dict[int, int]) -> dict[int, tuple[int, ...]]:
    """Return the workers of each master. A Gunicorn process that another one started is no master."""
    masters = [
        pid
        for pid, parent in parents.items()
        # One that starts dirty workers ends a second after its master.
        if parent not in parents and not command_line.is_dirty_arbiter(commands[pid])
    ]
    return {master: _children(master, parents) for master in sorted(masters)}


def _children(pid: int, parents: dict[int, int]) -> tuple[int, ...]:
    return tuple(sorted(child for child, parent in parents.items() if parent == pid))


def _with_dirty_workers(
    service: Service, commands: dict[int, tuple[str, ...]], parents: dict[int, int], root: str
) -> Service:
    """Tell the process that starts dirty workers, and these, from the web workers.

    It has its master's arguments, unless setproctitle is there. Gunicorn writes which one it is, by our hooks, into a
    file of the service's user: so only a child of the master counts.
    """
    titled = (pid for pid in service.workers if command_line.is_dirty_arbiter(commands[pid]))
    arbiter = next(titled, None) or _noted_arbiter(service.name, root)
    if arbiter not in service.workers:
        return service
    web = tuple(pid for pid in service.workers if pid != arbiter)
    return service._replace(workers=web, dirty_arbiter=arbiter, dirty_workers=_children(arbiter, parents))


def _noted_arbiter(service: str, root: str) -> int | None:
    try:
        text, _begin = read_tail(join(root, f"/run/gunicorn/{service}/dirty.pid"), 20)
        return int(text)
    except (OSError, ValueError):
        return None


def _program(master: int, root: str) -> str:
    """Return the name of the master's program in supervisor; empty if root's supervisor does not run it.

    Every local user can start a process with such a title and such an environment.
    """
    program = processes.read_environment(master, root).get("SUPERVISOR_PROCESS_NAME", "")
    if not _PROGRAM.fullmatch(program):
        return ""
    pid = master
    for _generation in range(_GENERATIONS):
        pid = processes.parent_of(pid, root)
        words = map(os.path.basename, processes.read_arguments(pid, root))
        sizes = processes.read_sizes(pid, root)
        if "supervisord" in words and sizes is not None and sizes.uid == 0:
            return program
    return ""


def _descends(pid: int, ancestor: int, root: str) -> bool:
    """Whether a process is another one or was started by it, also by way of a shell or sudo."""
    for _generation in range(_GENERATIONS):
        if pid == ancestor:
            return True
        pid = processes.parent_of(pid, root)
    return False


def _service(
    unit: UnitDetails | None,
    master: int | None,
    workers: tuple[int, ...],
    arguments: tuple[str, ...],
    installed: dict[str, tuple[str, ...]],
    listens: dict[str, tuple[str, ...]],
) -> Service:
    name = unit.name if unit else ""
    return Service(unit, master, workers, arguments, installed.get(name, ()), listens.get(name, ()))
