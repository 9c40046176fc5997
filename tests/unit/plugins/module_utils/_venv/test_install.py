# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ensurepip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from venvs import OLDEST, Host, build_wheel, gunicorn_answers, package, state_of, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import install, requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.install import Run
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Line, Requirement
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec


class TestPip:
    def test_without_pip(self, tmp_path: Path, host: Host, newest: str) -> None:
        """A venv that was made by another tool gets a pip."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
        assert host.ensure(want(tmp_path / "venv"))["gunicorn_version"] == newest
        assert not host.ensure(want(tmp_path / "venv"))["changed"]

    def test_a_version_below_the_floor(self, venv: Path, host: Host, newest: str) -> None:
        """pip refuses it, and the venv stays as it was."""
        with pytest.raises(VenvError, match="gunicorn_version, gunicorn_requirements: pip could not install"):
            host.ensure(want(venv, version="20.1.0"))
        assert gunicorn_answers(venv) == f"gunicorn (version {newest})\n"

    def test_an_index_that_does_not_answer(self, venv: Path, host: Host, newest: str) -> None:
        """The error is one line with what pip said, and the old version is whole and works."""
        nowhere = ["--index-url=http://127.0.0.1:9/simple", "--retries=0", "--timeout=1"]
        host.environment.update(PIP_NO_INDEX="0", PIP_FIND_LINKS="")
        with pytest.raises(VenvError) as caught:
            host.ensure(want(venv, version=OLDEST, pip_extra_args=nowhere))
        assert str(caught.value).startswith("gunicorn_version, gunicorn_requirements: pip could not install into ")
        assert "No matching distribution found for gunicorn" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert gunicorn_answers(venv) == f"gunicorn (version {newest})\n"
        assert not host.ensure(want(venv))["changed"]

    def test_one_that_can_not_be_installed(self, venv: Path, host: Host) -> None:
        """It is tried again on the next run: the lines count as installed only after pip said so."""
        for _run in range(2):
            with pytest.raises(VenvError, match="No matching distribution found for nosuch"):
                host.ensure(want(venv, requirements=["notes", "nosuch"]))


class TestKeptVersions:
    def kept(self, before: dict | None = None, upgrade: bool = False, unmet: tuple = ()) -> set[str]:
        """The names of what a new venv takes over."""
        state = state_of(versions={"gunicorn": "27.0.1", "notes": "1.0", "shop": "1.0"}, **(before or {}))
        item = Requirement("", "", "", "", "", True, False, False, False, False, "", "", True)
        found = requirements.NONE._replace(items=[item._replace(name=name) for name in unmet])
        return set(install.kept_versions(want(Path("/venv"), upgrade=upgrade), state, found))

    def test_what_satisfies(self) -> None:
        """Without an upgrade, all but what the requirements don't allow."""
        assert self.kept() == {"gunicorn", "notes", "shop"}
        assert self.kept(unmet=("notes",)) == {"gunicorn", "shop"}
        assert self.kept(upgrade=True) == set()

    def test_gunicorn(self) -> None:
        """One that only lacks a library of its worker class is not upgraded beside that."""
        assert self.kept({"has_extras": False}) == {"gunicorn", "notes", "shop"}
        assert self.kept({"gunicorn_is_wanted": False}) == {"notes", "shop"}

    def test_what_is_from_no_index(self) -> None:
        """Its version may be another one by now."""
        assert self.kept({"origins": {"shop": "file:///opt/shop#0"}}) == {"gunicorn", "notes"}


