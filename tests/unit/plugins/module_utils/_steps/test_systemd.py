# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps under systemd: what it is asked, and what is read of how a step ended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from noting_systemd import Systemd

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.systemd import SystemdSteps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox, sandbox_trial
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

UNIT = "shop-step.service"
STEP = Execution({"name": "migrate"}, ["/bin/true"], "/", {}, [], 60)


@pytest.fixture
def steps(
    systemd: Systemd, tmp_path: Path, etc_units: Path, run_units: Path, monkeypatch: pytest.MonkeyPatch
) -> SystemdSteps:
    """Those of a service that an administrator has a drop-in for."""
    (tmp_path / "private").mkdir()
    monkeypatch.setattr(launcher, "folder_of_step", lambda _name: str(tmp_path / "private"))
    monkeypatch.setattr(sandbox, "conditions", lambda: "systemd 257, podman")
    (etc_units / "shop.service.d").mkdir()
    (etc_units / "shop.service.d" / "proxy.conf").write_text("[Service]\nEnvironment=HTTPS_PROXY=x\n")
    base = "[Service]\nUser=shop\nPrivateUsers=yes\nProtectSystem=strict\n"
    told: list[str] = []
    made = SystemdSteps("shop", base, ["PrivateUsers"], LeftOut(), Runner(systemd.run), told.append)
    made.told = told  # type: ignore[attr-defined]
    return made


def test_a_step_starts_with_what_an_administrator_added(steps: SystemdSteps, systemd: Systemd, run_units: Path) -> None:
    """Its own lines have the last word; the unit is there until it is ended."""
    steps.run(STEP)
    assert systemd.asked == [f"start {UNIT}"]
    assert sorted(os.listdir(run_units / f"{UNIT}.d")) == ["proxy.conf", "~gunicorn-step.conf"]
    assert "User=shop" in (run_units / UNIT).read_text()
    steps.end()
    assert systemd.asked[1:] == [f"stop {UNIT}", f"reset-failed {UNIT}"]
    assert os.listdir(run_units) == []


def test_a_unit_that_systemd_still_has_is_read_anew(steps: SystemdSteps, systemd: Systemd) -> None:
    """As that of the step before; else the old command would run again."""
    systemd.loaded[UNIT] = "NeedDaemonReload=yes"
    steps.run(STEP)
    assert systemd.asked == ["daemon-reload", f"start {UNIT}"]


@pytest.mark.parametrize(
    ("shown", "how"),
    [
        ("Result=exit-code\nExecMainCode=1\nExecMainStatus=3", "it ended with status 3"),
        ("Result=timeout\nExecMainCode=2\nExecMainStatus=15", "it did not end within 60 s"),
        ("Result=signal\nExecMainCode=2\nExecMainStatus=9", "it was ended by signal 9"),
        ("Result=core-dump\nExecMainCode=3\nExecMainStatus=11", "it was ended by signal 11"),
        ("Result=oom-kill\nExecMainCode=2\nExecMainStatus=9", "it was ended since the memory was used up"),
        ("Result=exit-code\nExecMainCode=1\nExecMainStatus=203", "systemd could not start it: 203/EXEC: its program"),
        ("Result=resources\nExecMainCode=0\nExecMainStatus=0", "Job failed"),
    ],
)
def test_how_a_step_ended_is_told(steps: SystemdSteps, systemd: Systemd, run_units: Path, shown: str, how: str) -> None:
    """With what it printed; nothing of it is left."""
    systemd.failing, systemd.loaded[UNIT] = "start", shown
    answer = systemd.run

    def run(command: list[str]) -> tuple[int, str, str]:
        if command[1] == "start":
            fifo = os.path.join(launcher.folder_of_step("shop"), "output")
            subprocess.run(["sh", "-c", f"echo no such table >{fifo}"], check=True)
        return answer(command)

    steps._systemctl._runner = Runner(run)
    with pytest.raises(StepFailed) as failure:
        steps.run(STEP)
    assert str(failure.value).startswith(how)
    assert failure.value.said == "no such table\n"
    assert os.listdir(run_units) == []


def test_a_step_does_without_what_its_host_can_not_apply(
    steps: SystemdSteps, systemd: Systemd, run_units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a first deployment nobody has found that out before."""
    monkeypatch.setattr(sandbox_trial, "unfit", lambda *_arguments: ["PrivateUsers"])
    systemd.failing, systemd.loaded[UNIT] = "start", "ExecMainStatus=217"
    attempts = []
    answer = systemd.run

    def run(command: list[str]) -> tuple[int, str, str]:
        if command[1] == "start":
            attempts.append((run_units / UNIT).read_text())
            systemd.failing = "start" if len(attempts) == 1 else ""
        return answer(command)

    steps._systemctl._runner = Runner(run)
    steps.run(STEP)
    assert ["PrivateUsers=yes" in text for text in attempts] == [True, False]
    assert steps.left_out == LeftOut(("PrivateUsers",), "systemd 257, podman")
    assert "can't apply PrivateUsers" in steps.told[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("states", "found"),
    [
        (["activating", "activating", "active"], {"name": "migrate"}),
        (["active"], {"name": "migrate"}),
        (["activating", "failed"], {}),
        (["inactive"], {}),
    ],
)
def test_the_step_of_a_killed_run_is_waited_for(
    steps: SystemdSteps, systemd: Systemd, states: list[str], found: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on without the run; one that has succeeded is known by its note."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    steps.run(STEP)
    left = list(states)

    def run(command: list[str]) -> tuple[int, str, str]:
        state = left.pop(0) if len(left) > 1 else left[0]
        return 0, f"LoadState=loaded\nActiveState={state}\n", ""

    steps._systemctl._runner = Runner(run)
    assert steps.resume() == found


def test_where_no_step_was_nothing_is_resumed(steps: SystemdSteps) -> None:
    """Whatever else has the unit's name."""
    assert steps.resume() == {}
