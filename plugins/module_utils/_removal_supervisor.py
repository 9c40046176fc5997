# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of supervisor that is to go, with what the role made to start it."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from ansible_collections.pyweb.gunicorn.plugins.module_utils import (
    _files,
    _hoststate,
    _manager,
    _running,
    _supervised,
    _supervisor,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import (
    Found,
    Plan,
    RemovalError,
    aside,
    is_other,
    refusal,
)

# Seconds in which what nobody ended may finish its requests, and in which it has to be gone once it is killed
_STOP_TIMEOUT, _KILL_TIMEOUT = 40.0, 5.0


class Program:
    """What supervisor has of one service, whether it runs or not."""

    def __init__(self, service: str, config_directory: str) -> None:
        _manager.check_supervised(service, {})
        self.service = service
        self.supervisor = _supervisor.this_supervisor()
        self.replaced = (os.path.join(_supervisor.PROGRAMS, f"{service}.conf"),)
        self.log_directory = os.path.join(_supervisor.LOGS, service)
        self.launcher = os.path.join(config_directory, _supervised.LAUNCHER)
        self.description = os.path.join(config_directory, _supervised.DESCRIPTION)

    def read(self) -> Found:
        """Look what there is; raises InvalidValue where it is not the role's."""
        answers = self.supervisor.runs()
        process = self.supervisor.process(self.service) if answers else _supervisor.Process()
        self._check_ours(process)
        processes = self._processes()
        if not answers and any(_is_supervisors(pid) for pid in processes):
            text = f"supervisor runs {self.service}, and does not answer on {self.supervisor.access.socket}"
            raise _supervisor.SupervisorError(text)
        description = _files.read(self.description)
        foreign = [self.launcher] if is_other(self.launcher) else []
        if description is not None and not _supervised.describes(description, self.service):
            foreign.append(self.description)
        return Found(
            stop=(f"program {self.service}",) if process.state or processes else (),
            disable=(),
            addresses=_supervised.unix_sockets(description),
            active=process.is_up,
            files=tuple(path for path in (self.launcher, self.description) if path not in foreign),
            definitions=tuple(self._files()),
            foreign=tuple(foreign),
        )

    def stop(self, plan: Plan) -> None:
        """End the program, and have supervisor forget it; raises RemovalError."""
        if not plan.stop:
            return
        if self.supervisor.runs():
            try:
                self.supervisor.remove(self.service)
            except _supervisor.SupervisorError as error:
                raise RemovalError(str(error)) from None
        self._end_processes()

    def forget(self, plan: Plan) -> None:
        """Have supervisor read its files, or it would offer the program until somebody else has it do so."""
        # It has not got the program any more: that it can't read another's file is not this project's concern.
        with contextlib.suppress(_supervisor.SupervisorError):
            if self.replaced[0] in plan.paths:
                self.supervisor.reread()

    def _check_ours(self, process: _supervisor.Process) -> None:
        (own,) = self.replaced
        if is_other(own):
            raise refusal(self.service, own)
        for path, text in _supervisor.read_files().items():
            if path != own and _supervisor.has_program(self.service, text):
                raise refusal(self.service, f"the program in {path}")
        gone = not os.path.lexists(own)
        if gone and process.is_up and not _running.read(self.service, process.pid).configuration:
            raise refusal(self.service, f"what supervisor runs as {self.service}")

    def _processes(self) -> list[int]:
        """The service's and a trial's, which outlive a supervisor, or a run of the role, that was killed."""
        names = (self.service, _supervised.standin(self.service))
        noted = {(_files.read(_supervised.group_note(name)) or "").strip() for name in names}
        directories = {_supervised.runtime_directory(name) for name in names}
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(ProcessLookupError):
                # The number alone may be another group's by now.
                environment = _hoststate.read_environment(pid) if str(os.getpgid(pid)) in noted else {}
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
        trial = _supervised.standin(name)
        run = [*_supervised.runtime_paths(name), *_supervised.runtime_paths(trial), _supervised.trial_socket(name)]
        # The program's own file last of all, since supervisor would start it as long as that is there.
        return [*run, *aside(self.replaced), _supervised.journal_of(name), *self.replaced]


def _is_supervisors(pid: int) -> bool:
    return (_files.read(f"/proc/{_hoststate.parent_of(pid)}/comm") or "").strip() == "supervisord"
