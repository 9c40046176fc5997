# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest
from venvs import Host, snapshot, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import decision, state, trust, unprivileged
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.sources import Source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.stamp import Stamp

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away and drop its rights")
SERVICE, DEPLOY = 54321, 54322  # nobody has these
ROOT_ONLY = None


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def fake(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A venv whose Python is a script that leaves a note of who ran it, with what environment and where."""
    monkeypatch.setattr(accounts, "read_account", {"shop": Account(SERVICE, SERVICE, (SERVICE,))}.get)
    path = open_path / "project" / "venv"
    (path / "bin").mkdir(parents=True)
    (path / "lib/python3.11/site-packages/gunicorn").mkdir(parents=True)
    (path / "pyvenv.cfg").touch()
    (open_path / "note").touch()
    (open_path / "note").chmod(0o666)
    answer = {
        "python_version": "3.11.2",
        "interpreter": "/opt/other/python",
        "gunicorn_version": "27.0.1",
        "gunicorn_is_whole": True,
        "gunicorn_is_wanted": True,
        "has_extras": True,
        "origins": {"../x": "nobody asked"},
        "installed": "0",
        "versions": {"gunicorn": "27.0.1", "notes\n--index-url": "1", "flask": "1\n--index-url=http://192.0.2.1/"},
        "has_pip": True,
        "problems": [],
    }
    (open_path / "answer").write_text(json.dumps(answer))
    script = f'#!/bin/sh\necho "$(id -u) $(id -G) $(pwd) ${{SECRET:-}}" >> {open_path}/note\ncat {open_path}/answer\n'
    (path / "bin/python").write_text(script)
    (path / "bin/python").chmod(0o755)
    return path


def note(fake: Path) -> list[str]:
    """Who ran the venv's Python."""
    return (fake.parents[1] / "note").read_text().splitlines()


def give(path: Path, uid: int, gid: int = 0) -> None:
    os.chown(path, uid, gid, follow_symlinks=False)


class TestRefusal:
    @pytest.mark.parametrize("check_mode", [True, False])
    @pytest.mark.parametrize(
        "part",
        [
            "",
            "venv",
            "venv/bin",
            "venv/bin/python",
            "venv/pyvenv.cfg",
            "venv/lib",
            "venv/lib/python3.11/site-packages",
            "venv/lib/python3.11/site-packages/gunicorn",
        ],
    )
    def test_what_the_services_user_owns(self, fake: Path, host: Host, part: str, check_mode: bool) -> None:
        """The error names the variable, the value and the place; nothing was run or changed, with --check, too."""
        place = fake.parent / part
        give(place, SERVICE)
        before = snapshot(fake)
        with pytest.raises(InvalidValue) as caught:
            host.ensure(want(fake, user="shop", group="shop"), check_mode)
        said = f"gunicorn_venv: '{fake}' can't be used: expected a virtual environment that the user shop can't change"
        assert str(caught.value).startswith(said)
        assert f"{place} belongs to {SERVICE}, with mode 0" in f"{caught.value}"
        assert (note(fake), host.commands, snapshot(fake)) == ([], [], before)

    @pytest.mark.parametrize(
        ("mode", "gid", "refused"), [(0o775, SERVICE, True), (0o777, 0, True), (0o755, SERVICE, False)]
    )
    def test_what_its_group_or_everybody_may_write(
        self, fake: Path, host: Host, mode: int, gid: int, refused: bool
    ) -> None:
        """A parent that it may write in is enough, since it could rename what is there."""
        give(fake.parent, 0, gid)
        fake.parent.chmod(mode)
        if refused:
            with pytest.raises(InvalidValue, match="gunicorn_venv"):
                host.ensure(want(fake, user="shop"), check_mode=True)
        else:
            trust.check(decision.trusted(want(fake, user="shop")), "shop", "")

    def test_a_user_who_is_still_to_be_made(self, fake: Path) -> None:
        """It will own nothing, and may write where everybody may."""
        trust.check(decision.trusted(want(fake)), "unborn", "unborn")
        fake.chmod(0o777)
        with pytest.raises(InvalidValue, match="belongs to root, with mode 0777"):
            trust.check(decision.trusted(want(fake)), "unborn", "unborn")

    def test_the_link_and_what_it_leads_to(self, fake: Path, open_path: Path) -> None:
        """Whoever owns a directory on either way can exchange what is at its end."""
        (open_path / "links").mkdir()
        (open_path / "links/venv").symlink_to(fake)
        wanted = want(open_path / "links/venv")
        trust.check(decision.trusted(wanted), "shop", "")
        for place in ("links", "project"):
            give(open_path / place, SERVICE)
            with pytest.raises(InvalidValue, match=f"{open_path}/{place} belongs to"):
                trust.check(decision.trusted(wanted), "shop", "")
            give(open_path / place, 0)

    def test_what_a_path_file_names(self, fake: Path, open_path: Path) -> None:
        """Python would load pip's parts from there."""
        (open_path / "code").mkdir()
        (fake / "lib/python3.11/site-packages/code.pth").write_text(f"import os\n{open_path}/code\n")
        trust.check(decision.trusted(want(fake)), "shop", "")
        give(open_path / "code", SERVICE)
        with pytest.raises(InvalidValue, match=f"{open_path}/code belongs to"):
            trust.check(decision.trusted(want(fake)), "shop", "")

    @pytest.mark.parametrize(
        ("variable", "changes"),
        [
            ("gunicorn_python", lambda path: {"python": f"{path}/it"}),
            ("gunicorn_requirements", lambda path: {"requirements_file": f"{path}/it"}),
            ("gunicorn_pip_extra_args", lambda path: {"pip_extra_args": [f'--find-links "{path}"']}),
            ("gunicorn_pip_extra_args", lambda path: {"pip_extra_args": [f"--find-links=file:{path}/it"]}),
            ("gunicorn_pip_extra_args", lambda path: {"pip_extra_args": [f"-c{path}/it"]}),
            ("gunicorn_pip_extra_args", lambda path: {"pip_extra_args": ["--no-index", f"--find-links={path}"]}),
            (
                r"gunicorn_pip_environment\['PIP_FIND_LINKS'\]",
                lambda path: {"environment": {"PIP_FIND_LINKS": str(path)}},
            ),
            (
                r"gunicorn_pip_environment\['UV_FIND_LINKS'\]",
                lambda path: {"environment": {"UV_FIND_LINKS": f"/x,{path}"}},
            ),
        ],
    )
    def test_what_else_root_runs_or_installs(
        self, fake: Path, open_path: Path, variable: str, changes: Callable
    ) -> None:
        """The interpreter, and each path from which pip would install as root."""
        folder = open_path / "other"
        folder.mkdir()
        (folder / "it").touch(0o755)
        wanted = want(fake, **changes(folder))
        trust.check(decision.trusted(wanted), "shop", "")
        give(folder / "it", SERVICE)
        with pytest.raises(InvalidValue, match=f"{variable}: .*{folder}/it belongs to"):
            trust.check(decision.trusted(wanted), "shop", "")

    @pytest.mark.parametrize(
        "line",
        [
            "-r {0}/it",
            "notes @ file://{0}/it",
            "notes @ file://localhost{0}/it",
            "-e {0}",
            "{0}",
            '--find-links "{0}"',
            "--find-links=file://{0}",
        ],
    )
    def test_what_requirements_name(self, fake: Path, open_path: Path, host: Host, line: str) -> None:
        """Whatever pip would install from, in a list or in a file, also if it was installed before."""
        folder = open_path / "other"
        folder.mkdir()
        (folder / "it").write_text("notes\n")
        (folder / "pyproject.toml").touch()
        wanted = want(fake, python=sys.executable, user="shop", requirements=[line.replace("{0}", str(folder))])
        assert decision.read_requirements(wanted, None, Runner(host.run)) is not None
        give(folder / "it", SERVICE)
        with pytest.raises(InvalidValue, match=f"gunicorn_requirements: .*{folder}/it belongs to"):
            decision.read_requirements(wanted, None, Runner(host.run))

    @pytest.mark.parametrize("place", ["pkg/sub/it.py", "src/pkg/it.py", "src/pkg"])
    def test_code_below_what_is_installed(self, fake: Path, open_path: Path, place: str) -> None:
        """A build may run it; a folder of uploads in a package is no code."""
        folder = open_path / "other"
        assert fake.is_dir()
        for package in ("pkg", "pkg/sub", "src/pkg"):
            (folder / package).mkdir(parents=True)
            (folder / package / "__init__.py").touch()
        (folder / place).touch()
        (folder / "pkg/media").mkdir()
        give(folder / "pkg/media", SERVICE)
        trust.check([trust.Trusted("x", "y", "code", trust.with_entries(str(folder)))], "shop", "")
        give(folder / place, SERVICE)
        with pytest.raises(InvalidValue, match=f"{folder}/{place} belongs to"):
            trust.check([trust.Trusted("x", "y", "code", trust.with_entries(str(folder)))], "shop", "")

    def test_what_was_installed_before(self, fake: Path, open_path: Path) -> None:
        """Nobody has to read the requirements for that."""
        folder = open_path / "other"
        folder.mkdir()
        assert fake.is_dir()
        for name in ("r.txt", "it"):
            (folder / name).touch()
        noted = Stamp(files={f"{folder}/r.txt": ""}, sources={str(folder): Source("", "")})
        trust.check(decision.noted_paths(noted), "shop", "")
        for name in ("r.txt", "it"):
            give(folder / name, SERVICE)
            with pytest.raises(InvalidValue, match=f"gunicorn_requirements: .*{folder}/{name} belongs to"):
                trust.check(decision.noted_paths(noted), "shop", "")
            give(folder / name, 0)

    def test_nothing_has_to_be_installed(self, fake: Path, open_path: Path, host: Host) -> None:
        """A file that is not read again is refused as well."""
        assert fake.is_dir()
        (open_path / "r.txt").write_text("-r more.txt\n")
        (open_path / "more.txt").write_text("notes\n")
        path = open_path / "project/new"
        wanted = want(path, user="shop", requirements_file=f"{open_path}/r.txt")
        host.ensure(wanted)
        assert not host.ensure(wanted, check_mode=True)["changed"]
        give(open_path / "more.txt", SERVICE)
        with pytest.raises(InvalidValue, match=f"gunicorn_requirements: '{open_path}/more.txt' .* belongs to"):
            host.ensure(wanted, check_mode=True)

    def test_a_place_for_temporary_files(self, fake: Path) -> None:
        """Nothing is installed from there, and everybody may write there."""
        wanted = want(fake, environment={"TMPDIR": "/tmp", "PIP_INDEX_URL": "https://it:secret@example.com/tmp"})
        trust.check(decision.trusted(wanted), "shop", "")

    def test_uv(self, fake: Path, open_path: Path) -> None:
        """Root runs the installer as well."""
        (open_path / "uv").touch(0o755)
        give(open_path / "uv", SERVICE)
        with pytest.raises(InvalidValue, match=f"gunicorn_installer: 'uv' .*{open_path}/uv belongs to"):
            trust.check(decision.trusted(want(fake), f"{open_path}/uv"), "shop", "")


class TestRights:
    def test_of_what_root_alone_can_change(self, fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Root asks itself, and so does somebody else who runs the module."""
        assert trust.rights_for(trust.venv_paths(str(fake))) is ROOT_ONLY
        give(fake, DEPLOY)
        monkeypatch.setattr(os, "geteuid", lambda: DEPLOY)
        assert trust.rights_for(trust.venv_paths(str(fake))) is ROOT_ONLY

    @pytest.mark.parametrize(
        ("owners", "mode", "rights"),
        [
            ({"": "games"}, 0o755, "games"),
            ({"": "games", "venv": "games", "venv/bin/python": "games"}, 0o755, "games"),
            ({"": "games", "venv": "www-data"}, 0o755, "nobody"),
            ({"": "games"}, 0o775, "nobody"),
            ({"": "root"}, 0o777, "nobody"),
            ({"": "root"}, 0o757, "nobody"),
            ({"": "54322"}, 0o755, "nobody"),
        ],
    )
    def test_of_what_others_can_change(self, fake: Path, owners: dict, mode: int, rights: str) -> None:
        """An owner who is alone gets what is the owner's; of several, none gets the rights of another."""
        for part, name in owners.items():
            uid = int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
            give(fake.parent / part, uid, pwd.getpwnam("www-data").pw_gid)
        fake.parent.chmod(mode)
        found = trust.rights_for(trust.venv_paths(str(fake)))
        assert found is not None
        assert (found.uid, found.groups) == (pwd.getpwnam(rights).pw_uid, ())

    def test_a_group_of_ones_own(self, fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is the owner's again, as where a person's umask is 002, unless others are in it, too."""
        games = pwd.getpwnam("games")
        give(fake.parent, games.pw_uid, games.pw_gid)
        fake.parent.chmod(0o775)
        assert trust.rights_for(trust.venv_paths(str(fake))) == Account(games.pw_uid, games.pw_gid, ())
        shared = grp.struct_group(("games", "x", games.pw_gid, ["www-data"]))
        monkeypatch.setattr(grp, "getgrgid", lambda _gid: shared)
        assert trust.rights_for(trust.venv_paths(str(fake))) == trust.NOBODY

    def test_the_owner_asks(self, fake: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """The venv's Python gets its owner's rights, nothing of root's environment, and /; its answer is not believed."""
        games = pwd.getpwnam("games")
        give(fake.parent, games.pw_uid, games.pw_gid)
        monkeypatch.setenv("SECRET", "harmless")
        found = state.ask_probe(want(fake), str(fake), host)  # type: ignore[arg-type]
        assert note(fake) == [f"{games.pw_uid} {games.pw_gid} / "]
        assert host.commands == []
        assert found.interpreter == f"{fake}/bin/python"
        assert (found.versions, found.origins) == ({"gunicorn": "27.0.1"}, {})

    @pytest.mark.parametrize("answer", ["", "[]", "{}", '{"python_version": 3}', "[" * 100000])
    def test_an_answer_that_is_none(self, fake: Path, host: Host, answer: str) -> None:
        """It is an error that names the venv."""
        give(fake, pwd.getpwnam("games").pw_uid)
        (fake.parents[1] / "answer").write_text(answer)
        with pytest.raises(VenvError, match=f"gunicorn_venv: {fake} can't be read: its Python answers something else"):
            state.ask_probe(want(fake), str(fake), host)  # type: ignore[arg-type]


class TestUnprivileged:
    def test_nothing_of_root(self, open_path: Path) -> None:
        """Neither ids, groups nor descriptors are root's, and it can't get them back."""
        script = (
            "import os, sys\n"
            "print(os.getresuid(), os.getresgid(), os.getgroups(), sorted(os.listdir('/proc/self/fd'))[:3], os.getcwd())\n"
            "print(sys.stdin.read(), sorted(set(os.environ) - {'LC_CTYPE'}))\n"
            "try:\n    os.setuid(0)\nexcept PermissionError:\n    print('refused')\n"
        )
        before = os.getgroups()
        os.setgroups([0, 4])
        try:
            code, output, errors = unprivileged.run(trust.NOBODY, ["/usr/bin/python3", "-I", "-c", script], "asked")
        finally:
            os.setgroups(before)
        ids = (65534,) * 3
        said = f"{ids} {ids} [] ['0', '1', '2'] /\nasked ['HOME', 'LANG', 'PATH']\nrefused\n"
        assert (code, output, errors) == (0, said, "")

    def test_one_that_does_not_end(self) -> None:
        """It is ended with what it started, also if that holds its output open."""
        command = ["/bin/sh", "-c", "sleep 77 & sleep 77"]
        code, _output, errors = unprivileged.run(trust.NOBODY, command, "", timeout=0.2)
        assert (code, errors) == (124, "it did not end within 0.2 s")
        assert unprivileged.run(trust.NOBODY, ["/bin/sh", "-c", "sleep 77 & echo done"], "")[:2] == (0, "done\n")

    def test_one_that_writes_without_end(self) -> None:
        """It is ended at the limit."""
        code, output, _errors = unprivileged.run(trust.NOBODY, ["/bin/sh", "-c", "exec cat /dev/zero"], "")
        assert (code != 0, len(output)) == (True, unprivileged.LONGEST)

    def test_one_that_can_not_be_run(self, tmp_path: Path) -> None:
        """The error says why; pytest's folder is root's alone."""
        shutil.copy(sys.executable, tmp_path / "python")
        code, _output, errors = unprivileged.run(trust.NOBODY, [f"{tmp_path}/python"], "")
        assert (code, errors) == (127, f"{tmp_path}/python: Permission denied")
