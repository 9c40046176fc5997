# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisor program of a service, to be removed, with the files that the role made to start it."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes as host_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import Found, RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import (
    companion_programs,
    launcher,
    marks,
    running,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client, configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError

# Seconds to wait for processes to finish their requests after SIGTERM, and to end after SIGKILL
_STOP_TIMEOUT, _KILL_TIMEOUT = 40.0, 5.0


class SupervisorManager:
    """What supervisor has of one service, whether supervisor runs or not."""

    def __init__(self, service: str, config_directory: str) -> None:
        programs.check_service_name(service)
        self._service = service
        self._supervisor = client.this_supervisor()
        self._companions = _companions(service, config_directory)
        self._program = os.path.join(programs.PROGRAMS, f"{service}.conf")
        self._launcher = os.path.join(config_directory, launcher.LAUNCHER)
        self._description = os.path.join(config_directory, launcher.DESCRIPTION)
        self.replaced = (self._program, *(companion_programs.path_of(service, each) for each in self._companions))
        self._descriptions = [companion_programs.description_of(config_directory, each) for each in self._companions]
        self.log_directory = os.path.join(programs.LOGS, service)

    @property
    def own_units(self) -> tuple[str, ...]:
        """As its processes are named, too; the unit of supervisor has those of all programs."""
        return tuple(f"{name}.service" for name in (self._service, *launcher.others(self._service)))

    def own_processes(self) -> set[int]:
        """The ids of the service's processes that are in no unit of their own."""
        known = self._known() if self._supervisor.runs() else []
        pids = [process.pid for process in known if process.pid]
        return {*self._processes(), *pids, *(each for pid in pids for each in host_processes.descendants_of(pid))}

    def _known(self) -> list[ProgramProcess]:
        """What supervisor knows of the service and its companions."""
        groups = (self._supervisor.group(companion_programs.name_of(self._service, each)) for each in self._companions)
        return [self._supervisor.process(self._service), *(each for group in groups for each in group.values())]

    def read(self) -> Found:
        """Look what there is; raises InvalidValue if the role did not make it."""
        answers = self._supervisor.runs()
        process = self._supervisor.process(self._service) if answers else ProgramProcess()
        self._check_ours(process)
        processes = self._processes()
        if not answers and any(_is_child_of_supervisor(pid) for pid in processes):
            socket = self._supervisor.access.socket
            raise SupervisorError(f"supervisor runs {self._service}, and does not answer on {socket}")
        description = files.read(self._description)
        foreign = [self._launcher] if manager.is_foreign(self._launcher) else []
        if description is not None and not launcher.describes(description, self._service):
            foreign.append(self._description)
        return Found(
            stop=(
                *([f"program {self._service}"] if process.state or processes else []),
                *(f"program {companion_programs.name_of(self._service, each)}" for each in self._companions),
            ),
            disable=(),
            addresses=launcher.unix_sockets(description),
            active=process.is_up,
            files=tuple(
                path for path in (self._launcher, self._description, *self._descriptions) if path not in foreign
            ),
            definitions=tuple(self._definitions()),
            foreign=tuple(foreign),
        )

    def stop(self, found: Found) -> None:
        """Stop the programs, and have supervisor forget them; raises RemovalError."""
        if not found.stop:
            return
        if self._supervisor.runs():
            try:
                names = [companion_programs.name_of(self._service, each) for each in self._companions]
                # All at once: each may have a task to finish.
                for name in names:
                    self._supervisor.stop_group(name, wait=False)
                self._supervisor.remove(self._service)
                for name in names:
                    self._supervisor.stop_group(name)
                    self._supervisor.remove(name)
            except SupervisorError as error:
                raise RemovalError(str(error)) from None
        self._end_processes()

    def forget(self, found: Found, removed: tuple[str, ...]) -> None:
        """Have supervisor read its files; otherwise it would offer the program until its next reading."""
        # The program is gone already, so it does not matter here if supervisor can't read another program's file.
        with contextlib.suppress(SupervisorError):
            if set(self.replaced) & set(removed):
                self._supervisor.reread()

    def _check_ours(self, process: ProgramProcess) -> None:
        if manager.is_foreign(self._program):
            raise manager.refusal(self._service, self._program)
        for path, text in configuration.read_files().items():
            if path != self._program and programs.has_program(self._service, text):
                raise manager.refusal(self._service, f"the program in {path}")
        gone = not os.path.lexists(self._program)
        if gone and process.is_up and not running.read(self._service, process.pid).configuration:
            raise manager.refusal(self._service, f"what supervisor runs as {self._service}")

    def _processes(self) -> list[int]:
        """The processes of the service and of a trial. They can outlive supervisor and a run of the role."""
        names = (self._service, *launcher.others(self._service), *self._instances())
        noted = {(files.read(launcher.group_note(name)) or "").strip() for name in names}
        directories = {launcher.runtime_directory(name) for name in names}
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(ProcessLookupError):
                # The number alone does not tell: by now it may be the number of another process group.
                environment = host_processes.read_environment(pid) if str(os.getpgid(pid)) in noted else {}
                if environment.get("RUNTIME_DIRECTORY") in directories:
                    found.append(pid)
        return found

    def _instances(self) -> list[str]:
        """The names under which the launcher has started processes of companions."""
        return [name for each in self._companions for name in companion_programs.started_names(self._service, each)]

    def _end_processes(self) -> None:
        for number, patience in ((signal.SIGTERM, _STOP_TIMEOUT), (signal.SIGKILL, _KILL_TIMEOUT)):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + patience
            while self._processes() and time.monotonic() < deadline:
                time.sleep(0.1)
        if self._processes():
            raise RemovalError(f"processes of {self._service} do not end")

    def _definitions(self) -> list[str]:
        name = self._service
        return [
            *(path for each in (name, *launcher.others(name)) for path in launcher.runtime_paths(each)),
            *(path for each in self._companions for path in companion_programs.runtime_paths(name, each)),
            launcher.folder_of_step(name),
            launcher.trial_socket(name),
            marks.refused(name),
            marks.untried(name),
            *manager.left_beside(self.replaced),
            launcher.journal_of(name),
            # The programs' own files last of all: supervisor would start the programs as long as they are there.
            *reversed(self.replaced),
        ]


def _companions(service: str, config_directory: str) -> list[str]:
    """The names of the companions that have a program, or had one and still have a description."""
    found = set(companion_programs.read(service, config_directory, None))
    for name in companion_programs.described(config_directory):
        description = files.read(companion_programs.description_of(config_directory, name)) or ""
        program = companion_programs.name_of(service, name)
        # Somebody else may have made a program of that name since.
        taken = any(programs.has_program(program, text) for text in configuration.read_files().values())
        if launcher.describes(description, program) and not taken:
            found.add(name)
    return sorted(found)


def _is_child_of_supervisor(pid: int) -> bool:
    return (files.read(f"/proc/{host_processes.parent_of(pid)}/comm") or "").strip() == "supervisord"
