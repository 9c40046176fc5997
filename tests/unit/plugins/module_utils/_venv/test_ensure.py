# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Callable

import pytest
from venvs import OLDEST, Host, gunicorn_answers, make_project, package, snapshot, value_in, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories as atomic_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup, ensure, stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec


class TestFresh:
    def test_it_is_made(self, made: tuple, newest: str) -> None:
        """The folders above it are made, too, and the newest Gunicorn works in it."""
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
        """It asks the venv once, calls no pip, and returns the same except for `changed`."""
        path, first, _commands = made
        before = snapshot(path)
        second = host.ensure(want(path))
        assert {**second, "changed": True, "diff": first["diff"]} == first
        assert not second["changed"]
        assert second["diff"]["before"] == second["diff"]["after"]
        assert len(host.commands) == 1
        assert snapshot(path) == before

    def test_check_mode_makes_nothing(self, tmp_path: Path, host: Host) -> None:
        """It says that there would be a change, and nothing else is known."""
        result = host.ensure(want(tmp_path / "venv", settings={"nosuch": 1}), check_mode=True)
        assert result["changed"]
        assert (result["gunicorn_version"], result["python_version"], result["fingerprint"]) == (None, None, "")
        assert list(tmp_path.iterdir()) == []
        assert host.commands == []

    def test_what_can_not_be_made_leaves_nothing(self, tmp_path: Path, host: Host) -> None:
        """The next run does not find half of a venv."""
        broken = tmp_path / "python"
        broken.write_text('#!/bin/sh\nmkdir -p "$4/bin"; echo one; echo "no ensurepip" >&2; exit 1\n')
        broken.chmod(0o755)
        with pytest.raises(VenvError, match=r"gunicorn_venv: .*/venv could not be made: no ensurepip"):
            host.ensure(want(tmp_path / "venv", python=str(broken)))
        assert not (tmp_path / "venv").exists()


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
        """It asks pip each time, and it is a change only if a version differs."""
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

    def test_check_mode_changes_nothing(self, venv: Path, host: Host) -> None:
        """It says that a changed line would be a change."""
        before = snapshot(venv)
        assert host.ensure(want(venv, requirements=["notes"]), check_mode=True)["changed"]
        assert snapshot(venv) == before


