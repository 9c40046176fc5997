# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ensurepip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories as atomic_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup, ensure, install
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements as venv_requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.ensure import Task
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState

OLDEST = "23.0.0"


class Host:
    """Runs commands as the module does, but with one folder of wheels for the only index, and remembers them.

    Where there is a venv to take it from, a new one gets its pip by copy: ensurepip takes seconds.
    """

    def __init__(self, wheels: Path, pip_of: Path | None = None) -> None:
        self.pip_of = pip_of
        self.commands: list[list[str]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        self.environment = {
            **kept,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_COMPILE": "1",
        }

    def run(self, command: list, data: str) -> tuple[int, str, str]:
        """Run one command to its end."""
        self.commands.append([str(word) for word in command])
        if self.pip_of is not None and "ensurepip" in command:
            (site,) = self.pip_of.glob("lib/python3*/site-packages")
            for folder in site.glob("pip*"):
                shutil.copytree(folder, Path(command[0]).parents[1] / site.relative_to(self.pip_of) / folder.name)
            return 0, "", ""
        done = subprocess.run(command, input=data, env=self.environment, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def ensure(self, wanted: VenvSpec, check_mode: bool = False) -> dict:
        """Bring a venv to what is wanted; the commands are those of this one run."""
        self.commands = []
        return ensure.ensure(wanted, Runner(self.run), check_mode)

    @property
    def pip_runs(self) -> list[list[str]]:
        """The commands of the last run that called pip."""
        return [command for command in self.commands if "pip" in command]


def want(path: Path, **changes: object) -> VenvSpec:
    """What the role's defaults want, but for these."""
    wanted = VenvSpec(
        str(path),
        sys.executable,
        "newest",
        requirements=[],
        pip_extra_args=[],
        upgrade=False,
        rebuild=False,
        activate=True,
        settings={},
        worker_class="sync",
    )
    return wanted._replace(**changes)


def build_wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel that holds one module with the version in it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))


def snapshot(folder: Path) -> dict[str, str]:
    """Every file below a folder and a hash of its contents, but for bytecode."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


@pytest.fixture(scope="session")
def index(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels for pip: two Gunicorns, and two versions of a small package notes."""
    folder = tmp_path_factory.mktemp("index")
    for wheel in wheels.glob("*.whl"):
        shutil.copy(wheel, folder)
    for version in ("1.0", "2.0"):
        build_wheel(folder, "notes", version)
    return folder


@pytest.fixture(scope="session")
def made(index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, list[list[str]]]:
    """A venv that was made from nothing, what was returned, and by which commands it was made."""
    path = tmp_path_factory.mktemp("made") / "opt" / "venv"
    host = Host(index)
    return path, host.ensure(want(path)), host.commands


@pytest.fixture
def host(index: Path, made: tuple) -> Host:
    """A host with nothing done yet."""
    return Host(index, pip_of=made[0])


@pytest.fixture
def venv(made: tuple, tmp_path: Path) -> Path:
    """A copy of it that a test may break."""
    path = tmp_path / "venv"
    shutil.copytree(made[0], path, symlinks=True)
    return path


