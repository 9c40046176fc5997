# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of one phase: each once, in their order, and what is left of one that fails or is killed."""

from __future__ import annotations

import base64
import json
import os
import pwd
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes, steps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import job, parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

USER = "nobody"
SECRET = "s3cr3t-of-the-shop"
CACHE = {"name": "cache", "command": "true", "when": "after", "repeat": True}
INDEX = {"name": "index", "command": ["true", "--all"], "once": False}


class Killed(BaseException):
    """As by SIGKILL: nothing is cleaned up by what catches errors."""


class Manager:
    """A service manager that runs steps as a test says."""

    def __init__(self, left_out: LeftOut) -> None:
        self.left_out = left_out
        self.ran: list[Execution] = []
        self.ended = 0
        self.resumed: dict[str, str] = {}
        self.does: Callable[[Execution], None] = lambda _step: None

    def resume(self) -> dict[str, str]:
        """What a killed run has left."""
        return self.resumed

    def run(self, step: Execution) -> None:
        """What a step does."""
        self.ran.append(step)
        self.does(step)

    def end(self) -> None:
        """Note that nothing is left."""
        self.ended += 1

    @property
    def names(self) -> list[str]:
        """The steps that ran."""
        return [step.environment["GUNICORN_STEP"] for step in self.ran]