class TestBuiltBeside:
    """With requirements, the venv is the role's: it is never changed, but built anew."""

    def test_from_nothing(self, tmp_path: Path, host: Host) -> None:
        """The path is a link from the start, the scripts name the real directory, and a second run finds the same."""
        path = tmp_path / "opt" / "venv"
        first = host.ensure(want(path, requirements=["notes<2"]))
        (built,) = path.parent.glob("venv-*")
        assert (first["changed"], first["directory"], first["backup"]) == (True, str(built), "")
        assert os.readlink(path) == str(built)
        assert (built / "bin/gunicorn").read_text().startswith(f"#!{built}/bin/python")
        assert sorted(file.name for file in built.glob(".gunicorn*")) == [stamp.NAME, ".gunicorn-venv"]
        second = host.ensure(want(path, requirements=["notes<2"]))
        assert {**second, "changed": True, "diff": first["diff"]} == first
        assert (second["changed"], host.pip_runs) == (False, [])

    def test_instead_of_a_directory(self, venv: Path, host: Host, newest: str) -> None:
        """The old one is not touched, and stays for processes that run from it until the next change."""
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

    def test_what_is_used_stays(self, venv: Path, host: Host) -> None:
        """The live service may run from the one that was activated before the last one; it goes once it is not used."""
        first = host.ensure(want(venv, requirements=["notes<2"]))["directory"]
        host.in_use = [first]
        second = host.ensure(want(venv, requirements=["notes>=2"]))["directory"]
        third = host.ensure(want(venv, requirements=["notes<2"]))["directory"]
        fourth = host.ensure(want(venv, requirements=["notes>=2"]))["directory"]
        assert atomic_directories.leftovers(str(venv)) == sorted([first, third])
        assert not Path(second).exists()
        host.in_use = []
        host.ensure(want(venv, requirements=["notes<2"]))
        assert atomic_directories.leftovers(str(venv)) == [fourth]

    def test_another_one_can_count(self, venv: Path, host: Host) -> None:
        """That of an older release: if it has what is wanted, it is the result, and nothing is built."""
        first = host.ensure(want(venv, requirements=["notes<2"]))["directory"]
        second = host.ensure(want(venv, requirements=["notes>=2"]))["directory"]
        wanted = want(venv, requirements=["notes<2"], activate=False, standing=first)
        found = host.ensure(wanted)
        assert (found["changed"], found["directory"], os.path.realpath(venv)) == (False, first, second)
        gone = host.ensure(wanted._replace(standing=f"{venv}-gone"))
        assert gone["directory"] not in (first, second)

    def test_the_same_requirements_in_another_file_are_read_once(self, tmp_path: Path, venv: Path, host: Host) -> None:
        """As those of the next release are: from then on, the new file is compared, and the old one may go."""
        old, new = tmp_path / "1a" / "requirements.txt", tmp_path / "2b" / "requirements.txt"
        for path in (old, new):
            path.parent.mkdir()
            path.write_text("notes<2\n")
        first = host.ensure(want(venv, requirements_file=str(old)))
        second = host.ensure(want(venv, requirements_file=str(new)))
        assert (second["changed"], second["directory"]) == (False, first["directory"])
        old.unlink()
        assert list(stamp.read(first["directory"]).files) == [str(new)]
        assert host.ensure(want(venv, requirements_file=str(new)))["changed"] is False

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
        """There is nothing new beside the venv or in it."""
        path = venv if exists else venv.parent / "fresh"
        if exists and "python" in changes:
            changes = {**changes, "rebuild": True}
        before = snapshot(venv.parent)
        with pytest.raises((VenvError, InvalidValue)):
            host.ensure(want(path, **changes))
        assert snapshot(venv.parent) == before

    def test_a_mount_point(self, monkeypatch: pytest.MonkeyPatch, venv: Path, host: Host) -> None:
        """It can't be exchanged, and the error comes before any work."""
        monkeypatch.setattr(os.path, "ismount", lambda path: path == str(venv))
        for requirements in (["notes"], []):
            with pytest.raises(InvalidValue, match="gunicorn_venv: .* no mount point"):
                host.ensure(want(venv, version=OLDEST, requirements=requirements))
        assert host.pip_runs == []


