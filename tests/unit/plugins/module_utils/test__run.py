# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner


def test_options_of_the_runner_and_of_one_command_reach_it() -> None:
    """What a module sets for all of its commands is not lost where one command has input."""
    calls = []
    runner = Runner(lambda command, **options: calls.append((command, options)) or (0, "", ""), cwd="/")
    runner.run(["cat"], data="text")
    assert calls == [(["cat"], {"cwd": "/", "data": "text"})]


def test_output_is_what_a_command_that_fails_prints_too() -> None:
    """systemctl prints the state of a unit that it knows nothing of, and fails."""
    assert Runner(lambda command: (4, "inactive\n", "errors")).output(["systemctl"]) == "inactive\n"