class Host:
    """A host with a release."""

    def __init__(self, folder: Path, manager: Manager) -> None:
        self.directory = folder / "releases"
        self.release = self.directory / "3f2a"
        self.release.mkdir(parents=True)
        self.private = folder / "private"
        notes.write(str(self.directory), notes.Note("3f2a", str(self.release), brought=1.0))
        self.manager = manager

    def given(self, phase: str, *asked: Any, **others: Any) -> dict[str, Any]:
        """The arguments of the module."""
        defaults = {name: option.get("default") for name, option in parameters.ARGUMENTS.items()}
        return {
            **defaults,
            "name": "shop",
            "user": USER,
            "group": "root",
            "release": "3f2a",
            "directory": str(self.directory),
            "phase": phase,
            "steps": list(asked),
            "venv": str(self.directory.parent / "venv"),
            "venv_directory": str(self.directory.parent / "venv-1"),
            "config_directory": str(self.directory.parent / "etc"),
            "secrets": f'# Credentials: key\nSECRET_KEY="{SECRET}"\nGUNICORN_SECRETS=@SECRETS@\n',
            "credentials": base64.b64encode(json.dumps({"key": "the credential"}).encode()).decode(),
            **others,
        }

    def do(self, phase: str, *asked: Any, **others: Any) -> dict[str, Any]:
        """Do the steps."""
        return job.carry_out(self.given(phase, *asked, **others), Runner(lambda *_: (0, "", "")), lambda _text: None)

    def note(self) -> notes.Note:
        """What is noted of the release."""
        found = notes.find(str(self.directory), "3f2a")
        assert found is not None
        return found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One whose manager is played."""
    manager = Manager(LeftOut())
    monkeypatch.setattr(job, "SystemdSteps", lambda *_arguments: manager)
    monkeypatch.setattr(launcher, "folder_of_step", lambda _name: str(tmp_path / "private"))
    monkeypatch.setattr(atomic_lock, "path_of", lambda name: str(tmp_path / name))
    return Host(tmp_path, manager)


def test_a_phase_is_done_in_its_order_and_once(host: Host) -> None:
    """The next run does what is new, and nothing else."""
    python = {"name": "fix", "command": "python fix.py"}
    (host.directory.parent / "venv-1" / "bin").mkdir(parents=True)
    (host.directory.parent / "venv-1" / "bin" / "python").symlink_to("/bin/true")
    assert host.do("migrate", INDEX, CACHE, python)["done"] == ["index", "fix"]
    assert host.manager.ran[1].command == [f"{host.directory.parent}/venv-1/bin/python", "fix.py"]
    assert host.manager.ran[0].directory == str(host.release)
    assert host.do("migrate", INDEX, CACHE, python) == {
        "changed": False,
        "done": [],
        "noted": [],
        "left_out": {"directives": (), "tried_with": ""},
    }
    assert host.do("migrate", {**INDEX, "command": "true --fast"}, CACHE, python)["done"] == ["index"]
    assert host.manager.names == ["index", "fix", "index"]
    note = host.note()
    assert set(note.steps) == {"index", "fix"}
    assert [step["name"] for step in note.definitions] == ["index", "cache", "fix"]
    assert note.built


def test_what_is_repeated_is_done_on_each_switch(host: Host) -> None:
    """And not by a run that switches nothing; one that fails is pending afterwards, as if it was never done."""
    assert host.do("after", CACHE)["done"] == ["cache"]
    assert host.do("after", CACHE)["done"] == ["cache"]
    assert host.do("after", CACHE, switching=False)["done"] == []

    def fail(_step: Execution) -> None:
        raise StepFailed("it ended with status 1")

    host.manager.does = fail
    with pytest.raises(DeployError, match="The release is live; the next run does the step again"):
        host.do("after", CACHE)
    host.manager.does = lambda _step: None
    assert host.do("after", CACHE, switching=False)["done"] == ["cache"]


def test_what_is_done_once_for_all_is_noted_by_the_others(host: Host) -> None:
    """So that a later run of one of them does not do it."""
    migrate = {**INDEX, "once": True}
    assert host.do("migrate", migrate, once="leave")["changed"] is False
    assert host.do("migrate", migrate, once="note")["noted"] == ["index"]
    assert host.do("migrate", migrate)["done"] == []
    assert host.manager.ran == []


def test_on_the_way_back_only_what_asks_for_it_is_done(host: Host) -> None:
    """With the secrets of the live service; and it is done each time."""
    back = {**CACHE, "on_roll_back": True, "name": "back"}
    for _time in range(2):
        assert host.do("after", CACHE, back, INDEX, rolling_back=True)["done"] == ["back"]
    assert host.note().steps == {}


def test_check_mode_says_what_would_be_done(host: Host) -> None:
    """Also of a release that is not there yet."""
    assert job.plan(host.given("migrate", INDEX))["done"] == ["index"]
    assert job.plan(host.given("migrate", INDEX, release="new"))["done"] == ["index"]
    assert host.manager.ran == []


def test_secrets_are_there_for_the_time_of_the_steps(host: Host) -> None:
    """For root alone; they are removed in any case, also those that a killed run has left."""
    seen = []

    def look(_step: Execution) -> None:
        for path in (host.private, *host.private.rglob("*")):
            status = path.stat()
            seen.append((path.name, status.st_uid, status.st_mode & 0o077, path.is_file() and path.read_text()))
        raise Killed

    host.manager.does = look
    with pytest.raises(Killed):
        host.do("migrate", INDEX)
    assert {owner for _name, owner, _mode, _text in seen} == {os.geteuid()}
    assert {mode for _name, _owner, mode, _text in seen} == {0}
    assert ("key", os.geteuid(), 0, "the credential") in seen
    assert SECRET in str(seen)
    assert not host.private.exists()
    host.private.mkdir()
    (host.private / "secrets.env").write_text("of a killed run")
    host.manager.does = lambda _step: None
    host.do("migrate", INDEX)
    assert not host.private.exists()


def test_a_failure_is_told_with_its_output(host: Host) -> None:
    """Masked, without control characters, cut, and with what is left as it was; the step is not noted."""

    def fail(step: Execution) -> None:
        if "index" in step.environment["GUNICORN_STEP"]:
            lines = "".join(f"line {number}\n" for number in range(100))
            raise StepFailed("it ended with status 3", f"{lines}\x1b[31m{SECRET}\x1b]0;title\x07\n" + "x" * 9999)

    host.manager.does = fail
    with pytest.raises(DeployError) as error:
        host.do("migrate", {"name": "first", "command": "true"}, INDEX, {"name": "last", "command": "true"})
    lines = str(error.value).split("\n")
    assert lines[0] == (
        "shop: the step index of the release 3f2a failed: it ended with status 3. The live service, its code and its "
        "virtual environment are as they were."
    )
    assert lines[1] == "The end of what it printed:"
    assert lines[-2] == "********?]0;title?"
    assert lines[-1].endswith("... (cut)")
    assert len(lines) < 30
    assert set(host.note().steps) == {"first"}
    assert host.manager.names == ["first", "index"]


def test_the_error_of_python_is_the_reason(host: Host) -> None:
    """Its last line says more than a status."""

    def fail(_step: Execution) -> None:
        trace = f"Traceback (most recent call last):\n  File x\nOperationalError: no such table, {SECRET}\n"
        raise StepFailed("it ended with status 1", trace)

    host.manager.does = fail
    expected = r"failed: it ended with status 1: OperationalError: no such table, \*{8}\. The live service"
    with pytest.raises(DeployError, match=expected):
        host.do("migrate", INDEX)


def write(step: Execution) -> None:
    """What a build does: write as the user into each of its directories."""
    for place in step.writes:
        assert os.stat(place).st_uid == pwd.getpwnam(USER).pw_uid
        path = os.path.join(place, "app.js")
        Path(path).write_text("app")
        os.chown(path, pwd.getpwnam(USER).pw_uid, -1)


BUNDLE = {"name": "bundle", "command": "true", "when": "build", "writes": ["dist"]}


def test_what_a_build_writes_becomes_roots(host: Host) -> None:
    """After all its processes have ended; then the release is complete."""
    host.manager.does = write
    host.do("build", BUNDLE, {**BUNDLE, "name": "more", "writes": ["more"]}, INDEX)
    assert (host.release / "dist" / "app.js").stat().st_uid == 0
    assert host.note().built
    assert os.listdir(host.directory).count("3f2a") == 1
    assert len(os.listdir(host.directory)) == 2  # and its note


def test_a_build_that_fails_leaves_nothing(host: Host) -> None:
    """Neither directories of the user's, nor a complete release."""

    def fail(step: Execution) -> None:
        write(step)
        if step.environment["GUNICORN_STEP"] == "more":
            raise StepFailed("it ended with status 1")

    host.manager.does = fail
    with pytest.raises(DeployError, match="this release does not go live before the step succeeds"):
        host.do("build", BUNDLE, {**BUNDLE, "name": "more", "writes": ["more", "dist"]})
    assert (host.release / "dist" / "app.js").stat().st_uid == 0
    assert list((host.release / "more").iterdir()) == []
    assert not host.note().built
    # The next run takes the virtual environment, and need not build it again.
    assert host.note().candidate == host.given("build", BUNDLE)["venv_directory"]
    assert len(os.listdir(host.directory)) == 2