class TestNewCode:
    """The version of what is installed tells nothing about its code."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        """A project, and a file that requires it."""
        (tmp_path / "requirements.txt").write_text("./shop\nnotes<2\n")
        return make_project(tmp_path / "shop")

    @pytest.fixture
    def wanted(self, tmp_path: Path, project: Path) -> VenvSpec:
        """A venv with this project."""
        return want(tmp_path / "opt/venv", requirements_file=f"{project.parent}/requirements.txt")

    def test_of_a_directory(self, host: Host, wanted: VenvSpec, project: Path) -> None:
        """It is installed anew, and the fingerprint says so."""
        first = host.ensure(wanted)
        assert value_in(Path(wanted.path)) == "1"
        assert not host.ensure(wanted)["changed"]
        (project / "shop.py").write_text("value = 2\n")
        assert host.ensure(wanted, check_mode=True)["changed"]
        second = host.ensure(wanted)
        assert (second["changed"], value_in(Path(wanted.path))) == (True, "2")
        assert first["fingerprint"] != second["fingerprint"]
        assert f"shop==1.0 (file://{project})\n" in second["diff"]["after"]
        assert (host.ensure(wanted)["changed"], len(host.commands)) == (False, 1)

    def test_that_is_none(self, host: Host, wanted: VenvSpec, project: Path) -> None:
        """A file that gets into no package: the new venv has nothing new, and the next run knows that."""
        first = host.ensure(wanted)
        (project / "notes.txt").write_text("to do\n")
        again = host.ensure(wanted)
        assert (again["changed"], again["directory"]) == (False, first["directory"])
        assert len(host.pip_runs) > 0
        host.ensure(wanted)
        assert host.pip_runs == []
        assert {path.name for path in Path(wanted.path).parent.iterdir()} == {"venv", Path(first["directory"]).name}

    def test_comments_and_included_files(self, host: Host, wanted: VenvSpec, tmp_path: Path) -> None:
        """A comment is no change; a line in an included file is one."""
        (tmp_path / "requirements.txt").write_text("-r more.txt\n")
        (tmp_path / "more.txt").write_text("notes<2\n")
        host.ensure(wanted)
        (tmp_path / "more.txt").write_text("# Keep it.\nnotes<2\n")
        assert (host.ensure(wanted)["changed"], host.pip_runs) == (False, [])
        (tmp_path / "more.txt").write_text("notes>=2\n")
        assert "notes==2.0\n" in host.ensure(wanted)["diff"]["after"]

    def test_by_hand(self, host: Host, wanted: VenvSpec) -> None:
        """What somebody installed beside stays; what a requirement does not allow is put right."""
        host.ensure(wanted)
        pip = [f"{wanted.path}/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"]
        host.run([*pip, "notes==2.0"], "")
        assert "notes==1.0\n" in host.ensure(wanted)["diff"]["after"]


class TestLocked:
    """What requirements with hashes name is what is installed."""

    @pytest.fixture
    def wanted(self, tmp_path: Path, index: Path) -> VenvSpec:
        """A venv from a lock that names one package."""
        self.lock(tmp_path, index, "notes-1.0")
        return want(tmp_path / "opt/venv", requirements_file=f"{tmp_path}/lock.txt")

    def lock(self, folder: Path, index: Path, *names: str) -> None:
        """Lock these wheels, in a file that another one includes."""
        lines = []
        for name in names:
            (wheel,) = index.glob(f"{name}-*.whl")
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{name.replace('-', '==')} --hash=sha256:{digest}\n")
        (folder / "lock.txt").write_text("-r base.txt\n")
        (folder / "base.txt").write_text("".join(lines))

    def test_gunicorn_is_added(self, host: Host, wanted: VenvSpec, newest: str) -> None:
        """A lock that does not name it keeps its own versions, also with an upgrade."""
        constraints = []
        passed = host.run

        def run(command: list, data: str, environ_update: dict | None = None, cwd: str = "/") -> tuple[int, str, str]:
            words = json.loads(data) if data.startswith("[") else []
            named = [word.partition("=")[2] for word in words if word.startswith("--constraint=")]
            constraints.extend(Path(path).read_text() for path in named)
            return passed(command, data, environ_update, cwd)

        host.run = run  # type: ignore[method-assign]
        made = host.ensure(wanted)
        assert (made["gunicorn_version"], "notes==1.0\n" in made["diff"]["after"]) == (newest, True)
        assert ["notes==1.0\n" in text for text in constraints] == [True], "whatever Gunicorn would like"
        assert not host.ensure(wanted)["changed"]
        assert not host.ensure(wanted._replace(upgrade=True))["changed"]

    def test_where_the_lock_says(self, host: Host, wanted: VenvSpec, tmp_path: Path, index: Path, newest: str) -> None:
        """What is added comes from the index that the lock names, and from no other."""
        path = tmp_path / "base.txt"
        path.write_text(f"--no-index\n--find-links {index}\n{path.read_text()}")
        host.environment.update(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL="http://127.0.0.1:9/simple")
        assert host.ensure(wanted)["gunicorn_version"] == newest

    def test_one_that_may_not_be_added(self, host: Host, wanted: VenvSpec) -> None:
        """The error names the variable, and no file that only pip has seen."""
        with pytest.raises(VenvError, match=r"These do not: gunicorn.* \(from -r gunicorn_version \(line 1\)\)"):
            host.ensure(wanted._replace(pip_extra_args=["--require-hashes"]))

    def test_gunicorn_is_locked(self, host: Host, wanted: VenvSpec, tmp_path: Path, index: Path) -> None:
        """Its version is the lock's, also with an upgrade; gunicorn_version may not say otherwise."""
        self.lock(tmp_path, index, "notes-1.0", f"gunicorn-{OLDEST}", "packaging")
        path = tmp_path / "base.txt"
        version = next(index.glob("packaging-*.whl")).name.split("-")[1]
        path.write_text(path.read_text().replace("packaging ", f"packaging=={version} "))
        for upgrade in (False, True):
            assert host.ensure(wanted._replace(upgrade=upgrade))["gunicorn_version"] == OLDEST
        assert not host.ensure(wanted)["changed"]
        before = snapshot(tmp_path)
        with pytest.raises(InvalidValue, match=f"gunicorn_version: '27.0.1' .* which is gunicorn=={OLDEST}"):
            host.ensure(wanted._replace(version="27.0.1"))
        assert snapshot(tmp_path) == before

    def test_a_wrong_hash(self, host: Host, wanted: VenvSpec, tmp_path: Path) -> None:
        """Nothing is installed."""
        path = tmp_path / "base.txt"
        path.write_text(f"notes==1.0 --hash=sha256:{'0' * 64}\n")
        with pytest.raises(VenvError, match="DO NOT MATCH"):
            host.ensure(wanted)
        assert not Path(wanted.path).exists()

    @pytest.mark.parametrize("requirement", ["notes==2.0", "notes==1.0"])
    def test_by_hand(self, host: Host, wanted: VenvSpec, requirement: str) -> None:
        """Whatever somebody installs in the venv is put right, whether its version tells or not."""
        first = host.ensure(wanted)
        pip = [f"{wanted.path}/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"]
        assert host.run([*pip, requirement], "")[0] == 0
        second = host.ensure(wanted)
        assert (second["changed"], second["diff"]["after"]) == (True, first["diff"]["after"])
        assert not host.ensure(wanted)["changed"]


