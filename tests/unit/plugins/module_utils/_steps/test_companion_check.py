# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from supervised_companions import MAIL, given, spec

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import companion_check
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits."""
    monkeypatch.setattr(companion_check, "_PAUSE", 0.01)


def test_it_is_tried_until_it_succeeds() -> None:
    """Each time it has the seconds that are left."""
    left = []

    def attempt(seconds: int) -> None:
        left.append(seconds)
        if len(left) < 3:
            raise StepFailed("it ended with status 1")

    companion_check.persist(Companion("mail", ("x",), check_timeout=9), attempt)
    assert len(left) == 3
    assert all(8 <= seconds <= 9 for seconds in left)


def test_the_last_failure_counts() -> None:
    def attempt(_seconds: int) -> None:
        raise StepFailed("it ended with status 1")

    with pytest.raises(StepFailed, match="status 1"):
        companion_check.persist(Companion("mail", ("x",), check_timeout=0), attempt)


class Steps:
    """Notes what is run under supervisor, and whether the folder for its output is root's alone."""

    ran: list[Any] = []

    def __init__(self, name: str, _given: dict, folder: str) -> None:
        self.ran.append((name, folder))

    def resume(self) -> None:
        self.ran.append("resumed")

    def run(self, step: Execution) -> None:
        self.ran += [step, oct(os.stat(launcher.folder_of_step("shop")).st_mode & 0o777)]
        raise StepFailed("it ended with status 1")

    def end(self) -> None:
        self.ran.append("ended")


def test_under_supervisor_it_runs_as_a_step_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the live secrets. One of a killed run ends first, and nothing is left."""
    monkeypatch.setattr(companion_check, "SupervisorSteps", Steps)
    monkeypatch.setattr(launcher, "folder_of_step", lambda _name: str(tmp_path / "private"))
    monkeypatch.setattr(Steps, "ran", [])
    code = tmp_path / "code"
    code.mkdir()
    wanted = replace(
        spec(tmp_path / "etc", {"mail": {**MAIL, "check": "/bin/sh -c 'ping {instance}'"}}),
        asked=given(tmp_path / "etc"),
        code_directory=str(code),
    )
    with pytest.raises(StepFailed):
        companion_check.run_supervised(wanted, wanted.companions[0], "2", 7)
    (started, resumed, step, mode, ended) = Steps.ran
    assert started == ("shop", str(tmp_path / "etc"))
    assert (resumed, mode, ended) == ("resumed", "0o700", "ended")
    assert (step.command, step.directory, step.timeout) == (["/bin/sh", "-c", "ping 2"], str(code), 7)
    assert step.environment["GUNICORN_COMPANION_INSTANCE"] == "2"
    assert step.environment["PATH"].startswith("/opt/shop/venv-12345678/bin:")
    assert not (tmp_path / "private").exists()
