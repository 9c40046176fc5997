# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a service under supervisor to what is wanted, and back if it does not work.

The new configuration is tried first: it starts on a socket of its own, as the service's user, beside the live service.
Only once its workers have answered the application's own request do files change and does the live service restart.
Nothing holds its sockets meanwhile: from its end to its next start, connections are refused.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from typing import IO, Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files, journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.change import Change
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.companion_programs import CompanionPrograms
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.service_log import ConsoleLog
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.directories import UnsafeDirectory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison, running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher as service_launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import supervisor as service_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import LONGEST, Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.launcher import CONSOLE, PYTHON
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import locked
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import SupervisorSpec, SupervisorState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import Supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

# Seconds in which all workers have to load the application
START_TIMEOUT = 120.0
_SUPERVISOR_TIMEOUT = 20.0


def deploy(wanted: SupervisorSpec, runner: Runner, settled: Callable[[ServiceSpec], None] | None = None) -> Decision:
    """Do what there is to do; raises DeployError. `settled` is as for a service under systemd."""
    with locked(wanted.name, wanted.venv):
        supervisor = client.this_supervisor()
        observed = service_supervisor.observe(wanted, supervisor)
        decision = service_supervisor.decide(wanted, observed)
        if decision.reasons:
            change = SupervisorChange(wanted, observed, supervisor, runner)
            change.settled = settled or change.settled
            change.carry_out(decision)
        return decision


