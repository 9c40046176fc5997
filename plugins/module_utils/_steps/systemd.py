# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a step under systemd: a unit in /run with the sandbox of the service, of which no process is left at its end."""

from __future__ import annotations

import os
import shutil
import time
from typing import Callable, Iterable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import NotStarted, Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import unit as step_unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.output import Output
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import (
    drop_ins,
    runtime_units,
    sandbox,
    sandbox_trial,
    units,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

# systemd takes drop-ins in the order of their names: this one must have the last word.
_DROP_IN = "~gunicorn-step.conf"
# Values of ExecMainCode=, see siginfo_t
_BY_SIGNAL = ("2", "3")
_STATUSES = {"timeout": "it did not end within {timeout} s", "oom-kill": "it was ended since the memory was used up"}


class SystemdSteps:
    """Runs steps of one service, one after the other."""

    def __init__(
        self, name: str, base: str, optional: Iterable[str], left_out: LeftOut, runner: Runner, tell: Callable
    ) -> None:
        """`base` is what the steps have of the unit of the service; `optional` are directives that may have to go."""
        self.left_out = left_out
        self._fifo = os.path.join(launcher.folder_of_step(name), "output")
        self.unit = f"{launcher.step(name)}.service"
        self._service = f"{name}.service"
        self._runtime_directory = f"gunicorn/{launcher.step(name)}"
        self._base = base
        self._optional = tuple(optional)
        self._runner = runner
        self._systemctl = Systemctl(runner)
        self._tell = tell

    def resume(self) -> dict[str, str]:
        """Wait for the step of a run that was killed; return its note if it succeeded, or nothing."""
        note = step_unit.note_of(files.read(runtime_units.path_of(f"{self.unit}.d/{_DROP_IN}")))
        # systemd ends it in time.
        while self._systemctl.read(self.unit).starting:
            time.sleep(0.2)
        return note if self._systemctl.read(self.unit).active else {}

    def run(self, step: Execution) -> None:
        """Run a step to its end; raises StepFailed. What it leaves goes on until `end`."""
        output = Output(self._fifo)
        try:
            self._start(step_unit.own(step, self._runtime_directory, self._fifo))
        except NotStarted as failure:
            how = self._how(failure, step.timeout)
            self.end()
            said = output.end()
            if not self._leave_out_what_is_unfit(failure):
                raise StepFailed(how, said) from None
            self.run(step)
        else:
            # What the step has left goes on to write, and is not read any more.
            output.leave()

    def end(self) -> None:
        """End all that a step has left, and forget it."""
        self._systemctl.attempt("stop", self.unit)
        self._systemctl.attempt("reset-failed", self.unit)
        files.remove(runtime_units.path_of(self.unit))
        shutil.rmtree(runtime_units.path_of(f"{self.unit}.d"), ignore_errors=True)

    def _start(self, own: str) -> None:
        runtime_units.write(self.unit, sandbox.without(self._base, self.left_out))
        drop_ins.copy(self._service, self.unit)
        runtime_units.write(f"{self.unit}.d/{_DROP_IN}", own)
        # What systemd still knows of the last step, if anything
        (shown,) = units.show_units([self.unit], ("NeedDaemonReload",), self._runner)
        if shown.get("NeedDaemonReload") == ["yes"]:
            self._systemctl.do("daemon-reload")
        self._systemctl.start("start", self.unit)

    def _leave_out_what_is_unfit(self, failure: NotStarted) -> bool:
        """Do without directives that this host can't apply; return whether there are any."""
        unfit = []
        if sandbox_trial.is_of_sandbox(failure.status):
            unfit = sandbox_trial.unfit(sandbox.without(self._base, self.left_out), self._optional, self._runner)
        if unfit:
            self.left_out = LeftOut((*self.left_out.directives, *unfit), sandbox.conditions())
            self._tell(
                f"This host can't apply {', '.join(unfit)}: the steps of {self._service} do without. With the whole "
                f"sandbox, one failed at {failure.step}."
            )
        return bool(unfit)

    def _how(self, failure: NotStarted, timeout: int) -> str:
        """How a step has ended."""
        asked = ("Result", "ExecMainStatus", "ExecMainCode")
        (shown,) = units.show_units([self.unit], asked, self._runner)
        result, status, code = (shown.get(name, [""])[0] for name in asked)
        if failure.step:
            return f"systemd could not start it: {failure.step}"
        if result in _STATUSES:
            return _STATUSES[result].format(timeout=timeout)
        if result == "exit-code":
            return f"it ended with status {status}"
        return f"it was ended by signal {status}" if code in _BY_SIGNAL else str(failure)
