# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a program that root does not trust: with another account's rights, without root's environment, within limits."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
from typing import IO

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account

TIMEOUT = 60.0  # seconds
LONGEST = 4 << 20  # bytes of output, and of each file that the program writes
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}


def run(account: Account, command: list[str], data: str, timeout: float = TIMEOUT) -> tuple[int, str, str]:
    """Run a command as an account; return its exit code, its output and its errors."""
    # Files and not pipes: a program that stays in the background can't hold their ends open.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(data.encode())
        given.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=given,
                stdout=output,
                stderr=errors,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
                preexec_fn=lambda: _become(account),
            )
        except OSError as error:
            return 127, "", f"{command[0]}: {error.strerror}"
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return 124, "", f"it did not end within {timeout:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return code, _text(output), _text(errors)


def _become(account: Account) -> None:
    for limit, value in ((resource.RLIMIT_FSIZE, LONGEST), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    os.setgroups(account.groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(LONGEST).decode(errors="replace")
