# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _venv
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

OLDEST = "23.0.0"


class Host:
    """Runs commands as the module does, but with one folder of wheels for the only index, and remembers them."""

    def __init__(self, wheels: Path) -> None:
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
        done = subprocess.run(command, input=data, env=self.environment, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def ensure(self, wanted: _venv.Wanted, check_mode: bool = False) -> dict:
        """Bring a venv to what is wanted; the commands are those of this one run."""
        self.commands = []
        return _venv.ensure(wanted, self.run, check_mode)

    @property
    def pip_runs(self) -> list[list[str]]:
        """The commands of the last run that called pip."""
        return [command for command in self.commands if "pip" in command]


def want(path: Path, **changes: object) -> _venv.Wanted:
    """What the role's defaults want, but for these."""
    wanted = _venv.Wanted(
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


@pytest.fixture
def host(index: Path) -> Host:
    """A host with nothing done yet."""
    return Host(index)


@pytest.fixture(scope="session")
def made(index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, list[list[str]]]:
    """A venv that was made from nothing, what was returned, and by which commands it was made."""
    path = tmp_path_factory.mktemp("made") / "opt" / "venv"
    host = Host(index)
    return path, host.ensure(want(path)), host.commands


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
        assert _venv.read(want(tmp_path), host.run) is None

    def test_what_can_not_be_made_leaves_nothing(self, tmp_path: Path, host: Host) -> None:
        """The next run finds no half a venv."""
        broken = tmp_path / "python"
        broken.write_text('#!/bin/sh\nmkdir -p "$3/bin"; echo one; echo "no ensurepip" >&2; exit 1\n')
        broken.chmod(0o755)
        with pytest.raises(_venv.VenvError, match=r"gunicorn_venv: .*/venv could not be made: no ensurepip"):
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
        assert _venv.gunicorn_requirement(version) == requirement

    def test_a_version_below_the_floor(self, venv: Path, host: Host, newest: str) -> None:
        """pip refuses it, and what was there stays."""
        with pytest.raises(_venv.VenvError, match="gunicorn_version, gunicorn_requirements: pip could not install"):
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
        with pytest.raises(_venv.VenvError) as caught:
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
        with pytest.raises(_venv.VenvError) as caught:
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
        with pytest.raises(_venv.VenvError, match=r"gunicorn_venv: .* can't be read: libpython3.99.so: cannot open"):
            host.ensure(want(tmp_path))


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
        given = _venv.read_requirements(str(tmp_path / "requirements.txt"))
        assert given == [f"-r {tmp_path}/base.txt", f"--constraint={tmp_path}/constraints.txt"]
        result = host.ensure(want(venv, requirements=given))
        assert "notes==1.0\n" in result["diff"]["after"]
        assert not host.ensure(want(venv, requirements=given))["changed"]

    def test_one_that_can_not_be_installed(self, venv: Path, host: Host) -> None:
        """It is tried again on the next run: the lines count as installed only after pip said so."""
        for _run in range(2):
            with pytest.raises(_venv.VenvError, match="No matching distribution found for nosuch"):
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
        assert _venv.read_requirements(given) == lines

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
        assert _venv.read_requirements(str(tmp_path / "r.txt")) == [whole.format(tmp_path)]

    @pytest.mark.parametrize("given", [5, True, {"a": 1}, ["a", 5], [None], [["a"]]])
    def test_what_is_neither_is_refused(self, given: object) -> None:
        """Ansible can't tell for an option that takes both."""
        with pytest.raises(InvalidValue) as caught:
            _venv.read_requirements(given)
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
            _venv.read_requirements(str(tmp_path / "r.txt"))


class TestState:
    def test_the_fingerprint_is_over_all_versions(self) -> None:
        """It changes with Python and with any package, and not with the order in which they were found."""
        versions = {"gunicorn": "27.0.1", "django": "5.2"}
        state = _venv.State("/v-1", "3.11.2", "/usr/bin/python3.11", "27.0.1", True, versions, True, [], [])
        assert state.listing == "django==5.2\ngunicorn==27.0.1\n"
        same = state._replace(versions={"django": "5.2", "gunicorn": "27.0.1"}, unmet=["x"])
        assert same.fingerprint == state.fingerprint
        others = [
            state._replace(directory="/v-2"),
            state._replace(python_version="3.11.3"),
            state._replace(versions={**versions, "django": "5.3"}),
        ]
        assert len({state.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize(
    ("requirements", "resolutions"),
    [
        (["Flask"], [["gunicorn>=23.0.0", "Flask"]]),
        (["Flask==3.1.0 \\", "--hash=sha256:ab"], [["Flask==3.1.0 \\", "--hash=sha256:ab"], ["gunicorn>=23.0.0"]]),
    ],
)
def test_lines_with_hashes_are_installed_on_their_own(requirements: list, resolutions: list) -> None:
    """In one file with hashes, pip wants a hash of Gunicorn, too."""
    assert _venv._resolutions(want(Path("/v"), requirements=requirements)) == resolutions