def test_what_a_build_may_not_write_is_named(host: Host) -> None:
    """The step fails, as root does not copy a link that leads out."""

    def link(step: Execution) -> None:
        os.symlink("/etc/shadow", os.path.join(step.writes[0], "x"))
        os.chown(os.path.join(step.writes[0], "x"), pwd.getpwnam(USER).pw_uid, -1, follow_symlinks=False)

    host.manager.does = link
    with pytest.raises(DeployError, match="bundle of the release 3f2a failed: in dist, 'x': a link to '/etc/shadow'"):
        host.do("build", BUNDLE)


def test_a_step_that_went_on_without_its_run_is_not_repeated(host: Host) -> None:
    """The run was killed: the next one takes over what the step has done, notes it, and goes on."""

    def killed(step: Execution) -> None:
        write(step)
        raise Killed

    host.manager.does = killed
    with pytest.raises(Killed):
        host.do("build", BUNDLE, {**BUNDLE, "name": "more", "writes": ["more"]})
    host.manager.resumed = host.manager.ran[0].note
    host.manager.does = write
    host.do("build", BUNDLE, {**BUNDLE, "name": "more", "writes": ["more"]})
    assert host.manager.names == ["bundle", "more"]
    assert (host.release / "dist" / "app.js").stat().st_uid == 0


@pytest.mark.parametrize("other", [{"release": "4711"}, {"name": "x"}, {"hash": "0"}])
def test_another_step_that_went_on_does_not_count(host: Host, other: dict[str, str]) -> None:
    """That of another release, or one that does another thing by now."""
    step = steps.parse([INDEX], "")[0]
    host.manager.resumed = {"release": "3f2a", "name": "index", "hash": step.hash, **other}
    assert host.do("migrate", INDEX)["done"] == ["index"]
    assert host.manager.names == ["index"]


def test_a_directory_that_is_not_there_is_named(host: Host) -> None:
    """systemd would only say that it can't set up the view of the file system."""
    with pytest.raises(DeployError, match="it writes /srv/none, which is no directory: make it for the user before"):
        host.do("migrate", {**INDEX, "writes": ["/srv/none"]})


def test_a_release_that_is_gone_is_named(host: Host) -> None:
    """Nothing is done then."""
    with pytest.raises(DeployError, match=r"shop: there is no release 4711 in .*/releases\. Nothing was changed"):
        host.do("migrate", INDEX, release="4711")
