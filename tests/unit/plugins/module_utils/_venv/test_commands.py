# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import commands
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError


def test_the_output_of_one_that_succeeds() -> None:
    """Whatever it writes to stderr, which may be warnings; it gets what it is to read."""
    runner = Runner(lambda command, data: (0, f"{command[0]} {data}", "WARNING: old\n"))
    assert commands.run(runner, ["pip"], "it failed", data="x") == "pip x"
    assert commands.run(runner, ["pip"], "it failed") == "pip "


def test_one_that_fails() -> None:
    """The error says what failed, and what the command said."""
    with pytest.raises(VenvError, match="^gunicorn_venv: no pip: ERROR: no space$"):
        commands.run(Runner(lambda command, data: (1, "", "ERROR: no space\n")), ["pip"], "gunicorn_venv: no pip")


@pytest.mark.parametrize(
    ("output", "errors", "reason"),
    [
        ("ERROR: no space\n", "Traceback:\n  File x\n", "ERROR: no space"),
        ("a\n", "WARNING: old\nERROR: one\n\nERROR: two\n", "ERROR: one | ERROR: two"),
        ("a\nb\n", "", "a | b"),
        ("a\n", "1\n2\n3\n4\n5\n\n6\n", "2 | 3 | 4 | 5 | 6"),
    ],
)
def test_the_reason_of_a_failure(output: str, errors: str, reason: str) -> None:
    """One line, without tracebacks if there is something better."""
    assert commands.reason_in(output, errors) == reason
