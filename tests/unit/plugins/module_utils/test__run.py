# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

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


class TestLostBus:
    """As systemctl 252 and 257 say it while `systemctl daemon-reexec` runs."""

    LOST = (
        "Failed to get properties: Transport endpoint is not connected\n",
        "Reload daemon failed: Message recipient disconnected from message bus without replying\n",
        "Failed to connect to system scope bus via local transport: Connection refused\n",
        "Failed to connect to bus: Connection refused\n",
        "Warning! D-Bus connection terminated.\nFailed to wait for response: Connection reset by peer\n",
    )

    @pytest.fixture
    def answers(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, str]]:
        """What systemctl answers in turn; the time passes as it waits."""
        now = [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
        return []

    def test_systemctl_is_asked_again(self, answers: list) -> None:
        """A restart of PID 1 in the middle of a run is over in a moment."""
        answers += [(1, "", text) for text in self.LOST] + [(0, "fine", "")]
        runner = Runner(lambda command, **options: answers.pop(0), check_rc=True)
        assert runner.run(["systemctl", "restart", "shop.service"]) == (0, "fine", "")

    def test_a_restart_that_was_begun_is_not_begun_again(self, answers: list) -> None:
        """It would stop the service that starts; one that systemd may not have heard of is asked for again."""
        answers += [(1, "", self.LOST[0]), (1, "", self.LOST[-1]), (0, "", "")]
        asked: list[list[str]] = []
        Runner(lambda command: asked.append(command) or answers.pop(0)).run(["systemctl", "restart", "shop.service"])
        assert [command[1] for command in asked] == ["restart", "restart", "start"]

    def test_it_ends_at_last(self, answers: list) -> None:
        """With what systemctl said, and as the caller wanted it."""
        asked = []

        def run(command: list[str], **options: object) -> tuple[int, str, str]:
            asked.append(options)
            return 1, "", self.LOST[0]

        assert Runner(run, check_rc=True).run(["systemctl", "show"]) == (1, "", self.LOST[0])
        assert 10 < len(asked) < 200
        assert [options for options in asked if options] == [{"check_rc": True}]
        assert asked[-1] == {"check_rc": True}

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            ("systemctl", "Job for shop.service failed because the control process exited with error code.\n"),
            ("systemctl", "Failed to connect to bus: No such file or directory\n"),
            ("pip", LOST[-1]),
        ],
    )
    def test_nothing_else_is_repeated(self, answers: list, command: str, said: str) -> None:
        """A failure is told at once, and other commands know better what a lost connection means."""
        answers.append((1, "", said))
        assert Runner(lambda command: answers.pop(0)).run([command, "start"]) == (1, "", said)
