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
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live, notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.live import Release
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import lock as service_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import marks, uses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import CompanionFailed, Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import NotStarted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec

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
# The code is nowhere that this knows of.
RELEASED = dataclasses.replace(SYSTEMD_SPEC, code_directory="")
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

    def __init__(
        self,
        runs: bool = True,
        exists: bool = True,
        interrupted: bool = False,
        failing: str = "",
        wanted: SystemdSpec = RELEASED,
    ) -> None:
        super().__init__(wanted, "", "", interrupted, Runner(lambda command: (1, "", "")))
        self.runs, self.exists, self.failing = runs, exists, failing
        self.steps: list[str] = []
        self.marks: list[list[str]] = []  # at each step
        self.comes_back = True
        for step in (*STEPS, *WAYS_BACK):
            setattr(self, f"_{step}", lambda step=step: self.take(step))

    def take(self, step: str) -> bool:
        """Note a step."""
        self.marks.append(os.listdir(marks.DIRECTORY))
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


class Beside:
    """Companions that note what they are told."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    def withdraw(self) -> None:
        self.steps.append("withdraw")

    def restore(self) -> None:
        self.steps.append("restore")


class TestCompanions:
    @pytest.mark.parametrize("runs", [True, False])
    def test_they_follow_a_service_that_is_verified(self, runs: bool) -> None:
        """What they do can't be taken back, and the way back ends only then."""
        noted = Noted(runs=runs)
        noted._bring_companions = lambda: noted.take("bring_companions")
        noted.carry_out(SWITCH)
        assert noted.steps[-3:] == ["verify", "bring_companions", "finish"]

    @pytest.mark.parametrize("runs", [True, False])
    def test_one_that_fails_takes_the_service_back(self, runs: bool) -> None:
        """With its own name."""
        noted = Noted(runs=runs)
        noted._bring_companions = failing
        assert noted.fail().startswith("shop was changed, and its companion mail failed: it ended. ")
        assert "go_back" in noted.steps
        assert "finish" not in noted.steps

    def test_one_that_fails_beside_a_service_goes_back_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A web service that goes on has nothing to do with it."""
        noted = Noted()
        noted.companions = Beside(noted.steps)
        noted._bring_companions = failing
        noted._put_back = lambda: noted.steps.append("put_back")
        monkeypatch.setattr(change.atomic_journal, "commit", lambda _journal: noted.steps.append("commit"))
        with pytest.raises(DeployError, match="^shop has the companion mail, which failed: it ended. The previous"):
            noted._settle_companions()
        assert noted.steps == ["withdraw", "put_back", "restore", "commit"]

    def test_one_that_fails_where_the_service_was_stopped(self) -> None:
        """The service was there, and is there again."""
        noted = Noted(runs=False)
        noted._bring_companions = failing
        with pytest.raises(DeployError, match="^shop has the companion mail, which failed: it ended. The previous"):
            noted._settle_companions()
        assert noted.steps == ["go_back"]


def failing() -> None:
    """Bring a companion that does not work."""
    raise CompanionFailed("mail", "it ended", {})


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


class TestCodeInPlace:
    """A change that is refused leaves its code where new workers and the next start load it."""

    @pytest.fixture
    def refused(self, marks_directory: Path) -> Path:
        """The mark for the workers."""
        return marks_directory / "gunicorn-shop.refused"

    @pytest.mark.parametrize("interrupted", [False, True])
    def test_a_refused_trial_is_marked_and_told(self, refused: Path, interrupted: bool) -> None:
        """The error says where the code is and what starts it."""
        said = Noted(failing="run_trial", wanted=SYSTEMD_SPEC, interrupted=interrupted).fail()
        assert (
            ". If the code is why: it is in /opt/shop, and a restart, a reboot or the end of a worker starts it there. "
            "Until a run succeeds, max_requests ends no worker.\n"
        ) in said
        assert refused.exists()

    def test_a_release_stays_what_it_is(self, refused: Path) -> None:
        """Workers go on to start from the one that was tried."""
        Noted(failing="run_trial").fail()
        assert not refused.exists()

    def test_a_sandbox_is_no_code(self, refused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where systemd has failed before it started anything, the code was not tried."""
        noted = Noted(failing="run_trial", wanted=SYSTEMD_SPEC)
        failure = NotStarted("Job failed", 226)
        monkeypatch.setattr(noted, "_run_trial", lambda: (_ for _ in ()).throw(failure))
        assert "If the code is why" not in noted.fail()
        assert not refused.exists()

    def test_a_directory_that_can_not_be_written_hides_no_error(self, refused: Path) -> None:
        """What has failed is told."""
        refused.symlink_to("/nowhere/at/all")
        assert "was tried and does not work: it failed" in Noted(failing="run_trial", wanted=SYSTEMD_SPEC).fail()

    @pytest.mark.parametrize("step", ["replace", "verify"])
    def test_what_is_back_runs_the_code_that_is_there(self, refused: Path, step: str) -> None:
        """It has loaded that: nothing is left that could be lost, and no other code was refused."""
        refused.touch()
        said = Noted(failing=step, wanted=SYSTEMD_SPEC).fail()
        assert f"{change.LIVE_AGAIN}. Its code is what /opt/shop has now.\n" in said
        assert not refused.exists()

    def test_a_change_that_works_removes_the_marks(
        self, marks_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """New workers load what was tried, also where a run was killed at the first start."""
        monkeypatch.setattr(files, "unstage", lambda _files: None)
        for name in ("gunicorn-shop.refused", "gunicorn-shop.untried"):
            (marks_directory / name).touch()
        noted = Noted(wanted=dataclasses.replace(SYSTEMD_SPEC, venv=str(tmp_path / "venv")))
        noted.journal = str(tmp_path / "journal")
        noted._forget_way_back()
        assert os.listdir(marks_directory) == []

    @pytest.mark.parametrize("failing", ["", "start"])
    def test_a_first_start_is_marked_while_it_lasts(self, marks_directory: Path, failing: str) -> None:
        """Its workers load one after the other; nothing has tried it before."""
        noted = Noted(runs=False, failing=failing)
        noted.fail() if failing else noted.carry_out(SWITCH)
        marked = dict(zip(noted.steps, noted.marks))
        assert [step for step, found in marked.items() if found] == ["start"]
        assert marked["start"] == ["gunicorn-shop.untried"]
        assert os.listdir(marks_directory) == []

    def test_a_switch_starts_nothing_untried(self) -> None:
        """The trial has loaded it, and a restart must not take longer."""
        noted = Noted()
        noted.carry_out(SWITCH)
        assert not any(noted.marks)


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


class Deployment:
    """A service with releases in a directory, and the change to one of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.releases = str(folder / "releases")
        self.static = folder / "static"
        self.settled: list[str] = []
        monkeypatch.setattr(uses.Uses, "unused", lambda _self, paths: paths)

    def venv(self, name: str) -> str:
        return f"{self.folder}/venv-{name * 8}"

    def change(self, name: str, **steps: Callable) -> Change:
        """The change to a release, which is there; the steps of a manager do nothing, or what is given."""
        code = self.folder / "releases" / name / "static"
        code.mkdir(parents=True, exist_ok=True)
        (code / f"{name}.css").write_text(name)
        if not notes.find(self.releases, name):
            notes.write(self.releases, notes.Note(name, "", brought=float(ord(name))))
        venv = self.venv(name)
        if not os.path.isdir(venv):
            os.mkdir(venv)
            directories.mark(venv, directories.BUILT)
        wanted = dataclasses.replace(
            RELEASED,
            configuration=files.WantedFile(
                str(self.folder / "gunicorn.conf.py"), name, 0o640, os.getegid(), os.geteuid()
            ),
            secret_files=(),
            socket=files.WantedFile(str(self.folder / "shop.socket"), "", 0o644, os.getegid(), os.geteuid()),
            unit=files.WantedFile(str(self.folder / "shop.service"), name, 0o644, os.getegid(), os.geteuid()),
            venv=str(self.folder / "venv"),
            venv_directory=venv,
            release=Release(name, self.releases, kept=2, static="static", public_static=str(self.static)),
            asked={"name": "shop", "venv_fingerprint": name},
        )
        made = Change(wanted, str(self.folder / "journal"), os.path.realpath(wanted.venv), False, Runner(print))
        made.settled = lambda wanted: self.settled.append(wanted.name)
        nothing = lambda *_arguments: None  # noqa: E731
        for step in ("run_trial", "end_trial", "stop_trial", "verify", "what_was_said", "what_the_trial_said"):
            setattr(made, f"_{step}", steps.get(step, nothing if not step.startswith("what") else dict))
        made._runs = lambda: os.path.lexists(self.folder / "venv")
        made._exists = made._runs
        made._replace, made._start = made._promote_files, nothing
        made._go_back = lambda: made._put_back() or True
        made._finish = made._forget_way_back
        return made

    def deploy(self, *names: str) -> None:
        for name in names:
            self.change(name).carry_out(SWITCH)

    def fail(self, name: str, **steps: Callable) -> None:
        with pytest.raises(DeployError):
            self.change(name, **steps).carry_out(SWITCH)

    def served(self) -> set[str]:
        return {file.name for file in self.static.glob("*.css")}

    def venvs(self) -> set[str]:
        return {entry[-1] for entry in os.listdir(self.folder) if entry.startswith("venv-")}


@pytest.fixture(name="deployment")
def deployment_of_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return Deployment(tmp_path, monkeypatch)


def broken(*_arguments: object) -> None:
    raise Failed("it failed")


class TestReleases:
    def test_a_release_that_works_is_the_live_one(self, deployment: Deployment) -> None:
        deployment.deploy("a", "b")
        assert notes.read_live(deployment.releases).id == "b"
        assert notes.find(deployment.releases, "b").venv["directory"] == deployment.venv("b")
        assert deployment.settled == ["shop"] * 2

    def test_a_page_of_the_trial_finds_its_files(self, deployment: Deployment) -> None:
        """Before its first worker answers."""
        deployment.deploy("a")
        seen: list[set[str]] = []
        deployment.change("b", run_trial=lambda: seen.append(deployment.served())).carry_out(SWITCH)
        assert seen == [{"a.css", "b.css"}]

    @pytest.mark.parametrize("step", ["run_trial", "verify"])
    def test_a_release_that_fails_leaves_nothing_but_its_code(self, deployment: Deployment, step: str) -> None:
        """The live one, its files and those of kept ones stay; its own virtual environment goes."""
        deployment.deploy("a", "b")
        deployment.fail("c", **{step: broken})
        assert notes.read_live(deployment.releases).id == "b"
        assert deployment.served() == {"a.css", "b.css"}
        assert deployment.venvs() == {"a", "b"}
        assert os.path.realpath(deployment.folder / "venv") == deployment.venv("b")

    def test_a_kept_release_that_fails_keeps_its_venv(self, deployment: Deployment) -> None:
        """It can be tried again without the package index."""
        deployment.deploy("a", "b")
        deployment.fail("a", run_trial=broken)
        assert deployment.venvs() == {"a", "b"}

    def test_the_first_release_that_fails_leaves_no_static_files(self, deployment: Deployment) -> None:
        deployment.fail("a", verify=broken)
        assert deployment.served() == set()
        assert notes.read_live(deployment.releases).id == ""

    def test_the_space_of_old_releases_is_given_back(self, deployment: Deployment) -> None:
        """Code, virtual environment and static files of all but the kept ones, which are two here."""
        deployment.deploy("a", "b", "c")
        assert [note.id for note in notes.read(deployment.releases)] == ["c", "b"]
        assert deployment.venvs() == {"b", "c"}
        assert deployment.served() == {"b.css", "c.css"}

    def test_a_disk_without_room_for_static_files_is_no_change(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployment.deploy("a")

        def full(*_arguments: object) -> None:
            raise OSError(28, "No space left on device", "/var/cache")

        monkeypatch.setattr(live, "offer", full)
        with pytest.raises(DeployError, match="/var/cache can't be written: No space"):
            deployment.change("b").carry_out(SWITCH)
        assert notes.read_live(deployment.releases).id == "a"