class TestRepair:
    @pytest.mark.parametrize("file", ["arbiter.py", "workers/sync.py", "../../../../bin/gunicorn"])
    def test_a_file_that_is_gone(self, venv: Path, host: Host, newest: str, file: str) -> None:
        """pip alone would call Gunicorn "already satisfied"."""
        (package(venv) / file).unlink()
        result = host.ensure(want(venv))
        assert (result["changed"], result["gunicorn_version"]) == (True, newest)
        assert (package(venv) / file).exists()
        assert not host.ensure(want(venv))["changed"]

    def test_it_leaves_the_versions_alone(self, venv: Path, host: Host, index: Path, tmp_path: Path) -> None:
        """Gunicorn and its dependencies are not upgraded, although the index has newer versions."""
        host.ensure(want(venv, version=OLDEST))
        wheels = tmp_path / "wheels"
        shutil.copytree(index, wheels)
        build_wheel(wheels, "packaging", "99.0")
        host.environment["PIP_FIND_LINKS"] = str(wheels)
        (package(venv) / "arbiter.py").unlink()
        result = host.ensure(want(venv))
        assert (result["changed"], result["diff"]["after"]) == (True, result["diff"]["before"])

    def test_what_a_killed_pip_left(self, venv: Path, host: Host, newest: str) -> None:
        """pip had moved the old version away and not yet brought the new one; the next run repairs that."""
        (info,) = package(venv).parent.glob("gunicorn-*.dist-info")
        info.rename(info.parent / f"~{info.name[1:]}")
        package(venv).rename(package(venv).parent / "~unicorn")
        result = host.ensure(want(venv, version=OLDEST))
        assert (result["changed"], result["gunicorn_version"]) == (True, OLDEST)
        assert not host.ensure(want(venv, version=OLDEST))["changed"], f"the rest of {newest} still counts"


class TestNewVenv:
    """What a new venv takes over from the old one."""

    def test_what_satisfies_keeps_its_version(self, tmp_path: Path, host: Host) -> None:
        """This holds for Gunicorn and what it needs, too; with an upgrade, all get the newest version."""
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
        """pip installs another version that satisfies the requirements."""
        host.ensure(want(venv, requirements=["notes<2"]))
        wheels = tmp_path / "wheels"
        shutil.copytree(index, wheels)
        (wheels / "notes-1.0-py3-none-any.whl").unlink()
        host.environment["PIP_FIND_LINKS"] = str(wheels)
        assert "notes==2.0\n" in host.ensure(want(venv, requirements=["notes"]))["diff"]["after"]

    def test_it_sees_the_systems_packages_if_the_old_one_did(self, venv: Path, host: Host) -> None:
        """The book makes its venv in this way."""
        configuration = venv / "pyvenv.cfg"
        text = configuration.read_text()
        assert "include-system-site-packages = false" in text
        configuration.write_text(text.replace("= false", "= true"))
        host.ensure(want(venv, requirements=["notes"]))
        assert "include-system-site-packages = true" in configuration.read_text()


class TestRuns:
    LINES = {"": [Line(1, "notes==1.0", "", False)]}

    def test_one_for_all(self) -> None:
        """One resolution finds what fits together."""
        found = requirements.NONE._replace(lines=self.LINES)
        wanted = want(Path("/v"), requirements=["notes==1.0"], upgrade=True)
        assert install.runs(wanted, found, {"a": "1"}) == [
            Run(["gunicorn>=23.0.0"], True, ["--upgrade"], {}, {"a": "1"})
        ]
        assert install.runs(want(Path("/v")), requirements.NONE, {}) == [Run(["gunicorn>=23.0.0"], False, [], {}, {})]

    def test_hashes(self) -> None:
        """pip wants a hash of each then; uv is told to. What the lock does not name is added afterwards."""
        found = requirements.NONE._replace(lines=self.LINES, requires_hashes=True)
        wanted = want(Path("/v"), requirements=["notes==1.0"])
        first, second = install.runs(wanted, found, {"a": "1"})
        assert first == Run([], True, [], {}, {})
        assert second == Run(["gunicorn>=23.0.0"], False, [], {}, {"a": "1"})
        first, second = install.runs(wanted._replace(installer="uv"), found, {})
        assert (first.options, second.lines) == (["--require-hashes"], ["gunicorn>=23.0.0", "pip"])

    def test_a_lock_that_names_gunicorn(self) -> None:
        """There is nothing to add, for another worker class neither."""
        item = Requirement("", "", "gunicorn", "26.0.0", "", True, True, True, False, False, "", "", True)
        found = requirements.NONE._replace(lines=self.LINES, items=[item], requires_hashes=True)
        wanted = want(Path("/v"), requirements=["notes==1.0"], worker_class="gevent")
        assert install.runs(wanted, found, {}) == [Run([], True, [], {}, {})]
        assert len(install.runs(wanted, found._replace(items=[item._replace(applies=False)]), {})) == 2


