# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the companions of a service under supervisor to what is wanted, and back if one does not work.

The old processes of a companion end before its new ones start: supervisor has one program of a name.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.service_log import ConsoleLog, ServiceLog
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.directories import UnsafeDirectory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import supervisor as service_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_programs import (
    ABSENT,
    CompanionProgram,
    ProgramState,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import CompanionFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import SupervisorSpec, SupervisorState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import companion_check
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import Supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError

_PAUSE = 0.2  # seconds between two looks
# Seconds that supervisor may take beyond start_seconds to call a process RUNNING
_LATE = 10.0
_KILL_TIMEOUT = 5.0


class Todo(NamedTuple):
    """What a change has to do for one companion."""

    wanted: CompanionProgram
    anew: bool  # whether it needs new processes
    before: ProgramState


class CompanionPrograms:
    """The companions of one service in one change."""

    def __init__(self, wanted: SupervisorSpec, before: SupervisorState, supervisor: Supervisor, runner: Runner) -> None:
        self._wanted = wanted
        self._before = before
        self._supervisor = supervisor
        problems = service_supervisor.companion_problems(wanted, before)
        # Nobody has seen how those of a killed run went on.
        self.todo = [
            self._plan(each, problems[each.companion.name])
            for each in wanted.companion_programs
            if problems[each.companion.name] or before.interrupted
        ]
        self._gone = [name for name in before.companions if name not in problems]
        self.lost: list[str] = []  # what ran before, and did not come up again on the way back
        self._logs = {
            each.wanted.companion.name: ServiceLog(each.wanted.companion.log_file, wanted.user, wanted.group, runner)
            for each in self.todo
        }
        self._consoles = {
            path: ConsoleLog(path) for each in self.todo for path in map(self._console(each), each.wanted.numbers)
        }

    def _plan(self, wanted: CompanionProgram, problems: list[str]) -> Todo:
        before = self._before.companions.get(wanted.companion.name, ABSENT)
        # What starts with supervisor itself is not always what is wanted.
        return Todo(wanted, bool(companion_programs.ANEW & set(problems)) or not before.active, before)

    @property
    def files(self) -> list[WantedFile]:
        """What is put in place together with the files of the service."""
        return [file for each in self.todo for file in each.wanted.files]

    def _name(self, each: Todo) -> str:
        return self._program(each.wanted.companion.name)

    def _program(self, name: str) -> str:
        return companion_programs.name_of(self._wanted.name, name)

    def _console(self, each: Todo) -> functools.partial:
        return functools.partial(companion_programs.console_of, self._wanted.name, each.wanted.companion.name)

    # Forward

    def bring(self) -> None:
        """Start what must run, once the old processes have ended, and wait until it works; raises CompanionFailed."""
        for each in self.todo:
            with self._failing(each):
                self._ask_to_end([each.wanted.companion.name] if each.anew else ())
        for each in self.todo:
            with self._failing(each):
                self._start(each)
        for each in self.todo:
            with self._failing(each):
                self._watch(each)
        for each in self.todo:
            self._check(each)

    @contextlib.contextmanager
    def _failing(self, each: Todo) -> Iterator[None]:
        try:
            yield
        except SupervisorError as error:
            raise self._failed(each, str(error)) from None

    def _start(self, each: Todo) -> None:
        if each.anew:
            self._end(each.wanted.companion.name)
        self._supervisor.load(self._name(each))
        self._supervisor.start_group(self._name(each))

    def _watch(self, each: Todo) -> None:
        """Wait until all processes have been up for so long as their companion asks for."""
        deadline = time.monotonic() + each.wanted.companion.start_seconds + _LATE
        first: dict[str, int] = {}
        while True:
            known = self._supervisor.group(self._name(each))
            running = 0
            for number in each.wanted.numbers:
                process = known.get(number)
                if process is None or not process.is_up or first.setdefault(number, process.pid) != process.pid:
                    how = process.description or process.state if process and not process.is_up else ""
                    raise self._failed(each, f"it does not come up: {how or 'it does not stay up'}", number)
                running += process.state == "RUNNING"
            if running == len(each.wanted.numbers):
                return
            if time.monotonic() > deadline:
                raise self._failed(each, "it does not come up in time")
            time.sleep(_PAUSE)

    def _check(self, each: Todo) -> None:
        """Have the companion's own check succeed."""
        checked = each.wanted.companion
        for number in each.wanted.numbers if checked.check else ():
            attempt = functools.partial(companion_check.run_supervised, self._wanted, checked, number)
            try:
                companion_check.persist(checked, attempt)
            except StepFailed as failure:
                said = {f"What its check {' '.join(checked.check)} said": failure.said}
                failed = self._failed(each, f"its check failed: {failure}", number, said)
                failed.checked = True
                raise failed from None
            if companion.INSTANCE not in " ".join(checked.check):
                return

    def _failed(
        self, each: Todo, reason: str, number: str = "1", said: dict[str, str] | None = None
    ) -> CompanionFailed:
        name = each.wanted.companion.name
        found = dict(said or {})
        found[f"The end of {each.wanted.companion.log_file}"] = self._logs[name].new_text()
        console = self._console(each)(number)
        found[f"The end of {console}"] = self._consoles[console].new_text()
        return CompanionFailed(name, reason, found)

    # What ran before

    def stop(self) -> None:
        """Stop all companions, and wait for their end; raises SupervisorError."""
        active = [name for name, each in self._before.companions.items() if each.active]
        self._ask_to_end(active)
        for name in active:
            self._end(name)

    def clear(self) -> None:
        """Stop and remove the companions that are not wanted any more; raises SupervisorError."""
        runs = self._supervisor.runs() if self._gone else False
        if runs:
            self._ask_to_end(self._gone)
        for name in self._gone:
            self._end(name, runs)
            if runs:
                self._supervisor.remove(self._program(name))
            # The program last: as long as it is there, a run that was killed shows what is left to do.
            for path in self._before.companions[name].paths:
                files.remove(path)
        if runs:
            self._supervisor.reread()

    def _ask_to_end(self, names: Iterable[str]) -> None:
        """Ask the processes of companions to end, all at once: each may have a task to finish."""
        for name in names:
            self._supervisor.stop_group(self._program(name), wait=False)

    def _end(self, name: str, runs: bool = True) -> None:
        """Wait until the processes of a companion have ended, and leave nothing of them."""
        if runs:
            self._supervisor.stop_group(self._program(name))
        deadline = time.monotonic() + _KILL_TIMEOUT
        # What has outlived them, as systemd ends it
        while (left := companion_programs.left_running(self._wanted.name, name)) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        for path in companion_programs.runtime_paths(self._wanted.name, name):
            with contextlib.suppress(OSError, UnsafeDirectory):
                directories.remove(path)

    # Back

    def withdraw(self) -> None:
        """Ask what is new to end; to be called before the files of before are put back."""
        with contextlib.suppress(SupervisorError):
            self._ask_to_end(each.wanted.companion.name for each in self.todo if each.anew)

    def restore(self) -> None:
        """Have run again what ran before, and wait for it; to be called after the files of before were put back.

        `lost` has what did not come up.
        """
        started = []
        ended = [each.wanted.companion.name for each in self.todo if each.anew]
        names = [each.wanted.companion.name for each in self.todo]
        # What a killed run has begun, and this one does not want
        begun = self._gone if self._before.interrupted else []
        for name in [*names, *begun]:
            with contextlib.suppress(SupervisorError):
                program = self._program(name)
                there = os.path.lexists(companion_programs.path_of(self._wanted.name, name))
                if name in ended or not there:
                    self._end(name)
                self._supervisor.load(program)
                # A killed run may have ended what ran.
                if there and (self._before.companions.get(name, ABSENT).active or self._before.interrupted):
                    started.append(name)
                    self._supervisor.start_group(program)
                elif there:
                    self._supervisor.stop_group(program)
        self.lost = [name for name in started if not self._comes_up(name)]

    def _comes_up(self, name: str) -> bool:
        """Wait until supervisor calls all processes of a companion RUNNING; return whether it did in time."""
        text = files.read(companion_programs.path_of(self._wanted.name, name)) or ""
        deadline = time.monotonic() + companion_programs.start_seconds_of(text) + _LATE
        with contextlib.suppress(SupervisorError):
            while True:
                states = {each.state for each in self._supervisor.group(self._program(name)).values()}
                if states == {"RUNNING"}:
                    return True
                # From a BACKOFF, supervisor tries again.
                if not states or states - {"RUNNING", "STARTING", "BACKOFF"} or time.monotonic() > deadline:
                    return False
                time.sleep(_PAUSE)
        return False