class SupervisorChange(Change):
    """One change of one service under supervisor, and the way back."""

    FAILURES = (Failed, OSError, SupervisorError)
    DEFINITION = "program"

    def __init__(self, wanted: SupervisorSpec, before: SupervisorState, supervisor: Supervisor, runner: Runner) -> None:
        journal = service_launcher.journal_of(wanted.name)
        super().__init__(wanted, journal, before.venv_directory, before.interrupted, runner)
        self.wanted: SupervisorSpec = wanted
        self.before = before
        self.supervisor = supervisor
        self.console = os.path.join(programs.LOGS, wanted.name, CONSOLE)
        self.printed = ConsoleLog(self.console)
        self.trial_output = ""
        self.companions = CompanionPrograms(wanted, before, supervisor, runner)

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, with the programs of the companions."""
        return [*self.wanted.files, *self.companions.files]

    def _runs(self) -> bool:
        return self.before.running is not None

    def _exists(self) -> bool:
        return bool(self.before.process.state)

    def _settle(self) -> None:
        """Put files in place, and stop what must not run."""
        if self.wanted.companions_started and self.companions.todo:
            self._have_supervisor()
        self._stage()
        if self.before.process.state and not self.wanted.started:
            self.supervisor.stop(self.wanted.name)
        self._promote_files()
        if self.wanted.started and self.before.lost_logs:
            self.supervisor.signal(self.wanted.name, "USR1")
            self._wait_until_without(lambda _deadline: self._lost_logs())
        self._settle_companions()
        self._finish()

    def _lost_logs(self) -> list[str]:
        process = self.supervisor.process(self.wanted.name)
        return comparison.logs_to_reopen(running.lost_logs(process.pid, self.wanted.log_files))

    def _begin(self) -> None:
        self._have_supervisor()
        super()._begin()

    def _start(self) -> None:
        self._restart()

    def _replace(self) -> None:
        self._promote_files()
        self._restart()

    def _run_trial(self) -> None:
        """Start what is new on a socket of its own, wait for its workers, and end it."""
        with tempfile.TemporaryFile() as output:
            try:
                self._try_with_output(output)
            finally:
                output.seek(max(0, output.seek(0, os.SEEK_END) - LONGEST))
                self.trial_output = output.read().decode(errors="replace")

    def _have_supervisor(self) -> None:
        """Start supervisor if it does not run: an administrator may have stopped it. Raises Failed."""
        if self.supervisor.runs():
            return
        code, output, errors = self.runner.run(["service", "supervisor", "start"])
        deadline = time.monotonic() + _SUPERVISOR_TIMEOUT
        while not self.supervisor.runs():
            if time.monotonic() > deadline:
                said = " ".join((errors or output).split()) or f"service supervisor start ended with {code}"
                raise Failed(f"supervisor does not run, and can't be started: {said}")
            time.sleep(0.1)

    def _try_with_output(self, output: IO[bytes]) -> None:
        ready = os.path.join(service_launcher.runtime_directory(service_launcher.standin(self.wanted.name)), "ready")
        _remove_trial(self.wanted.name)
        launcher = files.beside(self.wanted.launcher.path, files.CANDIDATE)
        # If this module is killed, nobody else ends the trial.
        guard = ["timeout", "--kill-after=10", f"{START_TIMEOUT + self.wanted.stop_timeout:.0f}"]
        command = [*guard, PYTHON, "-I", "-X", "utf8", launcher, "/dev/stdin", self.wanted.configuration_hash]
        trial = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, cwd="/", start_new_session=True
        )
        try:
            with contextlib.suppress(BrokenPipeError), trial.stdin:  # type: ignore[union-attr]
                trial.stdin.write(self.wanted.trial.encode())  # type: ignore[union-attr]
            deadline = time.monotonic() + START_TIMEOUT
            while not os.path.exists(ready):
                if trial.poll() is not None:
                    raise Failed("it ended while it started")
                if time.monotonic() > deadline:
                    raise Failed(f"its workers did not start within {START_TIMEOUT:.0f} s")
                time.sleep(0.1)
        finally:
            trial.terminate()
            try:
                trial.wait(self.wanted.stop_timeout)
            except subprocess.TimeoutExpired:
                os.killpg(trial.pid, signal.SIGKILL)
                trial.wait()
            _remove_trial(self.wanted.name)

    def _restart(self) -> None:
        """Let supervisor start what is live now, and wait until all workers have loaded the application."""
        name = self.wanted.name
        if not self.supervisor.load(name):
            self.supervisor.stop(name)
        self.supervisor.start(name)
        self._wait_for_workers()

    def _wait_for_workers(self) -> None:
        ready = os.path.join(service_launcher.runtime_directory(self.wanted.name), "ready")
        deadline = time.monotonic() + START_TIMEOUT
        first = 0
        while True:
            process = self.supervisor.process(self.wanted.name)
            first = first or process.pid
            # Supervisor may have started another process meanwhile.
            if not process.is_up or process.pid != first:
                raise Failed(f"the service ended while it started ({process.description or process.state})")
            if running.read(self.wanted.name, process.pid).argv and os.path.exists(ready):
                return
            if time.monotonic() > deadline:
                raise Failed(f"its workers did not start within {START_TIMEOUT:.0f} s")
            time.sleep(0.1)

    def _differences(self) -> list[str]:
        process = self.supervisor.process(self.wanted.name)
        if not process.is_up:
            return ["the service does not stay up"]
        return comparison.mismatches(self.wanted, running.read(self.wanted.name, process.pid))

    def _finish(self) -> None:
        """The service works: forget the way back, and remove unix sockets that nobody opens any more."""
        kept = {bind.path for bind in self.wanted.binds}
        for path in set(self.before.addresses) - kept:
            if not sockets.is_open(Address(path=path)):
                directories.remove_socket(path)
        for file in self.wanted.files_of_success:
            files.put(file)
        self._forget_way_back()
        self.companions.clear()

    def _bring_companions(self) -> None:
        if self.wanted.companions_started:
            self.companions.bring()
        else:
            self.companions.stop()

    def _go_back(self) -> bool:
        """Put back what was there, and run it if it ran; return whether what ran runs again."""
        name, before = self.wanted.name, self.before
        self.companions.withdraw()
        self._put_back()
        try:
            loaded = self.supervisor.load(name)
            if before.running:
                if not loaded:
                    self.supervisor.stop(name)
                self.supervisor.start(name)
                # A service that was made by hand does not say when its workers are ready.
                if before.running.argv:
                    self._wait_for_workers()
            elif before.process.state and before.process.state != "BACKOFF":
                self.supervisor.stop(name)
            works = True
        except (Failed, SupervisorError):
            works = False
        self.companions.restore()
        journal.commit(self.journal)
        return works

    def _error(self, what: str, failure: Exception, now: str, said: dict[str, str]) -> DeployError:
        lost = self.companions.lost
        if lost:
            now += f". But {' and '.join(lost)}, which ran before, did not come up again in time"
        return super()._error(what, failure, now, said)

    def _what_was_said(self) -> dict[str, str]:
        """What the service wrote to its log and printed since the change began, by its source."""
        return {
            f"The end of {self.wanted.log_file}": self.log.new_text(),
            f"The end of {self.console}": self.printed.new_text(),
        }

    def _what_the_trial_said(self) -> dict[str, str]:
        """What the trial wrote to the log and printed, by its source."""
        return {f"The end of {self.wanted.log_file}": self.log.new_text(), "What it printed": self.trial_output}


def _remove_trial(name: str) -> None:
    """Leave nothing of a trial."""
    for path in (*service_launcher.runtime_paths(service_launcher.standin(name)), service_launcher.trial_socket(name)):
        with contextlib.suppress(OSError, UnsafeDirectory):
            directories.remove(path)