def gunicorn_answers(venv: Path) -> str:
    """What the Gunicorn of a venv says that it is."""
    command = [str(venv / "bin/python"), "-m", "gunicorn", "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def package(venv: Path) -> Path:
    """The folder of the package gunicorn in a venv."""
    (path,) = venv.glob("lib/python3*/site-packages/gunicorn")
    return path


class TestDecide:
    """The task, from what is wanted and what the venv has."""

    GOOD = VenvState("/v", "3.11.2", "/usr/bin/python3.11", "27.0.1", True, {}, True, [], [], True)

    @pytest.mark.parametrize(
        ("before", "changes", "in_place", "beside"),
        [
            (GOOD, {}, Task.NOTHING, Task.NOTHING),
            (GOOD, {"upgrade": True}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD._replace(unmet=["gunicorn>=28"]), {}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD._replace(gunicorn_is_whole=False), {}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD._replace(is_stamped=False), {}, Task.CHANGE_IN_PLACE, Task.BUILD),
            (GOOD, {"rebuild": True}, Task.NOTHING, Task.NOTHING),
            (None, {}, Task.MAKE, Task.BUILD),
            (None, {"upgrade": True}, Task.MAKE, Task.BUILD),
        ],
    )
    def test_what_is_missing(self, before: VenvState | None, changes: dict, in_place: Task, beside: Task) -> None:
        """Requirements make the venv the role's own: it is built anew instead of changed."""
        wanted = want(Path("/v"), **changes)
        assert ensure.decide(wanted, before, rebuild=False, interrupted=False) is in_place
        assert ensure.decide(wanted._replace(requirements=["notes"]), before, False, False) is beside

    @pytest.mark.parametrize("before", [GOOD, None])
    def test_rebuild(self, before: VenvState | None) -> None:
        """It comes first, also where nothing is missing or a run was killed."""
        wanted = want(Path("/v"), requirements=["notes"], rebuild=True)
        for interrupted in (False, True):
            assert ensure.decide(wanted, before, rebuild=True, interrupted=interrupted) is Task.REBUILD

    def test_rebuild_without_requirements(self) -> None:
        """There is nothing to build from, and the error names both variables."""
        with pytest.raises(InvalidValue, match=r"gunicorn_requirements: \[\] .*gunicorn_venv_rebuild"):
            ensure.decide(want(Path("/v"), rebuild=True), self.GOOD, rebuild=True, interrupted=False)

    @pytest.mark.parametrize(("lines", "task"), [([], Task.CHANGE_IN_PLACE), (["notes"], Task.BUILD)])
    def test_interrupted(self, lines: list[str], task: Task) -> None:
        """What a killed pip left may look whole, and is not relied on."""
        wanted = want(Path("/v"), requirements=lines)
        assert ensure.decide(wanted, self.GOOD, rebuild=False, interrupted=True) is task


class TestFresh:
    def test_it_is_made(self, made: tuple, newest: str) -> None:
        """From nothing, folders above included, with the newest Gunicorn, which works."""
        path, result, commands = made
        assert result["changed"]
        assert result["gunicorn_version"] == newest
        assert result["python_version"] == ".".join(map(str, sys.version_info[:3]))
        assert result["diff"]["before"] == ""
        assert f"gunicorn=={newest}\n" in result["diff"]["after"]
        assert len(result["fingerprint"]) == 64
        assert gunicorn_answers(path) == f"gunicorn (version {newest})\n"
        assert len([command for command in commands if "install" in command]) == 1

    def test_the_second_run_has_nothing_to_do(self, made: tuple, host: Host) -> None:
        """It asks the venv once, calls no pip, and returns the same but for changed."""
        path, first, _commands = made
        before = snapshot(path)
        second = host.ensure(want(path))
        assert {**second, "changed": True, "diff": first["diff"]} == first
        assert not second["changed"]
        assert second["diff"]["before"] == second["diff"]["after"]
        assert len(host.commands) == 1
        assert snapshot(path) == before

    def test_check_mode_makes_nothing(self, tmp_path: Path, host: Host) -> None:
        """It says that there would be a change, and no more can be known."""
        result = host.ensure(want(tmp_path / "venv", settings={"nosuch": 1}), check_mode=True)
        assert result["changed"]
        assert (result["gunicorn_version"], result["python_version"], result["fingerprint"]) == (None, None, "")
        assert list(tmp_path.iterdir()) == []
        assert host.commands == []

    def test_an_empty_folder_is_no_venv_yet(self, tmp_path: Path, host: Host) -> None:
        """Someone made the folder beforehand, for its owner or as a mount."""
        assert venv_state.read(want(tmp_path), host.run) is None

    def test_what_can_not_be_made_leaves_nothing(self, tmp_path: Path, host: Host) -> None:
        """The next run finds no half a venv."""
        broken = tmp_path / "python"
        broken.write_text('#!/bin/sh\nmkdir -p "$3/bin"; echo one; echo "no ensurepip" >&2; exit 1\n')
        broken.chmod(0o755)
        with pytest.raises(VenvError, match=r"gunicorn_venv: .*/venv could not be made: no ensurepip"):
            host.ensure(want(tmp_path / "venv", python=str(broken)))
        assert not (tmp_path / "venv").exists()

    def test_without_pip(self, tmp_path: Path, host: Host, newest: str) -> None:
        """A venv that was made by another tool gets a pip."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
        assert host.ensure(want(tmp_path / "venv"))["gunicorn_version"] == newest
        assert not host.ensure(want(tmp_path / "venv"))["changed"]


class TestVersion:
    def test_a_specifier_that_is_not_met(self, venv: Path, host: Host, newest: str) -> None:
        """Down and up again, each in one run of pip, and each changes the fingerprint."""
        down = host.ensure(want(venv, version=OLDEST))
        assert (down["changed"], down["gunicorn_version"]) == (True, OLDEST)
        assert f"gunicorn=={newest}\n" in down["diff"]["before"]
        assert not host.ensure(want(venv, version=">=23, <25"))["changed"]
        assert not host.ensure(want(venv))["changed"], "newest stays with what there is"
        up = host.ensure(want(venv, version=f">={newest}"))
        assert (up["changed"], up["gunicorn_version"]) == (True, newest)
        assert gunicorn_answers(venv) == f"gunicorn (version {newest})\n"
        assert down["fingerprint"] != up["fingerprint"]

    def test_upgrade(self, venv: Path, host: Host, newest: str) -> None:
        """It asks pip each time, and is a change only if a version is another one."""
        host.ensure(want(venv, version=OLDEST))
        upgraded = host.ensure(want(venv, upgrade=True))
        assert (upgraded["changed"], upgraded["gunicorn_version"]) == (True, newest)
        assert not host.ensure(want(venv, upgrade=True))["changed"]
        assert len(host.pip_runs) == 1
        (package(venv) / "arbiter.py").unlink()
        assert host.ensure(want(venv, upgrade=True))["changed"], "a repair is a change"

    def test_check_mode_changes_nothing(self, venv: Path, host: Host, newest: str) -> None:
        """It says that there would be a change, calls no pip, and returns what is there."""
        before = snapshot(venv)
        result = host.ensure(want(venv, version=OLDEST, settings={"nosuch": 1}), check_mode=True)
        assert (result["changed"], result["gunicorn_version"]) == (True, newest)
        assert host.pip_runs == []
        assert snapshot(venv) == before

    @pytest.mark.parametrize(
        ("version", "requirement"),
        [
            ("newest", "gunicorn>=23.0.0"),
            ("27.0.1", "gunicorn>=23.0.0,==27.0.1"),
            (">= 25.3, < 28", "gunicorn>=23.0.0,>=25.3,<28"),
            ("==27.*", "gunicorn>=23.0.0,==27.*"),
        ],
    )
    def test_the_requirement(self, version: str, requirement: str) -> None:
        """The floor is always a part of it: older versions let requests be smuggled."""
        assert venv_requirements.gunicorn_requirement(version) == requirement

    def test_a_version_below_the_floor(self, venv: Path, host: Host, newest: str) -> None:
        """pip refuses it, and what was there stays."""
        with pytest.raises(VenvError, match="gunicorn_version, gunicorn_requirements: pip could not install"):
            host.ensure(want(venv, version="20.1.0"))
        assert gunicorn_answers(venv) == f"gunicorn (version {newest})\n"


class TestRepair:
    @pytest.mark.parametrize("file", ["arbiter.py", "workers/sync.py", "../../../../bin/gunicorn"])
    def test_a_file_that_is_gone(self, venv: Path, host: Host, newest: str, file: str) -> None:
        """pip alone would call it "already satisfied"."""
        (package(venv) / file).unlink()
        result = host.ensure(want(venv))
        assert (result["changed"], result["gunicorn_version"]) == (True, newest)
        assert (package(venv) / file).exists()
        assert not host.ensure(want(venv))["changed"]

    def test_it_leaves_the_versions_alone(self, venv: Path, host: Host, index: Path, tmp_path: Path) -> None:
        """Those of Gunicorn's dependencies, and its own, where newer ones are to be had."""
        host.ensure(want(venv, version=OLDEST))
        wheels = tmp_path / "wheels"
        shutil.copytree(index, wheels)
        build_wheel(wheels, "packaging", "99.0")
        host.environment["PIP_FIND_LINKS"] = str(wheels)
        (package(venv) / "arbiter.py").unlink()
        result = host.ensure(want(venv))
        assert (result["changed"], result["diff"]["after"]) == (True, result["diff"]["before"])

    def test_what_a_killed_pip_left(self, venv: Path, host: Host, newest: str) -> None:
        """pip had moved the old version away and not yet brought the new one; afterwards all is well."""
        (info,) = package(venv).parent.glob("gunicorn-*.dist-info")
        info.rename(info.parent / f"~{info.name[1:]}")
        package(venv).rename(package(venv).parent / "~unicorn")
        result = host.ensure(want(venv, version=OLDEST))
        assert (result["changed"], result["gunicorn_version"]) == (True, OLDEST)
        assert not host.ensure(want(venv, version=OLDEST))["changed"], f"the rest of {newest} still counts"

    def test_an_index_that_does_not_answer(self, venv: Path, host: Host, newest: str) -> None:
        """One error of one line that says what pip said; the old version still works, and is still whole."""
        nowhere = ["--index-url=http://127.0.0.1:9/simple", "--retries=0", "--timeout=1"]
        host.environment.update(PIP_NO_INDEX="0", PIP_FIND_LINKS="")
        with pytest.raises(VenvError) as caught:
            host.ensure(want(venv, version=OLDEST, pip_extra_args=nowhere))
        assert str(caught.value).startswith("gunicorn_version, gunicorn_requirements: pip could not install into ")
        assert "No matching distribution found for gunicorn" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert gunicorn_answers(venv) == f"gunicorn (version {newest})\n"
        assert not host.ensure(want(venv))["changed"]

    def test_an_interpreter_that_is_gone(self, venv: Path, host: Host) -> None:
        """The message says what happened, that nothing was changed, and what to do."""
        (venv / "bin/python3.99").symlink_to("/usr/bin/python3.99")
        (venv / "bin/python").unlink()
        (venv / "bin/python").symlink_to("python3.99")
        before = snapshot(venv)
        with pytest.raises(VenvError) as caught:
            host.ensure(want(venv))
        assert str(caught.value).startswith(f"gunicorn_venv: {venv} does not work any more")
        for part in ("/usr/bin/python3.99 is gone", "Nothing was changed", "gunicorn_venv_rebuild: true"):
            assert part in str(caught.value)
        assert snapshot(venv) == before

    def test_a_python_that_does_not_start(self, tmp_path: Path, host: Host) -> None:
        """What it said is in the message."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/python").write_text("#!/bin/sh\necho libpython3.99.so: cannot open >&2; exit 127\n")
        (tmp_path / "bin/python").chmod(0o755)
        (tmp_path / "pyvenv.cfg").touch()
        with pytest.raises(VenvError, match=r"gunicorn_venv: .* can't be read: libpython3.99.so: cannot open"):
            host.ensure(want(tmp_path))


class TestBuiltBeside:
    """What the role owns, with requirements: never changed, but built anew."""

    def test_from_nothing(self, tmp_path: Path, host: Host) -> None:
        """A link from the start, whose scripts name the real directory; a second run finds the same."""
        path = tmp_path / "opt" / "venv"
        first = host.ensure(want(path, requirements=["notes<2"]))
        (built,) = path.parent.glob("venv-*")
        assert (first["changed"], first["directory"], first["backup"]) == (True, str(built), "")
        assert os.readlink(path) == str(built)
        assert (built / "bin/gunicorn").read_text().startswith(f"#!{built}/bin/python")
        assert sorted(file.name for file in built.glob(".gunicorn*")) == [venv_requirements.STAMP, ".gunicorn-venv"]
        second = host.ensure(want(path, requirements=["notes<2"]))
        assert {**second, "changed": True, "diff": first["diff"]} == first
        assert (second["changed"], host.pip_runs) == (False, [])

    def test_instead_of_a_directory(self, venv: Path, host: Host, newest: str) -> None:
        """The old one has what it had, and stays for what runs from it, until the next change."""
        before = snapshot(venv)
        first = host.ensure(want(venv, requirements=["notes<2"]))
        assert venv.is_symlink()
        (displaced,) = venv.parent.glob("venv.gunicorn-swap-*")
        assert snapshot(displaced) == before
        second = host.ensure(want(venv, requirements=["notes>=2"]))
        assert {path.name for path in venv.parent.iterdir()} == {
            "venv",
            Path(first["directory"]).name,
            Path(second["directory"]).name,
        }
        assert "notes==1.0\n" in second["diff"]["before"]
        assert "notes==2.0\n" in second["diff"]["after"]
        assert first["fingerprint"] != second["fingerprint"]
        assert gunicorn_answers(venv) == f"gunicorn (version {newest})\n"

    def test_only_built(self, venv: Path, host: Host) -> None:
        """The path leads to the old one until the caller moves the link; then there is nothing to do."""
        before = snapshot(venv)
        wanted = want(venv, requirements=["notes"], activate=False)
        built = host.ensure(wanted)
        assert (built["changed"], built["backup"], venv.is_symlink()) == (True, "", False)
        assert snapshot(venv) == before
        assert atomic_directories.leftovers(str(venv)) == [built["directory"]]
        links.switch_link(str(venv), built["directory"])
        again = host.ensure(wanted)
        assert (again["changed"], again["fingerprint"]) == (False, built["fingerprint"])
        assert again["directory"] == built["directory"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"requirements": ["notes", "nosuch"]},
            {"requirements": ["notes"], "settings": {"timeut": 30}},
            {"requirements": ["notes"], "python": "/bin/false"},
        ],
    )
    @pytest.mark.parametrize("exists", [True, False])
    def test_what_fails_leaves_nothing(self, venv: Path, host: Host, changes: dict, exists: bool) -> None:
        """Neither beside the venv nor in it."""
        path = venv if exists else venv.parent / "fresh"
        if exists and "python" in changes:
            changes = {**changes, "rebuild": True}
        before = snapshot(venv.parent)
        with pytest.raises((VenvError, InvalidValue)):
            host.ensure(want(path, **changes))
        assert snapshot(venv.parent) == before

    def test_what_satisfies_keeps_its_version(self, tmp_path: Path, host: Host) -> None:
        """Also what Gunicorn needs, and Gunicorn itself; with an upgrade, all are the newest."""
        path = tmp_path / "venv"
        host.ensure(want(path, version=OLDEST, requirements=["notes<2"]))
        kept = host.ensure(want(path, requirements=["notes", "packaging"]))
        assert (kept["changed"], kept["gunicorn_version"]) == (True, OLDEST)
        assert "notes==1.0\n" in kept["diff"]["after"]
        upgraded = host.ensure(want(path, requirements=["notes", "packaging"], upgrade=True))
        assert (upgraded["changed"], "notes==2.0\n" in upgraded["diff"]["after"]) == (True, True)
        directories = sorted(tmp_path.iterdir())
        again = host.ensure(want(path, requirements=["notes", "packaging"], upgrade=True))
        assert (again["changed"], again["fingerprint"]) == (False, upgraded["fingerprint"])
        assert sorted(tmp_path.iterdir()) == directories

    def test_a_version_that_is_not_to_be_had_any_more(
        self, venv: Path, host: Host, index: Path, tmp_path: Path
    ) -> None:
        """Then another one that satisfies the requirements."""
        host.ensure(want(venv, requirements=["notes<2"]))
        wheels = tmp_path / "wheels"
        shutil.copytree(index, wheels)
        (wheels / "notes-1.0-py3-none-any.whl").unlink()
        host.environment["PIP_FIND_LINKS"] = str(wheels)
        assert "notes==2.0\n" in host.ensure(want(venv, requirements=["notes"]))["diff"]["after"]

    def test_it_sees_the_systems_packages_if_the_old_one_did(self, venv: Path, host: Host) -> None:
        """As the book makes it."""
        configuration = venv / "pyvenv.cfg"
        text = configuration.read_text()
        assert "include-system-site-packages = false" in text
        configuration.write_text(text.replace("= false", "= true"))
        host.ensure(want(venv, requirements=["notes"]))
        assert "include-system-site-packages = true" in configuration.read_text()

    def test_a_mount_point(self, monkeypatch: pytest.MonkeyPatch, venv: Path, host: Host) -> None:
        """It can't be exchanged, and the error comes before the work."""
        monkeypatch.setattr(os.path, "ismount", lambda path: path == str(venv))
        for requirements in (["notes"], []):
            with pytest.raises(InvalidValue, match="gunicorn_venv: .* no mount point"):
                host.ensure(want(venv, version=OLDEST, requirements=requirements))
        assert host.pip_runs == []


class TestRebuild:
    @pytest.fixture
    def outlived(self, venv: Path) -> Path:
        """A venv whose interpreter went away with an upgrade of the host."""
        (venv / "bin/python").unlink()
        (venv / "bin/python").symlink_to("/usr/bin/python3.99")
        return venv

    def test_an_interpreter_that_is_gone(self, outlived: Path, host: Host, newest: str) -> None:
        """A new one is built, and the next run has nothing to do."""
        wanted = want(outlived, requirements=["notes"], rebuild=True)
        assert host.ensure(wanted, check_mode=True)["changed"]
        assert not outlived.is_symlink()
        first = host.ensure(wanted)
        assert (first["changed"], first["gunicorn_version"]) == (True, newest)
        assert gunicorn_answers(outlived) == f"gunicorn (version {newest})\n"
        assert not host.ensure(wanted)["changed"]

    def test_another_interpreter_by_the_same_name(self, venv: Path, host: Host) -> None:
        """As on Debian, where a venv names python3: it finds nothing of what was installed."""
        configuration = venv / "pyvenv.cfg"
        version = "version = " + ".".join(map(str, sys.version_info[:3]))
        assert version in configuration.read_text()
        configuration.write_text(configuration.read_text().replace(version, "version = 3.2.1"))
        with pytest.raises(VenvError, match="it was made for Python 3.2, and its interpreter .* is 3."):
            host.ensure(want(venv, requirements=["notes"]))
        assert host.ensure(want(venv, requirements=["notes"], rebuild=True))["changed"]

    def test_a_directory_that_is_gone(self, tmp_path: Path, host: Host) -> None:
        """A link that leads nowhere is a venv no more."""
        (tmp_path / "venv").symlink_to("venv-1a2b3c4d")
        with pytest.raises(VenvError, match="does not work any more: .*/venv-1a2b3c4d is gone"):
            host.ensure(want(tmp_path / "venv", requirements=["notes"]))
        assert host.ensure(want(tmp_path / "venv", requirements=["notes"], rebuild=True))["changed"]

    def test_the_same_python(self, venv: Path, host: Host) -> None:
        """Nothing to do, and no requirements are needed."""
        before = snapshot(venv)
        assert not host.ensure(want(venv, rebuild=True))["changed"]
        assert snapshot(venv) == before

    def test_another_python(self, venv: Path, host: Host, tmp_path: Path) -> None:
        """One that says that it is another interpreter; without rebuild, the venv keeps its own."""
        other = tmp_path / "python"
        other.write_text(f'#!/bin/sh\n[ "$1" = -m ] || exec echo /opt/other/python\nexec {sys.executable} "$@"\n')
        other.chmod(0o755)
        wanted = want(venv, python=str(other), requirements=["notes"])
        assert host.ensure(wanted)["changed"]
        assert [command[0] for command in host.commands if "venv" in command] == [os.path.realpath(sys.executable)]
        assert not host.ensure(wanted)["changed"]
        assert host.ensure(wanted._replace(rebuild=True))["changed"]
        assert [command[0] for command in host.commands if "venv" in command] == [str(other)]

    def test_without_requirements(self, outlived: Path, host: Host) -> None:
        """There is nothing to build it from, and both variables are named."""
        before = snapshot(outlived)
        with pytest.raises(InvalidValue, match=r"gunicorn_requirements: \[\] .*gunicorn_venv_rebuild"):
            host.ensure(want(outlived, rebuild=True))
        assert snapshot(outlived) == before

    def test_an_empty_folder(self, tmp_path: Path, host: Host) -> None:
        """Is no venv that was left behind."""
        assert venv_state.read(want(tmp_path, rebuild=True), host.run) is None
        assert host.ensure(want(tmp_path, rebuild=True), check_mode=True)["changed"]

    def test_what_a_plan_can_tell(self, outlived: Path, made: tuple) -> None:
        """Without running anything."""
        python = sys.executable
        assert not venv_state.stays(str(outlived), python, rebuild=True)
        assert venv_state.stays(str(made[0]), python, rebuild=True)
        assert venv_state.stays(str(made[0]), "no-such-python", rebuild=False)
        assert not venv_state.stays(str(made[0]), "sh", rebuild=True)
        with pytest.raises(VenvError, match="gunicorn_venv_rebuild: true"):
            venv_state.stays(str(outlived), python, rebuild=False)


class TestInPlace:
    """What is the user's own, without requirements: changed in place, with a way back."""

    def test_a_backup(self, venv: Path, host: Host, newest: str) -> None:
        """It is what the venv was, stays until the caller decides, and can be put back."""
        before = snapshot(venv)
        wanted = want(venv, version=OLDEST, activate=False)
        first = host.ensure(wanted)
        assert (first["directory"], first["backup"]) == (str(venv), f"{venv}.gunicorn-backup")
        assert snapshot(Path(first["backup"])) == before
        assert not atomic_directories.is_interrupted(str(venv))
        second = host.ensure(wanted)
        assert (second["changed"], second["backup"], second["fingerprint"]) == (
            False,
            first["backup"],
            first["fingerprint"],
        )
        third = host.ensure(
            wanted._replace(version="25.0.0,>=23") if newest == "25.0.0" else want(venv, activate=False)
        )
        assert third["backup"] == first["backup"]
        backup.restore(str(venv), first["backup"])
        assert snapshot(venv) == before
        assert gunicorn_answers(venv) == f"gunicorn (version {newest})\n"

    def test_activated(self, venv: Path, host: Host) -> None:
        """No backup is left, not even one of a run before."""
        assert host.ensure(want(venv, version=OLDEST))["backup"] == ""
        assert atomic_directories.leftovers(str(venv)) == []
        host.ensure(want(venv, version=">23", activate=False))
        assert host.ensure(want(venv, version=">23"))["backup"] == ""
        assert atomic_directories.leftovers(str(venv)) == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"version": OLDEST, "settings": {"timeut": 30}},
            {"version": "==1000"},
            {"version": OLDEST, "pip_extra_args": ["nosuch"]},
        ],
    )
    def test_what_fails_is_put_back(self, venv: Path, host: Host, changes: dict) -> None:
        """Byte for byte, and nothing is left beside it."""
        before = snapshot(venv.parent)
        with pytest.raises((VenvError, InvalidValue)):
            host.ensure(want(venv, activate=False, **changes))
        assert snapshot(venv.parent) == before

    def test_an_upgrade_of_nothing(self, venv: Path, host: Host) -> None:
        """Leaves no backup."""
        result = host.ensure(want(venv, upgrade=True, activate=False))
        assert (result["changed"], result["backup"]) == (False, "")
        assert atomic_directories.leftovers(str(venv)) == []

    def test_a_first_one_that_fails(self, tmp_path: Path, host: Host) -> None:
        """Is not there; an empty directory that was, is."""
        (tmp_path / "empty").mkdir()
        for name in ("empty", "none"):
            with pytest.raises(InvalidValue):
                host.ensure(want(tmp_path / name, settings={"timeut": 30}))
        assert snapshot(tmp_path) == {"empty": ""}