class TestPasswords:
    """No password gets where others can read it: to command lines, and to errors."""

    def test_of_pip(self, venv: Path, host: Host, index: Path) -> None:
        """pip reads its arguments, and gets the logins in a netrc; what it says of them is masked."""
        seen: list[tuple] = []
        passed = host.run

        def run(command: list, data: str, environ_update: dict | None = None, cwd: str = "/") -> tuple[int, str, str]:
            if data.startswith("["):
                netrc = Path((environ_update or {})["NETRC"]).read_text()
                file = Path(json.loads(data)[-1].partition("=")[2]).read_text()
                seen.append((command, json.loads(data), environ_update, netrc, file))
                return 1, "", "ERROR: harmless1 and https://u:harmless2@three/ and \x1b[31mred harmless4"
            return passed(command, data, environ_update)

        host.run = run  # type: ignore[method-assign]
        wanted = want(
            venv,
            requirements=["notes @ https://u:harmless1@one.example/notes.whl"],
            pip_extra_args=["--index-url", "https://u:harmless2@two.example/simple", "--timeout=3"],
            environment={"PIP_EXTRA_INDEX_URL": "https://u:harmless3@three.example/", "MY_TOKEN": "harmless4"},
        )
        with pytest.raises(VenvError) as caught:
            host.ensure(wanted)
        assert str(caught.value).endswith(": ERROR: ******** and https://u:********@three/ and red ********")
        (command, arguments, environment, netrc, file) = seen[-1]
        assert (command[1:3], "harmless" in str(command)) == (["-I", "-c"], False)
        assert arguments[4:7] == ["--index-url", "https://two.example/simple", "--timeout=3"]
        assert environment["PIP_EXTRA_INDEX_URL"] == "https://three.example/"
        assert "notes @ https://one.example/notes.whl\n" in file
        assert netrc.split()[-6:] == ["machine", "three.example", "login", "u", "password", "harmless3"]


class TestUv:
    """uv in place of pip, since it has a command line of its own."""

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
        """It has what was asked for, compiled, and pip; another run installs nothing."""
        host = Host(index)
        made = host.ensure(wanted)
        assert (made["changed"], "notes==1.0\n" in made["diff"]["after"]) == (True, True)
        site = next(Path(made["directory"]).glob("lib/python3*/site-packages"))
        assert list(site.glob("gunicorn/__pycache__/app*.pyc")) or list(site.glob("gunicorn/app/__pycache__/*.pyc"))
        assert (Path(made["directory"]) / "bin/pip").exists()
        assert host.ensure(wanted)["changed"] is False
        assert host.pip_runs == []

    def test_another_version_keeps_the_rest(self, index: Path, wanted: VenvSpec) -> None:
        """The new venv has the Gunicorn of the old one."""
        host = Host(index)
        host.ensure(wanted._replace(version=OLDEST))
        changed = host.ensure(wanted._replace(version=OLDEST, requirements=["notes>=2"]))
        assert (changed["changed"], changed["gunicorn_version"]) == (True, OLDEST)
        assert "notes==2.0\n" in changed["diff"]["after"]

    def test_what_can_not_be_installed_is_said_by_uv(self, index: Path, wanted: VenvSpec) -> None:
        """The error has uv's words, and no venv is left behind."""
        with pytest.raises(VenvError, match=r"uv could not install into .*nonsense"):
            Host(index).ensure(wanted._replace(requirements=["nonsense"]))
        assert not Path(wanted.path).exists()

    def test_pip_takes_over(self, host: Host, wanted: VenvSpec) -> None:
        """What uv made can be changed by pip."""
        host.ensure(wanted)
        changed = host.ensure(wanted._replace(installer="pip", requirements=["notes>=2"], pip_extra_args=[]))
        assert "notes==2.0\n" in changed["diff"]["after"]
