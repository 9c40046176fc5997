# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of supervisor that is to go, with what the role made to start it."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes as host_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import (
    Found,
    RemovalError,
    RemovalPlan,
    aside,
    is_other,
    refusal,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher, running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client, configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError

# Seconds in which what nobody ended may finish its requests, and in which it has to be gone once it is killed
_STOP_TIMEOUT, _KILL_TIMEOUT = 40.0, 5.0


class Program:
    """What supervisor has of one service, whether it runs or not."""

    def __init__(self, service: str, config_directory: str) -> None:
        programs.check_service_name(service)
        self.service = service
        self.supervisor = client.this_supervisor()
        self.replaced = (os.path.join(programs.PROGRAMS, f"{service}.conf"),)
        self.log_directory = os.path.join(programs.LOGS, service)
        self.launcher = os.path.join(config_directory, launcher.LAUNCHER)
        self.description = os.path.join(config_directory, launcher.DESCRIPTION)

    def read(self) -> Found:
        """Look what there is; raises InvalidValue where it is not the role's."""
        answers = self.supervisor.runs()
        process = self.supervisor.process(self.service) if answers else ProgramProcess()
        self._check_ours(process)
        processes = self._processes()
        if not answers and any(_is_supervisors(pid) for pid in processes):
            text = f"supervisor runs {self.service}, and does not answer on {self.supervisor.access.socket}"
            raise SupervisorError(text)
        description = files.read(self.description)
        foreign = [self.launcher] if is_other(self.launcher) else []
        if description is not None and not launcher.describes(description, self.service):
            foreign.append(self.description)
        return Found(
            stop=(f"program {self.service}",) if process.state or processes else (),
            disable=(),
            addresses=launcher.unix_sockets(description),
            active=process.is_up,
            files=tuple(path for path in (self.launcher, self.description) if path not in foreign),
            definitions=tuple(self._files()),
            foreign=tuple(foreign),
        )

    def stop(self, plan: RemovalPlan) -> None:
        """End the program, and have supervisor forget it; raises RemovalError."""
        if not plan.stop:
            return
        if self.supervisor.runs():
            try:
                self.supervisor.remove(self.service)
            except SupervisorError as error:
                raise RemovalError(str(error)) from None
        self._end_processes()

    def forget(self, plan: RemovalPlan) -> None:
        """Have supervisor read its files, or it would offer the program until somebody else has it do so."""
        # It has not got the program any more: that it can't read another's file is not this project's concern.
        with contextlib.suppress(SupervisorError):
            if self.replaced[0] in plan.paths:
                self.supervisor.reread()

    def _check_ours(self, process: ProgramProcess) -> None:
        (own,) = self.replaced
        if is_other(own):
            raise refusal(self.service, own)
        for path, text in configuration.read_files().items():
            if path != own and programs.has_program(self.service, text):
                raise refusal(self.service, f"the program in {path}")
        gone = not os.path.lexists(own)
        if gone and process.is_up and not running.read(self.service, process.pid).configuration:
            raise refusal(self.service, f"what supervisor runs as {self.service}")

    def _processes(self) -> list[int]:
        """The service's and a trial's, which outlive a supervisor, or a run of the role, that was killed."""
        names = (self.service, launcher.standin(self.service))
        noted = {(files.read(launcher.group_note(name)) or "").strip() for name in names}
        directories = {launcher.runtime_directory(name) for name in names}
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(ProcessLookupError):
                # The number alone may be another group's by now.
                environment = host_processes.read_environment(pid) if str(os.getpgid(pid)) in noted else {}
                if environment.get("RUNTIME_DIRECTORY") in directories:
                    found.append(pid)
        return found

    def _end_processes(self) -> None:
        for number, patience in ((signal.SIGTERM, _STOP_TIMEOUT), (signal.SIGKILL, _KILL_TIMEOUT)):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + patience
            while self._processes() and time.monotonic() < deadline:
                time.sleep(0.1)
        if self._processes():
            raise RemovalError(f"processes of {self.service} do not end")

    def _files(self) -> list[str]:
        name = self.service
        trial = launcher.standin(name)
        run = [*launcher.runtime_paths(name), *launcher.runtime_paths(trial), launcher.trial_socket(name)]
        # The program's own file last of all, since supervisor would start it as long as that is there.
        return [*run, *aside(self.replaced), launcher.journal_of(name), *self.replaced]


def _is_supervisors(pid: int) -> bool:
    return (files.read(f"/proc/{host_processes.parent_of(pid)}/comm") or "").strip() == "supervisord"