# Imported by a Python that finds it on its path: ends the process before its n-th change below a directory.
KILLER = """
import os, signal, sys
left = [int(os.environ["KILL_BEFORE_STEP"])]
def hook(event, arguments):
    writes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") or (
        event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT)
    if writes and str(arguments[0]).startswith(os.environ["KILL_BELOW"]):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
"""


class TestKilled:
    """Where pip, and what called it, die while they change something."""

    @pytest.fixture
    def kill(self, host: Host, tmp_path: Path) -> Callable[[VenvSpec, int], bool]:
        """Bring a venv to what is wanted in a process that dies with its pip; whether pip came to that step."""
        (tmp_path / "killer").mkdir()
        (tmp_path / "killer/sitecustomize.py").write_text(KILLER)

        def run(command: list, data: str) -> tuple[int, str, str]:
            result = host.run(command, data=data)
            if result[0] == -signal.SIGKILL:
                os._exit(9)
            return result

        def kill(wanted: VenvSpec, step: int) -> bool:
            child = os.fork()
            if not child:
                host.environment.update(
                    PYTHONPATH=str(tmp_path / "killer"), KILL_BEFORE_STEP=str(step), KILL_BELOW=wanted.path
                )
                try:
                    ensure.ensure(wanted, Runner(run), check_mode=False)
                    os._exit(0)
                finally:
                    os._exit(1)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert code in (0, 9)
            return code == 9

        return kill

    @pytest.mark.parametrize("step", [1, 2, 5, 60, 200])
    def test_in_place(self, venv: Path, host: Host, kill: Callable, step: int, newest: str) -> None:
        """The next run puts the backup back and does the work; check mode says so and touches nothing."""
        before = snapshot(venv)
        wanted = want(venv, version=OLDEST, activate=False)
        assert kill(wanted, step)
        left = snapshot(venv.parent)
        assert host.ensure(wanted, check_mode=True)["changed"]
        assert snapshot(venv.parent) == left
        result = host.ensure(wanted)
        assert (result["changed"], result["gunicorn_version"]) == (True, OLDEST)
        assert snapshot(Path(result["backup"])) == before
        assert gunicorn_answers(venv) == f"gunicorn (version {OLDEST})\n"
        assert not host.ensure(wanted)["changed"]

    def test_in_place_and_not_wanted_any_more(self, venv: Path, host: Host, kill: Callable) -> None:
        """What was put back satisfies what is wanted; that is a change all the same."""
        before = snapshot(venv)
        assert kill(want(venv, version=OLDEST), 60)
        assert host.ensure(want(venv))["changed"]
        assert snapshot(venv) == before
        assert atomic_directories.leftovers(str(venv)) == []

    @pytest.mark.parametrize("step", [3, 300])
    def test_beside(self, venv: Path, host: Host, kill: Callable, step: int) -> None:
        """The old one works all the time, and the next run removes what was begun."""
        before = snapshot(venv)
        wanted = want(venv, requirements=["notes"])
        assert kill(wanted, step)
        assert snapshot(venv) == before
        (begun,) = venv.parent.glob("venv-*")
        result = host.ensure(wanted)
        assert not begun.exists()
        assert {path.name for path in venv.parent.glob("venv-*")} == {Path(result["directory"]).name}

    @pytest.mark.parametrize("step", [1, 5, 300])
    def test_the_first_one(self, tmp_path: Path, host: Host, kill: Callable, step: int, newest: str) -> None:
        """Half of one is none, for the plan as well."""
        wanted = want(tmp_path / "venv")
        assert kill(wanted, step)
        assert not venv_state.is_venv(wanted.path)
        assert host.ensure(wanted)["gunicorn_version"] == newest
        assert not host.ensure(wanted)["changed"]


