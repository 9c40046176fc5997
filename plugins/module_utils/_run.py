# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How commands are run on the host."""

from __future__ import annotations

from typing import Any, Callable


class Runner:
    """Runs commands by `AnsibleModule.run_command`, or by what a test hands in instead."""

    def __init__(self, run_command: Callable[..., tuple[int, str, str]], **options: Any) -> None:
        """`options` are those of `AnsibleModule.run_command`, for every command."""
        self._run_command = run_command
        self._options = options

    def run(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        """Run a command; return its exit code, its output and its errors."""
        return self._run_command(command, **self._options, **options)

    def output(self, command: list[str]) -> str:
        """Run a command; return what it prints, whatever its exit code is."""
        return self.run(command)[1]
