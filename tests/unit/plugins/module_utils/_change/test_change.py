# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Callable

import pytest
from service_samples import SYSTEMD_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import change
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import supervisor as change_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import systemd as change_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.change import Change
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import lock as service_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import uses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError

STEPS = (
    "stage",
    "settle",
    "promote_files",
    "start",
    "run_trial",
    "end_trial",
    "stop_trial",
    "replace",
    "verify",
    "finish",
)
WAYS_BACK = ("go_back", "drop", "discard_new_venv")
SWITCH = Decision(["the service does not run"], switch=True)


@pytest.fixture(autouse=True)
def unwritable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories in which root can't write, whoever runs the tests."""
    found: list[str] = []
    monkeypatch.setattr(
        files, "unwritable", lambda paths: [path for path in found if any(path in each for each in paths)]
    )
    return found


class Noted(Change):
    """A change whose steps are only noted; the one named in `failing` fails."""

    def __init__(self, runs: bool = True, exists: bool = True, interrupted: bool = False, failing: str = "") -> None:
        super().__init__(SYSTEMD_SPEC, "", "", interrupted, Runner(lambda command: (1, "", "")))
        self.runs, self.exists, self.failing = runs, exists, failing
        self.steps: list[str] = []
        self.comes_back = True
        for step in (*STEPS, *WAYS_BACK):
            setattr(self, f"_{step}", lambda step=step: self.take(step))

    def take(self, step: str) -> bool:
        """Note a step."""
        self.steps.append(step)
        if step == self.failing:
            raise Failed("it failed")
        return self.comes_back

    def _runs(self) -> bool:
        return self.runs

    def _exists(self) -> bool:
        return self.exists

    def _what_was_said(self) -> dict[str, str]:
        return {"The log": "what the service said"}

    def _what_the_trial_said(self) -> dict[str, str]:
        return {"The log": "what the trial said"}

    def fail(self) -> str:
        """Carry it out; return what a person reads."""
        with pytest.raises(DeployError) as caught:
            self.carry_out(SWITCH)
        return str(caught.value)


class TestThatWorks:
    def test_what_runs_is_tried_before_it_is_replaced(self) -> None:
        """Nothing of the live service changes before."""
        noted = Noted()
        noted.carry_out(SWITCH)
        assert noted.steps == ["stage", "run_trial", "replace", "verify", "finish"]

    def test_what_does_not_run_is_started(self) -> None:
        """There is nobody to try it beside."""
        noted = Noted(runs=False)
        noted.carry_out(SWITCH)
        assert noted.steps == ["stage", "promote_files", "start", "verify", "finish"]

    def test_what_needs_no_new_process_is_settled(self) -> None:
        """The process goes on."""
        noted = Noted()
        noted.carry_out(Decision(["the service must start at boot"], switch=False))
        assert noted.steps == ["settle"]


class TestThatFails:
    def test_a_host_that_can_not_be_written_is_left_as_it_is(self, unwritable: list[str]) -> None:
        """Nothing is begun, and nothing that the run has prepared stays."""
        unwritable.append("/etc/systemd/system")
        noted = Noted()
        text = "shop: root can't write in /etc/systemd/system, as on a read-only file system. Nothing was changed."
        assert noted.fail() == text
        assert noted.steps == ["drop"]

    def test_a_trial_leaves_the_live_service_alone(self) -> None:
        """The candidates go; nothing is put back, since nothing was replaced."""
        noted = Noted(failing="run_trial")
        assert noted.fail() == (
            "shop was tried and does not work: it failed. The live service was not touched.\n"
            "The log:\nwhat the trial said"
        )
        assert noted.steps == ["stage", "run_trial", "end_trial", "drop"]

    def test_a_trial_after_an_interrupted_change_puts_back(self) -> None:
        """What the killed run had replaced was never seen to work."""
        noted = Noted(interrupted=True, failing="run_trial")
        assert "What an interrupted change had replaced is live again.\n" in noted.fail()
        assert noted.steps == ["stage", "run_trial", "end_trial", "go_back", "discard_new_venv"]

    @pytest.mark.parametrize("step", ["replace", "verify"])
    @pytest.mark.parametrize(("comes_back", "now"), [(True, change.LIVE_AGAIN), (False, change.DOES_NOT_START)])
    def test_a_switch_goes_back(self, step: str, comes_back: bool, now: str) -> None:
        """And says whether that worked."""
        noted = Noted(failing=step)
        noted.comes_back = comes_back
        assert noted.fail() == (
            f"shop does not work with what is new: it failed. {now}.\nThe log:\nwhat the service said"
        )
        assert noted.steps[-3:] == [step, "go_back", "discard_new_venv"]

    @pytest.mark.parametrize(
        ("exists", "now"), [(True, "What was there before is there again"), (False, "No file was left behind")]
    )
    def test_a_start_leaves_what_was_there(self, exists: bool, now: str) -> None:
        """If there was nothing, nothing is left."""
        noted = Noted(runs=False, exists=exists, failing="start")
        assert noted.fail().startswith(f"shop could not be started: it failed. {now}.\n")
        assert noted.steps == ["stage", "promote_files", "start", "go_back", "stop_trial", "discard_new_venv"]

    def test_a_step_that_is_not_tried_is_left_to_the_next_run(self) -> None:
        """What works stays, and the next run finds what is left to do."""
        assert Noted(failing="finish").fail() == "shop: it failed. The next run completes what is left to do."