class TestOtherThings:
    def test_a_file(self, tmp_path: Path, host: Host) -> None:
        """It stays as it is."""
        (tmp_path / "venv").write_text("x")
        with pytest.raises(
            InvalidValue, match=r"gunicorn_venv: '.*/venv' can't be used: expected a virtual environment"
        ):
            host.ensure(want(tmp_path / "venv"))
        assert (tmp_path / "venv").read_text() == "x"

    def test_a_folder_that_is_no_venv(self, tmp_path: Path, host: Host) -> None:
        """Nothing is put into, say, the project's code."""
        (tmp_path / "manage.py").touch()
        with pytest.raises(InvalidValue, match="gunicorn_venv: .* or a path where nothing is yet"):
            host.ensure(want(tmp_path))
        assert [path.name for path in tmp_path.iterdir()] == ["manage.py"]
        assert host.commands == []


class TestSettings:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"settings": {"timeut": 30}},
                "gunicorn_settings['timeut']: 30 can't be used: *the nearest is 'timeout', says",
            ),
            (
                {"settings": {"timeout": "long"}},
                "gunicorn_settings['timeout']: 'long' can't be used: expected a value that",
            ),
            ({"settings": {"preload_app": 5}}, "gunicorn_settings['preload_app']: 5 can't be used: "),
            ({"worker_class": "gthred"}, "gunicorn_worker_class: 'gthred' can't be used: expected one of *gthread"),
            (
                {"worker_class": "gevent"},
                "gunicorn_worker_class: 'gevent' can't be used: *library is in the venv (*gevent",
            ),
        ],
    )
    @pytest.mark.parametrize("check_mode", [False, True])
    def test_what_the_installed_gunicorn_does_not_take(
        self, made: tuple, host: Host, newest: str, changes: dict, message: str, check_mode: bool
    ) -> None:
        """The role's variable is named, and the version that was asked; check mode sees it, too."""
        with pytest.raises(InvalidValue) as caught:
            host.ensure(want(made[0], **changes), check_mode)
        first, *others = message.split("*")
        assert str(caught.value).startswith(first)
        assert all(other in str(caught.value) for other in others)
        assert str(caught.value).endswith(f", says Gunicorn {newest}")

    def test_good_settings(self, made: tuple, host: Host) -> None:
        """They change nothing in the venv."""
        wanted = want(made[0], settings={"graceful_timeout": 30, "max_requests": "1000"}, worker_class="gthread")
        assert not host.ensure(wanted)["changed"]