class TestRebuild:
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
        """On Debian, a venv names python3; after an upgrade, that finds nothing of what was installed."""
        configuration = venv / "pyvenv.cfg"
        version = "version = " + ".".join(map(str, sys.version_info[:3]))
        assert version in configuration.read_text()
        configuration.write_text(configuration.read_text().replace(version, "version = 3.2.1"))
        with pytest.raises(VenvError, match="it was made for Python 3.2, and its interpreter .* is 3."):
            host.ensure(want(venv, requirements=["notes"]))
        assert host.ensure(want(venv, requirements=["notes"], rebuild=True))["changed"]

    def test_a_directory_that_is_gone(self, tmp_path: Path, host: Host) -> None:
        """A link that leads nowhere is a venv that does not work any more."""
        (tmp_path / "venv").symlink_to("venv-1a2b3c4d")
        with pytest.raises(VenvError, match="does not work any more: .*/venv-1a2b3c4d is gone"):
            host.ensure(want(tmp_path / "venv", requirements=["notes"]))
        assert host.ensure(want(tmp_path / "venv", requirements=["notes"], rebuild=True))["changed"]

    def test_the_same_python(self, venv: Path, host: Host) -> None:
        """There is nothing to do, and no requirements are needed."""
        before = snapshot(venv)
        assert not host.ensure(want(venv, rebuild=True))["changed"]
        assert snapshot(venv) == before

    def test_another_python(self, venv: Path, host: Host, tmp_path: Path) -> None:
        """Without `rebuild`, the venv keeps its own interpreter."""
        other = tmp_path / "python"
        other.write_text(
            f'#!/bin/sh\n[ "$2 ${{#3}}" != "-c {len(venv_state._WHICH_INTERPRETER)}" ] || exec echo /opt/other/python\nexec {sys.executable} "$@"\n'
        )
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


