# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a service under supervisor to what is wanted, and back if it does not work.

What shall go live is tried first: it starts on a socket of its own, as the service's user, beside the live service.
Only once its workers have answered the application's own request do files change and does the live service restart.
Nobody holds its sockets meanwhile: from its end to its next start, connections are refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from typing import IO, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils import (
    _binds,
    _files,
    _health,
    _manager,
    _running,
    _sockets,
    _supervisor,
    _switch,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import (
    Change,
    DeployError,
    Failed,
    Run,
    locked,
    quoted,
    summary,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import Process, Supervisor, SupervisorError

PYTHON = "/usr/bin/python3"
LAUNCHER = "gunicorn.launch.py"
DESCRIPTION = "gunicorn.launch.json"
CONSOLE = "console.log"
# Seconds in which all workers have to load the application
START_TIMEOUT = 120.0
_SUPERVISOR_TIMEOUT = 20.0
# supervisor waits a second longer each time, and after so many gives up for good: that shall never be.
_RETRIES = 1_000_000


class Wanted(NamedTuple):
    """A service as it shall be."""

    name: str
    started: bool
    user: str
    group: str
    log_file: str
    configuration: _files.WantedFile
    launcher: _files.WantedFile
    description: _files.WantedFile
    program: _files.WantedFile
    logrotate: _files.WantedFile
    secret_files: tuple[_files.WantedFile, ...]
    trial: str
    binds: tuple[_binds.Bind, ...]
    argv: tuple[str, ...]
    workers: int
    venv: str
    venv_directory: str
    venv_backup: str
    gunicorn_version: str
    # Hashes of what the process is started with, and of its secrets alone.
    configuration_hash: str
    secrets_hash: str
    stop_timeout: int
    health: _health.Request
    health_timeout: float

    @property
    def files(self) -> list[_files.WantedFile]:
        """What is replaced together, the program last: it names the others."""
        return [self.configuration, *self.secret_files, self.launcher, self.description, self.program]

    @property
    def all_files(self) -> list[_files.WantedFile]:
        """What the host shall have; the rotation of the logs comes last, after a change that worked."""
        return [*self.files, self.logrotate]


class Observed(NamedTuple):
    """What a host has of it."""

    process: Process
    running: _running.Running | None
    differing: tuple[str, ...]  # paths of files that are not as wanted
    closed: tuple[str, ...]  # wanted addresses on which nothing listens
    addresses: tuple[str, ...]  # that the live description names
    venv_directory: str
    interrupted: bool


def describe_sockets(binds: list[_binds.Bind], directives: dict) -> list[dict]:
    """The addresses as the launcher opens them; the directives are those of a socket unit."""
    only_ipv6 = directives.get("BindIPv6Only") == "ipv6-only"
    who = {name: directives.get(f"Socket{name.capitalize()}") for name in ("user", "group", "mode")}
    return [
        {"path": bind.path, "owner": who["user"], "group": who["group"], "mode": who["mode"]}
        if bind.path
        else {"host": bind.host, "port": bind.port, "only_ipv6": only_ipv6 and ":" in (bind.host or "")}
        for bind in binds
    ]


def describe(name: str, given: dict, sockets: list[dict], credentials: list[str]) -> dict:
    """What the launcher is told of the live service."""
    folder = given["config_directory"]
    return {
        "user": given["user"],
        "group": given["group"],
        "directory": given["directory"],
        **_manager.process_of(given["service_directives"])._asdict(),
        "environment": given["environment"],
        "secrets_file": os.path.join(folder, "secrets.env") if given["secrets"] else "",
        "credentials": {each: os.path.join(folder, "credentials", each) for each in credentials},
        "command": given["command"],
        "sockets": sockets,
        **_places(name),
    }


def describe_trial(name: str, live: dict, command: list[str]) -> dict:
    """The same with the files beside the live ones, on a socket that root alone can open."""
    secrets = live["secrets_file"]
    return {
        **live,
        **_places(standin(name)),
        "sockets": [{"path": trial_socket(name), "owner": "root", "group": "root", "mode": "0600"}],
        "secrets_file": secrets and _files.beside(secrets, _files.CANDIDATE),
        "credentials": {
            each: _files.beside(path, _files.CANDIDATE) for each, path in live["credentials"].items()
        },
        "command": command,
    }  # fmt: skip


def standin(name: str) -> str:
    """The name that a trial goes by; no service can have it."""
    return f"{name}-standin"


def _places(name: str) -> dict[str, str]:
    return {"runtime_directory": f"/run/gunicorn/{name}", "state": f"/run/gunicorn-{name}"}


def runtime_paths(name: str) -> list[str]:
    """What the launcher makes in /run for a service, or for a trial by its name."""
    return [runtime_directory(name), f"{_places(name)['state']}.credentials", group_note(name)]


def runtime_directory(name: str) -> str:
    """What the environment of a service, or of a trial, has as RUNTIME_DIRECTORY."""
    return _places(name)["runtime_directory"]


def group_note(name: str) -> str:
    """Where the launcher notes the process group of what it started."""
    return f"{_places(name)['state']}.group"


def trial_socket(name: str) -> str:
    """Where a trial listens."""
    return f"/run/gunicorn-{standin(name)}.sock"


def program_options(name: str, folder: str, enabled: bool, stop_timeout: int, configuration: str) -> dict[str, str]:
    """The options of the service's program."""
    launcher, description = (os.path.join(folder, each) for each in (LAUNCHER, DESCRIPTION))
    command = [PYTHON, "-I", "-X", "utf8", launcher, description, configuration]
    return {
        "command": _supervisor.command_line(command),
        "autostart": str(enabled).lower(),
        "autorestart": "true",
        "startsecs": "1",
        "startretries": str(_RETRIES),
        # To the master alone, which lets its workers finish; what is left then is killed with all of them.
        "stopsignal": "TERM",
        "stopasgroup": "false",
        "stopwaitsecs": str(stop_timeout),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": os.path.join(_supervisor.LOGS, name, CONSOLE),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "3",
    }


def journal_of(name: str) -> str:
    """Where a change notes how to go back: beside the program, where nobody but root can write."""
    return os.path.join(_supervisor.PROGRAMS, f".{name}.gunicorn-switch.json")


def observe(wanted: Wanted, supervisor: Supervisor) -> Observed:
    """Read what the host has and runs."""
    process = supervisor.process(wanted.name) if supervisor.runs() else Process()
    running = _running.read_settled(wanted.name, process.pid) if process.is_up else None
    return Observed(
        process=process,
        running=running,
        differing=tuple(file.path for file in wanted.all_files if _files.differs(file)),
        closed=tuple(bind.listen_stream for bind in wanted.binds if not _sockets.is_open(bind)) if running else (),
        addresses=unix_sockets(_files.read(wanted.description.path)),
        venv_directory=os.path.realpath(wanted.venv),
        interrupted=os.path.lexists(journal_of(wanted.name)),
    )


def unix_sockets(description: str | None) -> tuple[str, ...]:
    """The paths of the unix sockets that a description names."""
    try:
        return tuple(each["path"] for each in json.loads(description or "{}").get("sockets", ()) if "path" in each)
    except (ValueError, AttributeError, TypeError):
        return ()


def describes(description: str, name: str) -> bool:
    """Whether a text is the description of this service."""
    try:
        return json.loads(description)["state"] == _places(name)["state"]
    except (ValueError, KeyError, TypeError):
        return False


def descriptions_in(text: str) -> list[str]:
    """The paths of the descriptions that programs of the role name in a file of supervisor."""
    commands = re.findall(r"^command=(.*)$", text.replace("%%", "%"), re.MULTILINE) if _switch.is_ours(text) else []
    words: list[str] = []
    for each in commands:
        # Supervisor does not take what can't be split, either.
        with contextlib.suppress(ValueError):
            words += shlex.split(each)
    return [word for word in words if os.path.basename(word) == DESCRIPTION]


def decide(wanted: Wanted, observed: Observed) -> _switch.Decision:
    """Compare what a host has and runs with what it shall."""
    idle = [_switch.unlike(path) for path in observed.differing if path == wanted.logrotate.path]
    reasons = [_switch.unlike(path) for path in observed.differing if path != wanted.logrotate.path]
    if observed.interrupted:
        reasons.append("the last change was interrupted")
    if wanted.venv_backup or observed.venv_directory != wanted.venv_directory:
        reasons.append("the virtual environment was changed")
    if not wanted.started:
        if observed.process.is_up or observed.process.state == "BACKOFF":
            reasons.append("the service runs and shall be stopped")
    elif observed.running is None:
        reasons.append("the service does not run")
    else:
        if observed.closed:
            reasons.append(f"nothing listens on {', '.join(observed.closed)}")
        reasons += _switch.mismatches(wanted, observed.running)
    return _switch.Decision(reasons + idle, switch=wanted.started and bool(reasons))


def deploy(wanted: Wanted, run: Run) -> _switch.Decision:
    """Do what there is to do; raises DeployError."""
    with locked(wanted.name):
        supervisor = _supervisor.this_supervisor()
        observed = observe(wanted, supervisor)
        decision = decide(wanted, observed)
        if decision.reasons:
            Deployment(wanted, observed, supervisor, run).carry_out(decision)
        return decision


class Deployment(Change):
    """One change of one service, and the way back."""

    def __init__(self, wanted: Wanted, observed: Observed, supervisor: Supervisor, run: Run) -> None:
        super().__init__(wanted, journal_of(wanted.name), observed.venv_directory, run)
        self.wanted: Wanted = wanted
        self.before = observed
        self.supervisor = supervisor
        self.console = os.path.join(_supervisor.LOGS, wanted.name, CONSOLE)
        self.console_size = os.path.getsize(self.console) if os.path.exists(self.console) else 0

    def carry_out(self, decision: _switch.Decision) -> None:
        """Switch, or do the little that needs no new process; raises DeployError."""
        try:
            if not decision.switch:
                self._settle()
            elif self.before.running:
                self._change()
            else:
                self._have_supervisor()
                self._begin()
        except (Failed, OSError, SupervisorError) as failure:
            raise DeployError(f"{self.wanted.name}: {failure}. The next run completes what is left to do.") from None

    # The three ways

    def _settle(self) -> None:
        """Nothing to start: put files in place, stop what shall not run."""
        if self.before.process.state and not self.wanted.started:
            self.supervisor.stop(self.wanted.name)
        self._stage()
        self._promote_files()
        self._finish()

    def _begin(self) -> None:
        """Start a service that does not run; if it does not work, all is as before."""
        self._stage()
        try:
            self._promote_files()
            self._restart()
            self._verify()
        except (Failed, OSError, SupervisorError) as failure:
            said = self._what_was_said()
            self._go_back()
            there = self.before.process.state
            left = "What was there before is there again" if there else "No program was left behind"
            text = f"{self.wanted.name} could not be started: {summary(failure, said)}"
            raise DeployError(f"{text}. {left}.\n{quoted(said)}") from None
        self._finish()

    def _change(self) -> None:
        """Try it beside the live service, then let it take over."""
        self._stage()
        with tempfile.TemporaryFile() as output:
            try:
                self._try(output)
            except (Failed, OSError) as failure:
                output.seek(0)
                printed = output.read().decode(errors="replace")
                said = {f"The end of {self.wanted.log_file}": self._new_in_log(), "What it printed": printed}
                self._end_trial(failure, said)
        try:
            self._promote_files()
            self._restart()
            self._verify()
        except (Failed, OSError, SupervisorError) as failure:
            said = self._what_was_said()
            text = f"{self.wanted.name} does not work with what is new: {summary(failure, said)}"
            works = self._go_back()
            now = "is live again" if works else "is back, and does not start either"
            raise DeployError(f"{text}. The previous configuration {now}.\n{quoted(said)}") from None
        self._finish()

    def _end_trial(self, failure: Exception, said: dict[str, str]) -> None:
        text = f"{self.wanted.name} was tried and does not work: {summary(failure, said)}"
        if self.before.interrupted:
            self._go_back()
            left = "What an interrupted change had replaced is live again"
        else:
            self._drop()
            left = "The live service was not touched"
        raise DeployError(f"{text}. {left}.\n{quoted(said)}") from None

    # Steps

    def _have_supervisor(self) -> None:
        """Start supervisor where it does not run; an administrator may have stopped it."""
        if self.supervisor.runs():
            return
        code, output, errors = self.run(["service", "supervisor", "start"])
        deadline = time.monotonic() + _SUPERVISOR_TIMEOUT
        while not self.supervisor.runs():
            if time.monotonic() > deadline:
                said = " ".join((errors or output).split()) or f"service supervisor start ended with {code}"
                raise Failed(f"supervisor does not run, and can't be started: {said}")
            time.sleep(0.1)

    def _try(self, output: IO[bytes]) -> None:
        """Start what shall go live on a socket of its own, wait for its workers, and end it; raises Failed."""
        ready = os.path.join(runtime_directory(standin(self.wanted.name)), "ready")
        _remove_trial(self.wanted.name)
        launcher = _files.beside(self.wanted.launcher.path, _files.CANDIDATE)
        # If this module is killed, nobody else would end it.
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
        ready = os.path.join(runtime_directory(self.wanted.name), "ready")
        deadline = time.monotonic() + START_TIMEOUT
        first = 0
        while True:
            process = self.supervisor.process(self.wanted.name)
            first = first or process.pid
            # Where it ended and another was started, too.
            if not process.is_up or process.pid != first:
                raise Failed(f"the service ended while it started ({process.description or process.state})")
            if _running.read(self.wanted.name, process.pid).argv and os.path.exists(ready):
                return
            if time.monotonic() > deadline:
                raise Failed(f"its workers did not start within {START_TIMEOUT:.0f} s")
            time.sleep(0.1)

    def _differences(self) -> list[str]:
        process = self.supervisor.process(self.wanted.name)
        if not process.is_up:
            return ["the service does not stay up"]
        return _switch.mismatches(self.wanted, _running.read(self.wanted.name, process.pid))

    def _finish(self) -> None:
        """It works: forget the way back, and sockets in the file system that nobody opens any more."""
        kept = {bind.path for bind in self.wanted.binds}
        for path in set(self.before.addresses) - kept:
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(os.lstat(path).st_mode) and not _sockets.is_open(_binds.Bind(path=path)):
                    os.unlink(path)
        _files.put(self.wanted.logrotate)
        self._forget_way_back()

    def _go_back(self) -> bool:
        """Put back what was there, and run it if it ran; returns whether what ran runs again."""
        name, before = self.wanted.name, self.before
        self._put_back()
        try:
            loaded = self.supervisor.load(name)
            if before.running:
                if not loaded:
                    self.supervisor.stop(name)
                self.supervisor.start(name)
                # One that was made by hand does not say when its workers are there.
                if before.running.argv:
                    self._wait_for_workers()
            elif before.process.state and before.process.state != "BACKOFF":
                self.supervisor.stop(name)
            works = True
        except (Failed, SupervisorError):
            works = False
        _files.commit(self.journal)
        return works

    # Words

    def _what_was_said(self) -> dict[str, str]:
        """What the service wrote to its log and printed since the change began."""
        printed = ""
        with contextlib.suppress(OSError), open(self.console, "rb") as console:
            size = os.fstat(console.fileno()).st_size
            # A smaller one is another file: it was rotated.
            console.seek(self.console_size if size >= self.console_size else 0)
            printed = console.read().decode(errors="replace")
        return {f"The end of {self.wanted.log_file}": self._new_in_log(), f"The end of {self.console}": printed}


def _remove_trial(name: str) -> None:
    """Leave nothing of a trial."""
    for path in (*runtime_paths(standin(name)), trial_socket(name)):
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            _files.remove(path)