class TestRequirements:
    def test_a_list(self, venv: Path, host: Host) -> None:
        """Installed once, in the same run of pip as Gunicorn, and again when a line changes."""
        first = host.ensure(want(venv, requirements=["notes<2"]))
        assert first["changed"]
        assert "notes==1.0\n" in first["diff"]["after"]
        assert not host.ensure(want(venv, requirements=["notes<2"]))["changed"]
        second = host.ensure(want(venv, requirements=["notes>=2"]))
        assert second["changed"]
        assert "notes==2.0\n" in second["diff"]["after"]
        assert len(host.pip_runs) == 1
        assert host.ensure(want(venv, requirements=["notes"]))["changed"], "any line that changed is asked about"
        assert not host.ensure(want(venv))["changed"], "nothing is taken out"

    def test_a_file(self, venv: Path, tmp_path: Path, host: Host) -> None:
        """Files that it includes are found next to it."""
        (tmp_path / "base.txt").write_text("-r more/notes.txt\n")
        (tmp_path / "more").mkdir()
        (tmp_path / "more/notes.txt").write_text("notes\n")
        (tmp_path / "constraints.txt").write_text("notes<2\n")
        (tmp_path / "requirements.txt").write_text("# all\n-r base.txt  # the rest\n\n--constraint=constraints.txt\n")
        given = venv_requirements.read_requirements(str(tmp_path / "requirements.txt"))
        assert given == [f"-r {tmp_path}/base.txt", f"--constraint={tmp_path}/constraints.txt"]
        result = host.ensure(want(venv, requirements=given))
        assert "notes==1.0\n" in result["diff"]["after"]
        assert not host.ensure(want(venv, requirements=given))["changed"]

    def test_one_that_can_not_be_installed(self, venv: Path, host: Host) -> None:
        """It is tried again on the next run: the lines count as installed only after pip said so."""
        for _run in range(2):
            with pytest.raises(VenvError, match="No matching distribution found for nosuch"):
                host.ensure(want(venv, requirements=["notes", "nosuch"]))

    def test_check_mode_changes_nothing(self, venv: Path, host: Host) -> None:
        """A changed line would be a change."""
        before = snapshot(venv)
        assert host.ensure(want(venv, requirements=["notes"]), check_mode=True)["changed"]
        assert snapshot(venv) == before

    @pytest.mark.parametrize(
        ("given", "lines"),
        [
            (None, []),
            ("", []),
            ([], []),
            (["Django~=5.2", " psycopg[binary] "], ["Django~=5.2", "psycopg[binary]"]),
            (["# no", "Django # the framework", "x\t# y", ""], ["Django", "x"]),
            (["notes @ https://example.com/n.whl#sha256=0"], ["notes @ https://example.com/n.whl#sha256=0"]),
        ],
    )
    def test_lines_of_a_list(self, given: list | str | None, lines: list[str]) -> None:
        """As pip reads them: a hash begins a comment only after white space."""
        assert venv_requirements.read_requirements(given) == lines

    @pytest.mark.parametrize(
        ("line", "whole"),
        [
            ("-r base.txt", "-r {0}/base.txt"),
            ("  -c ../c.txt", "-c {0}/../c.txt"),
            ("-rbase.txt", "-r{0}/base.txt"),
            ("--requirement base.txt", "--requirement {0}/base.txt"),
            ("--constraint=c.txt", "--constraint={0}/c.txt"),
            ("-r /srv/base.txt", "-r /srv/base.txt"),
            ("-r https://example.com/base.txt", "-r https://example.com/base.txt"),
            ("psycopg-c==3", "psycopg-c==3"),
            ("foo-r", "foo-r"),
            ("--require-hashes", "--require-hashes"),
            ("notes==1 \\", "notes==1 \\"),
        ],
    )
    def test_lines_of_a_file(self, tmp_path: Path, line: str, whole: str) -> None:
        """Only names of files become whole paths, since pip gets the lines from elsewhere."""
        (tmp_path / "r.txt").write_text(f"{line}\n", encoding="utf-8")
        assert venv_requirements.read_requirements(str(tmp_path / "r.txt")) == [whole.format(tmp_path)]

    @pytest.mark.parametrize("given", [5, True, {"a": 1}, ["a", 5], [None], [["a"]]])
    def test_what_is_neither_is_refused(self, given: object) -> None:
        """Ansible can't tell for an option that takes both."""
        with pytest.raises(InvalidValue) as caught:
            venv_requirements.read_requirements(given)
        assert str(caught.value).startswith(f"gunicorn_requirements: {given!r} can't be used: expected a list")

    @pytest.mark.parametrize(
        ("prepare", "reason"),
        [
            (lambda path: None, "No such file or directory"),
            (lambda path: path.mkdir(), "Is a directory"),
            (lambda path: path.write_bytes(b"\xe9\n"), "not UTF-8"),
        ],
    )
    def test_a_file_that_can_not_be_read(self, tmp_path: Path, prepare: Callable[[Path], object], reason: str) -> None:
        """The error names the file and says why."""
        prepare(tmp_path / "r.txt")
        with pytest.raises(InvalidValue, match=f"gunicorn_requirements: '{tmp_path}/r.txt' .*{reason}"):
            venv_requirements.read_requirements(str(tmp_path / "r.txt"))


