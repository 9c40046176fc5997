# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command of the project under supervisor: by the launcher of its service, which becomes the command."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import pwd
import select
import signal
import termios
import tty
from typing import Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import kernel_files, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.directories import UnsafeDirectory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher, unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import terminal


def run(service: str, given: Mapping, directory: str, venv: str, command: list[str]) -> int:
    """Run a command to its end; return its exit status, or 128 and the number of the signal that ended it."""
    name = f"{service}-run-{os.getpid()}"
    description = f"/run/gunicorn-{name}.json"
    with terminal.guarded(lambda: _clean_up(name, description)):
        environment = {"PATH": unit_base.search_path(venv), **terminal.variables()}
        told = launcher.describe_command(name, _live(service, given), command, directory, environment)
        files.put(WantedFile(description, json.dumps(told), 0o600, os.getegid(), os.geteuid()))
        program = os.path.join(given["config_directory"], launcher.LAUNCHER)
        asked = [launcher.PYTHON, "-I", "-X", "utf8", program, description, ""]
        interactive = terminal.is_callers()
        if interactive:
            status = _interactive(asked, pwd.getpwnam(told["user"]).pw_uid)
        else:
            status = terminal.piped(asked, forward=_signal, end=lambda pid: _signal(pid, signal.SIGTERM))
    return status if status >= 0 else 128 - status


def _live(service: str, given: Mapping) -> dict:
    """What the launcher is told of the service, of the live or of another release."""
    if "description_text" in given:
        return json.loads(given["description_text"])
    folder = os.path.join(given["config_directory"], "credentials")
    credentials = sorted(name for name in kernel_files.list_folder(folder) if not name.startswith("."))
    has_secrets = os.path.exists(os.path.join(given["config_directory"], "secrets.env"))
    return launcher.describe(service, {**given, "secrets": has_secrets}, [], credentials)


def _interactive(asked: list[str], uid: int) -> int:
    """Give the command a terminal of its own, and copy between that and the caller's until it has ended."""
    pid, master = pty.fork()
    if pid == 0:
        os.fchown(0, uid, -1)
        os.execv(asked[0], asked)
    before = termios.tcgetattr(0)

    def resize(*_arguments: object) -> None:
        fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))

    resize()
    with terminal.handling((signal.SIGWINCH,), resize):
        tty.setraw(0)
        try:
            _relay(master)
        finally:
            with contextlib.suppress(termios.error):  # the terminal is lost
                termios.tcsetattr(0, termios.TCSADRAIN, before)
    _pid, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _relay(master: int) -> None:
    sources = [0, master]
    while True:
        ready, _writable, _failed = select.select(sources, [], [])
        if master in ready:
            try:
                block = os.read(master, terminal.BLOCK)
            except OSError:  # the command has closed its side
                return
            if not block:
                return
            terminal.write(1, block)
        if 0 in ready:
            block = os.read(0, terminal.BLOCK)
            if block:
                terminal.write(master, block)
            else:
                sources.remove(0)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _clean_up(name: str, description: str) -> None:
    """End the command, whoever its caller was, and leave nothing of it."""
    directory = launcher.runtime_directory(name)
    for pid in processes.read_ids():
        if pid != os.getpid() and processes.read_environment(pid).get("RUNTIME_DIRECTORY") == directory:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for path in (*launcher.runtime_paths(name), description):
        with contextlib.suppress(OSError, UnsafeDirectory):
            directories.remove(path)
