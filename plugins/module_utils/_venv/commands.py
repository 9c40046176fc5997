# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that must succeed, and the reason that a failed one gives."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import unprivileged
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError

_REASON_LINES = 5


def run(runner: Runner, command: list[str], failure: str, data: str = "", account: Account | None = None) -> str:
    """Run a command and return its output; raises VenvError, with `failure` and the command's reason, if it fails.

    With an account, it gets this account's rights and not root's.
    """
    if account is None:
        code, output, errors = runner.run(command, data=data)
    else:
        code, output, errors = unprivileged.run(account, command, data)
        failure += f" with the rights of uid {account.uid}, since others than root can change it"
    if code:
        raise VenvError(f"{failure}: {reason_in(output, errors)}")
    return output


def reason_in(output: str, errors: str) -> str:
    """One line with the errors that pip names, or else with the last lines that the command wrote."""
    # Not just the last lines: ensurepip shows its own traceback below pip's error.
    said = [line.strip() for line in [*output.splitlines(), *errors.splitlines()]]
    # Below "Exception" is a traceback, whose last line says which.
    named = [line for line in said if line.startswith("ERROR:") and line != "ERROR: Exception:"]
    last = [line.strip() for line in (errors or output).splitlines() if line.strip()]
    return " | ".join(map(values_text.shown, (named or last)[-_REASON_LINES:]))