class TestStamp:
    def test_the_lines_that_were_installed_last(self, tmp_path: Path) -> None:
        """Any other line counts as not installed, and so does a stamp that is no text."""
        assert not venv_requirements.has_stamp(str(tmp_path), ["notes"])
        venv_requirements.write_stamp(str(tmp_path), ["notes"])
        assert venv_requirements.has_stamp(str(tmp_path), ["notes"])
        assert not venv_requirements.has_stamp(str(tmp_path), ["notes<2"])
        assert venv_requirements.has_stamp(str(tmp_path), [])
        (tmp_path / venv_requirements.STAMP).write_bytes(b"\xe9")
        assert not venv_requirements.has_stamp(str(tmp_path), ["notes"])

    def test_a_file_is_replaced(self, tmp_path: Path) -> None:
        """A backup shares the file that was there."""
        stamp, shared = tmp_path / venv_requirements.STAMP, tmp_path / "shared"
        stamp.write_text("old")
        os.link(stamp, shared)
        venv_requirements.write_stamp(str(tmp_path), ["notes"])
        assert (stamp.read_text() != "old", shared.read_text()) == (True, "old")


@pytest.mark.parametrize(
    ("requirements", "resolutions"),
    [
        (["Flask"], [["gunicorn>=23.0.0", "Flask"]]),
        (["Flask==3.1.0 \\", "--hash=sha256:ab"], [["Flask==3.1.0 \\", "--hash=sha256:ab"], ["gunicorn>=23.0.0"]]),
    ],
)
def test_lines_with_hashes_are_installed_on_their_own(requirements: list, resolutions: list) -> None:
    """In one file with hashes, pip wants a hash of Gunicorn, too."""
    assert install.resolutions(want(Path("/v"), requirements=requirements)) == resolutions