class TestVirtualEnvironments:
    @pytest.fixture
    def opt(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder with some of them, of which the service has the one that ends with 2."""
        for number in range(1, 6):
            built = tmp_path / f"venv-0000000{number}"
            built.mkdir()
            (built / directories.BUILT).touch()
        (tmp_path / "venv").symlink_to("venv-00000002")
        monkeypatch.setattr(files, "unstage", lambda _files: None)
        monkeypatch.setattr(uses.Uses, "by", lambda _self, path: self.used.get(os.path.basename(path), ""))
        return tmp_path

    @pytest.fixture(autouse=True)
    def nothing_is_used(self) -> None:
        """Until a test says so."""
        self.used: dict[str, str] = {}

    def left(self, opt: Path) -> list[str]:
        """The names of the virtual environments that are there."""
        return sorted(path.name for path in opt.glob("venv-*"))

    def ended(self, opt: Path, new: str, before: str = "venv-00000002") -> Change:
        """A change to a new venv."""
        wanted = dataclasses.replace(SYSTEMD_SPEC, venv=str(opt / "venv"), venv_directory=str(opt / new))
        return Change(wanted, str(opt / "journal"), str(opt / before), False, Runner(lambda command: (1, "", "")))

    def test_the_end_of_a_change(self, opt: Path) -> None:
        """What only the old service needed goes, and what was abandoned; not another run's new one."""
        os.utime(opt / "venv-00000004", (0, 0))
        os.utime(opt / "venv-00000005", (0, 0))
        self.used = {"venv-00000005": "queue.service"}
        ended = self.ended(opt, "venv-00000002", "venv-00000001")
        ended._forget_way_back()
        assert self.left(opt) == ["venv-00000002", "venv-00000003", "venv-00000005"]

    def test_the_old_one_in_use(self, opt: Path) -> None:
        """A companion may still run from it; a later change removes it."""
        self.used = {"venv-00000001": "queue.service"}
        self.ended(opt, "venv-00000002", "venv-00000001")._forget_way_back()
        assert "venv-00000001" in self.left(opt)
        self.used = {}
        os.utime(opt / "venv-00000001", (0, 0))
        self.ended(opt, "venv-00000002")._forget_way_back()
        assert "venv-00000001" not in self.left(opt)

    def test_a_new_one_that_does_not_work(self, opt: Path) -> None:
        """It goes, unless the stand-in serves from it."""
        self.used = {"venv-00000003": "shop-standin.service"}
        self.ended(opt, "venv-00000003")._drop()
        self.ended(opt, "venv-00000004")._drop()
        self.ended(opt, "venv-00000002")._drop()
        assert self.left(opt) == ["venv-00000001", "venv-00000002", "venv-00000003", "venv-00000005"]


class TestVerify:
    def test_it_waits_until_all_is_as_wanted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An address that does not answer is told before what differs."""
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        verified = Change(SYSTEMD_SPEC, "", "", False, Runner(lambda command: (1, "", "")))
        answers = iter([["127.0.0.1:8000 does not answer"], [], []])
        differences = iter([["the number of workers is 2, not 3"], []])
        monkeypatch.setattr(verified, "_unanswered", lambda deadline: next(answers))
        monkeypatch.setattr(verified, "_differences", lambda: next(differences))
        verified._verify()
        assert (list(answers), list(differences)) == ([], [])

    def test_what_does_not_become_as_wanted_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With everything that differs, once the time is over."""
        verified = Change(SYSTEMD_SPEC, "", "", False, Runner(lambda command: (1, "", "")))
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        now = iter([0.0, 10.0, 31.0])
        monkeypatch.setattr("time.monotonic", lambda: next(now))
        monkeypatch.setattr(verified, "_unanswered", lambda deadline: ["a", "b"])
        with pytest.raises(Failed, match=r"\Aa; b\Z"):
            verified._verify()


@pytest.mark.parametrize("deploy", [change_systemd.deploy, change_supervisor.deploy])
def test_a_change_waits_for_whoever_installs_into_its_venv(
    deploy: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would start from a venv that another controller's pip has changed by half."""
    monkeypatch.setattr(service_lock, "LOCK_TIMEOUT", 0)
    venv = str(tmp_path / "venv")
    held = directories.lock(venv)
    tell = [lambda told: None] if deploy is change_systemd.deploy else []
    try:
        with pytest.raises(DeployError, match="another run did not end within 0 s. Nothing was changed"):
            deploy(dataclasses.replace(SYSTEMD_SPEC, venv=venv), Runner(lambda command: (1, "", "")), *tell)
    finally:
        os.close(held)