class TestInPlace:
    """Without requirements, the venv is the user's: it is changed in place, with a way back."""

    def test_a_backup(self, venv: Path, host: Host, newest: str) -> None:
        """It has what the venv had, stays until the caller decides, and can be put back."""
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
        """No backup is left, not even that of an earlier run."""
        assert host.ensure(want(venv, version=OLDEST))["backup"] == ""
        assert atomic_directories.leftovers(str(venv)) == []
        host.ensure(want(venv, version=">23", activate=False))
        assert host.ensure(want(venv, version=">23"))["backup"] == ""
        assert atomic_directories.leftovers(str(venv)) == []

    def test_a_backup_that_is_used_stays(self, venv: Path, host: Host) -> None:
        """Until nothing needs it any more."""
        first = host.ensure(want(venv, version=OLDEST, activate=False))["backup"]
        host.in_use = [first]
        assert host.ensure(want(venv, version=OLDEST))["backup"] == ""
        assert atomic_directories.leftovers(str(venv)) == [first]
        host.in_use = []
        host.ensure(want(venv, version=OLDEST))
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
        """Each file is as it was, and nothing is left beside the venv."""
        before = snapshot(venv.parent)
        with pytest.raises((VenvError, InvalidValue)):
            host.ensure(want(venv, activate=False, **changes))
        assert snapshot(venv.parent) == before

    def test_an_upgrade_of_nothing(self, venv: Path, host: Host) -> None:
        """It leaves no backup."""
        result = host.ensure(want(venv, upgrade=True, activate=False))
        assert (result["changed"], result["backup"]) == (False, "")
        assert atomic_directories.leftovers(str(venv)) == []

    def test_a_first_one_that_fails(self, tmp_path: Path, host: Host) -> None:
        """It leaves nothing, and an empty directory that was there stays."""
        (tmp_path / "empty").mkdir()
        for name in ("empty", "none"):
            with pytest.raises(InvalidValue):
                host.ensure(want(tmp_path / name, settings={"timeut": 30}))
        assert snapshot(tmp_path) == {"empty": ""}


# A sitecustomize.py that kills its process before the n-th change below a directory.
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
    """pip and the process that called it are killed while they change something."""

    @pytest.fixture
    def kill(self, host: Host, tmp_path: Path) -> Callable[[VenvSpec, int], bool]:
        """Call ensure in a process that dies with its pip; returns whether pip came to that step."""
        (tmp_path / "killer").mkdir()
        (tmp_path / "killer/sitecustomize.py").write_text(KILLER)

        def run(command: list, data: str, environ_update: dict | None = None, cwd: str = "/") -> tuple[int, str, str]:
            # An isolated pip would not import the killer.
            is_pip = data.startswith("[")
            command = [word for word in command if word != "-I" or not is_pip]
            result = host.run(command, data, environ_update, cwd)
            if result[0] == -signal.SIGKILL:
                os._exit(9)
            return result

        def kill(wanted: VenvSpec, step: int) -> bool:
            child = os.fork()
            if not child:
                host.environment.update(
                    PYTHONPATH=str(tmp_path / "killer"), KILL_BEFORE_STEP=str(step), KILL_BELOW=wanted.path
                )
                del host.environment["PIP_NO_COMPILE"]  # pip writes bytecode, as on a real host
                try:
                    ensure.ensure(wanted, Runner(run), False, list)
                    os._exit(0)
                finally:
                    os._exit(1)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert code in (0, 9)
            return code == 9

        return kill

    @pytest.mark.parametrize("step", [1, 2, 5, 60, 200])
    def test_in_place(self, venv: Path, host: Host, kill: Callable, step: int, newest: str) -> None:
        """The next run puts the backup back and does the work; check mode says that it would, and touches nothing."""
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
        """The backup has what is wanted, and to put it back is a change all the same."""
        before = snapshot(venv)
        assert kill(want(venv, version=OLDEST), 60)
        assert host.ensure(want(venv))["changed"]
        assert snapshot(venv) == before
        assert atomic_directories.leftovers(str(venv)) == []

    @pytest.mark.parametrize("step", [3, 300])
    def test_beside(self, venv: Path, host: Host, kill: Callable, step: int) -> None:
        """The old one is not touched, and the next run removes what was begun."""
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
        """Half of a venv counts as none, for the plan as well."""
        wanted = want(tmp_path / "venv")
        assert kill(wanted, step)
        assert not venv_state.is_venv(wanted.path)
        assert host.ensure(wanted)["gunicorn_version"] == newest
        assert not host.ensure(wanted)["changed"]
