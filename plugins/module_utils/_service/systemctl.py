# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemctl, for the steps of a change."""

from __future__ import annotations

import re
from typing import Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox_trial, units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit


class NotStarted(Failed):
    """systemd could not start a service, whose process ended with this status."""

    def __init__(self, said: str, status: int) -> None:
        name, meaning = sandbox_trial.STEPS.get(status, ("", ""))
        self.status = status
        self.step = f"{status}/{name}: {meaning}" if name else ""
        super().__init__(f"{said}. It failed at {self.step}" if self.step else said)


_STATUSES = {"oom-kill": "it was ended since the memory was used up", "timeout": "it did not end in time"}
# Values of ExecMainCode=, see siginfo_t
_BY_SIGNAL = ("2", "3")
# Properties with the commands that systemd runs beside the main process, and how they have ended
_BESIDE = ("ExecStartPre", "ExecStartPost")
# What `ended` is told
ENDED = ("Result", "ExecMainStatus", "ExecMainCode")


def ended(shown: Mapping[str, list[str]]) -> str:
    """How a unit's main process has ended, by what show_units said of ENDED; empty if that is not known."""
    result, status, code = (shown.get(name, [""])[0] for name in ENDED)
    if result in _STATUSES:
        return _STATUSES[result]
    if code in _BY_SIGNAL:
        return f"it was ended by signal {status}"
    step = sandbox_trial.STEPS.get(int(status or 0))
    if step:
        return f"systemd could not start it: {status}/{step[0]}: {step[1]}"
    return f"it ended with status {status}" if code == "1" else ""


def _status(shown: Mapping[str, list[str]]) -> int:
    """With which status a start has failed: the main process's, or one of systemd's steps for a command beside it."""
    status = int(shown.get("ExecMainStatus", ["0"])[0] or 0)
    if status in sandbox_trial.STEPS:
        return status
    beside = " ".join(value for name in _BESIDE for value in shown.get(name, ()))
    found = (int(each) for each in re.findall(r" code=exited ; status=(\d+)", beside))
    return next((each for each in found if each in sandbox_trial.STEPS), status)


class Systemctl:
    """Asks systemd to start, stop and reload units."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def do(self, *arguments: str) -> None:
        """Run systemctl; raises Failed with the first line that it says."""
        code, output, errors = self._runner.run(["systemctl", *arguments])
        if code:
            # Its point would be followed by another one.
            said = " ".join((errors or output).split("\n")[0].split()).rstrip(".")
            raise Failed(said or f"systemctl {' '.join(arguments)} failed")

    def start(self, action: str, service: str) -> None:
        """Start or restart a service; raises NotStarted with the step that failed, if it is one of systemd's own."""
        try:
            self.do(action, service)
        except Failed as failure:
            (shown,) = units.show_units([service], ("ExecMainStatus", *_BESIDE), self._runner)
            raise NotStarted(str(failure), _status(shown)) from None

    def attempt(self, *arguments: str) -> bool:
        """Run systemctl where the change goes on even if it fails; return whether it succeeded."""
        return self._runner.run(["systemctl", *arguments])[0] == 0

    def read(self, unit: str) -> Unit:
        """Ask for the state of a unit."""
        return self.read_all(unit)[0]

    def read_all(self, *names: str) -> list[Unit]:
        """Ask for the states of units at once, in the order asked."""
        return list(units.read_units(list(names), self._runner).values())