class TestUv:
    """The same with uv in place of pip: its command line is another program's."""

    @pytest.fixture
    def wanted(self, index: Path, tmp_path: Path) -> VenvSpec:
        """A venv with requirements, from the folder of wheels."""
        # Debian keeps what ensurepip installs elsewhere.
        folders = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
        bundled = next(folder for folder in folders if list(folder.glob("pip-*.whl")))
        arguments = ["--no-index", f"--find-links={index}", f"--find-links={bundled}"]
        arguments.append(f"--cache-dir={tmp_path}/cache")
        path = tmp_path / "opt" / "venv"
        return want(path, installer="uv", requirements=["notes<2"], pip_extra_args=arguments)

    def test_it_is_made_and_then_left_alone(self, index: Path, wanted: VenvSpec) -> None:
        """What is installed is what was asked for, compiled, and with pip; another run installs nothing."""
        host = Host(index)
        made = host.ensure(wanted)
        assert (made["changed"], "notes==1.0\n" in made["diff"]["after"]) == (True, True)
        site = next(Path(made["directory"]).glob("lib/python3*/site-packages"))
        assert list(site.glob("gunicorn/__pycache__/app*.pyc")) or list(site.glob("gunicorn/app/__pycache__/*.pyc"))
        assert (Path(made["directory"]) / "bin/pip").exists()
        assert host.ensure(wanted)["changed"] is False
        assert host.pip_runs == []

    def test_another_version_keeps_the_rest(self, index: Path, wanted: VenvSpec) -> None:
        """A new venv beside the old one, with what that had."""
        host = Host(index)
        host.ensure(wanted._replace(version=OLDEST))
        changed = host.ensure(wanted._replace(version=OLDEST, requirements=["notes>=2"]))
        assert (changed["changed"], changed["gunicorn_version"]) == (True, OLDEST)
        assert "notes==2.0\n" in changed["diff"]["after"]

    def test_what_can_not_be_installed_is_said_by_uv(self, index: Path, wanted: VenvSpec) -> None:
        """And no venv is left behind."""
        with pytest.raises(VenvError, match=r"uv could not install into .*nonsense"):
            Host(index).ensure(wanted._replace(requirements=["nonsense"]))
        assert not Path(wanted.path).exists()

    def test_pip_takes_over(self, index: Path, wanted: VenvSpec) -> None:
        """What uv made can be changed by pip."""
        host = Host(index)
        host.ensure(wanted)
        changed = host.ensure(wanted._replace(installer="pip", requirements=["notes>=2"], pip_extra_args=[]))
        assert "notes==2.0\n" in changed["diff"]["after"]
