# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command of the project under systemd: a transient unit that has what its service has, by systemd-run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import Any, Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner, run_command
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import terminal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import drop_ins, quoting, runtime_units

_DROP_IN = "10-gunicorn-run.conf"
_STOP_TIMEOUT = 10  # seconds
# How the command has ended; see systemd.exec(5), "Environment Variables Set or Propagated by the Service Manager"
_NOTE_END = 'echo "$EXIT_CODE $EXIT_STATUS" >"$0"'


def run(service: str, given: Mapping, directory: str, venv: str, command: list[str]) -> int:
    """Run a command to its end; return its exit status, or 128 and the number of the signal that ended it."""
    unit = f"{service}-run-{os.getpid()}.service"
    runner = Runner(run_command)
    with terminal.guarded(lambda: _clean_up(unit, runner)):
        lines = unit_base.service_lines(given["unit"]) + _added(service)
        runtime_units.write(f"{unit}.d/{_DROP_IN}", _text(unit, lines, directory, venv))
        interactive = terminal.is_callers()
        asked = ["systemd-run", "--quiet", "--wait", f"--unit={unit}", "--service-type=exec"]
        asked += ["--pty" if interactive else "--pipe", f"--description=A command of {service}"]
        asked += [f"--setenv={name}={value}" for name, value in terminal.variables().items()]
        # systemd replaces $NAME in the arguments.
        asked += ["--", *(word.replace("$", "$$") for word in command)]
        status = _interactive(asked) if interactive else _piped(asked, unit, runner)
        ended = _ended(_note_of(unit))
        return status if ended is None else ended


def _added(service: str) -> list[str]:
    """What drop-ins of administrators add to the service, but for what makes it one."""
    found = drop_ins.assignments(drop_ins.find(f"{service}.service"))
    lines = [f"{each.name}={each.value}" for each in found if each.section == "Service"]
    return unit_base.service_lines("\n".join(["[Service]", *lines]))


def _text(name: str, lines: list[str], directory: str, venv: str) -> str:
    """What the transient unit has of its service, and of its own."""
    own: dict[str, Any] = {
        "WorkingDirectory": directory,
        "KillMode": "control-group",
        # A command whose reader has gone must end, as `head` ends what writes to it.
        "IgnoreSIGPIPE": False,
        "TimeoutStopSec": _STOP_TIMEOUT,
        # As root, where nobody else can write
        "ExecStopPost": "+" + " ".join(map(quoting.command_argument, ("/bin/sh", "-c", _NOTE_END, _note_of(name)))),
        # What the service's limits and its priority under memory pressure say is for many processes that go on.
        "OOMScoreAdjust": 0,
    }
    if not unit_base.has_path(lines):
        own["Environment"] = [quoting.environment_assignment("PATH", unit_base.search_path(venv))]
    return "\n".join(["[Service]", *lines, *quoting.directives(own)]) + "\n"


def _interactive(asked: list[str]) -> int:
    """systemd-run gives the command a terminal, and hands on what is typed, Ctrl-C included."""
    with terminal.handling((signal.SIGINT, signal.SIGQUIT), signal.SIG_IGN):
        return subprocess.run(asked, check=False).returncode


def _piped(asked: list[str], unit: str, runner: Runner) -> int:
    """The command has the caller's files and pipes, and gets its signals."""
    return terminal.piped(
        asked,
        forward=lambda _pid, number: runner.run(["systemctl", "kill", f"--signal={number}", unit]),
        end=lambda _pid: runner.run(["systemctl", "stop", "--no-block", unit]),
    )


def _ended(note: str) -> int | None:
    """The status of a command, or 128 and the number of the signal that has ended it; None if that was not noted.

    systemd-run says nothing of signals, and something else if a process that the command has left must be killed.
    """
    code, _space, status = (files.read(note) or "").strip().partition(" ")
    number = signal.Signals.__members__.get(f"SIG{status}")
    if code in ("killed", "dumped") and number:
        return 128 + number
    return int(status) if code == "exited" and status.isdigit() else None


def _clean_up(unit: str, runner: Runner) -> None:
    """End the command, whoever its caller was, and leave nothing of it."""
    systemctl = Systemctl(runner)
    systemctl.attempt("stop", unit)
    systemctl.attempt("reset-failed", unit)
    with contextlib.suppress(OSError):
        shutil.rmtree(runtime_units.path_of(f"{unit}.d"))
    with contextlib.suppress(OSError):
        files.remove(_note_of(unit))


def _note_of(unit: str) -> str:
    """Where the end of a command is noted until its caller has read it."""
    return f"/run/gunicorn-{unit}.ended"
