# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How commands are run on the host."""

from __future__ import annotations

import re
import subprocess
import time
from typing import Any, Callable

# How systemctl says that PID 1 was executed anew meanwhile, as by an upgrade of systemd (systemctl daemon-reexec).
_LOST_BUS = re.compile(
    r"Transport endpoint is not connected|disconnected from message bus|D-Bus connection terminated"
    r"|Connection reset by peer|Failed to connect to .*bus.*: Connection refused"
)
# The same, if systemd had taken the job before
_LOST_JOB = re.compile(r"D-Bus connection terminated|Failed to wait for response")
_BUS_TIMEOUT = 20.0  # seconds


def run_command(command: list[str], **_options: Any) -> tuple[int, str, str]:
    """What AnsibleModule.run_command does, as far as the commands on the host need it."""
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")


class Runner:
    """Runs commands by `AnsibleModule.run_command`, or by what a test hands in instead."""

    def __init__(self, run_command: Callable[..., tuple[int, str, str]], **options: Any) -> None:
        """`options` are those of `AnsibleModule.run_command`, for every command."""
        self._run_command = run_command
        self._options = options

    def run(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        """Run a command; return its exit code, its output and its errors.

        systemctl is run again for some seconds if it has lost its connection. A job that it asked for may be under way:
        systemd then merges the same job with that one, and systemctl waits for both. A second restart would stop what
        the first has started: a start follows instead, which waits for the first, too.
        """
        options = {**self._options, **options}
        if command[0] == "systemctl":
            result = self._run_systemctl(command, options)
            if not (result[0] and options.get("check_rc")):
                return result
        return self._run_command(command, **options)

    def _run_systemctl(self, command: list[str], options: dict[str, Any]) -> tuple[int, str, str]:
        options = {name: value for name, value in options.items() if name != "check_rc"}
        deadline = time.monotonic() + _BUS_TIMEOUT
        while True:
            code, output, errors = self._run_command(command, **options)
            if not (code and _LOST_BUS.search(errors)) or time.monotonic() > deadline:
                return code, output, errors
            if _LOST_JOB.search(errors):
                command = ["start" if part == "restart" else part for part in command]
            time.sleep(0.2)

    def output(self, command: list[str], **options: Any) -> str:
        """Run a command; return what it prints, whatever its exit code is."""
        return self.run(command, **options)[1]
