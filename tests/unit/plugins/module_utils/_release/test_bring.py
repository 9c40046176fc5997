# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from pathlib import Path
from typing import Callable, Iterator

import pytest
import repositories
import wanted_releases

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import bring as release_bring
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.fixture
def host() -> Iterator[repositories.Host]:
    made = repositories.Host()
    yield made
    for descriptor in made.descriptors:
        os.close(descriptor)


@pytest.fixture
def bring(tmp_path: Path, host: repositories.Host) -> Callable[..., dict]:
    def do(source: object, **changes: object) -> dict:
        wanted = wanted_releases.want(tmp_path / "releases", source, **changes)
        return release_bring.bring(wanted, host.runner, host.descriptors)

    return do


def listed(path: str) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in Path(path).rglob("*"))


def packed(path: Path, *names: str) -> str:
    """An archive with files of these names; its SHA-256."""
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_repository(tmp_path: Path, host: repositories.Host, bring: Callable[..., dict]) -> None:
    """The first run brings it, the second only looks; nothing of git is in it, and nothing is left beside it."""
    commit = repositories.make_repository(tmp_path / "origin", **{"site/a.py": "1"})
    source = {"git": str(tmp_path / "origin"), "version": "main"}
    result = bring(source)
    assert (result["changed"], result["there"], result["id"], result["warnings"]) == (True, True, commit[:12], [])
    assert listed(result["path"]) == ["manage.py", "site", "site/a.py"]
    assert stat.S_IMODE(os.stat(result["path"]).st_mode) == 0o750
    names = sorted(os.listdir(tmp_path / "releases"))
    assert names == [f".{commit[:12]}.json", ".repository", commit[:12]]
    host.commands.clear()
    again = bring(source)
    assert (again["changed"], again["there"], again["path"]) == (False, True, result["path"])
    assert [command[command.index("ls-remote")] for command in host.commands] == ["ls-remote"]


def test_another_release_of_the_same_commit_needs_no_remote(
    tmp_path: Path, host: repositories.Host, bring: Callable[..., dict]
) -> None:
    """What was fetched is kept."""
    commit = repositories.make_repository(tmp_path / "origin", **{"site/a.py": "1"})
    source = {"git": str(tmp_path / "origin"), "version": commit}
    bring(source)
    result = bring({**source, "path": "site"})
    assert listed(result["path"]) == ["a.py"]
    assert len(host.asked("fetch")) == 1
    assert host.asked("ls-remote") == []


def test_submodules(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """They are brought if they are asked for, with those that they have; else a warning names them."""
    repositories.make_repository(tmp_path / "innermost", **{"deep.py": "1"})
    repositories.make_repository(tmp_path / "inner", **{"lib.py": "1"})
    repositories.git(tmp_path / "inner", "submodule", "--quiet", "add", f"{tmp_path}/innermost", "vendor/deep")
    repositories.commit(tmp_path / "inner", {})
    repositories.make_repository(tmp_path / "origin")
    repositories.git(tmp_path / "origin", "submodule", "--quiet", "add", "../inner", "libs/inner")
    repositories.commit(tmp_path / "origin", {})
    without = bring({"git": str(tmp_path / "origin")})
    assert "libs/inner/lib.py" not in listed(without["path"])
    assert without["warnings"] == [
        f"Submodules of {tmp_path}/origin are left out: libs/inner. gunicorn_release['submodules']: true brings them."
    ]
    result = bring({"git": str(tmp_path / "origin"), "submodules": True})
    assert {"libs/inner/lib.py", "libs/inner/vendor/deep/deep.py"} <= set(listed(result["path"]))
    assert (result["id"] != without["id"], result["warnings"]) == (True, [])


def test_an_archive_on_the_host(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """The name at its top is left out, and a directory in it can be the release."""
    packed(tmp_path / "a.tgz", "shop-1.4/manage.py", "shop-1.4/site/x.py", "shop-1.4/.git/config")
    source = {"archive": str(tmp_path / "a.tgz"), "remote_src": True}
    assert listed(bring(source)["path"]) == ["manage.py", "site", "site/x.py"]
    assert listed(bring({**source, "path": "site"})["path"]) == ["x.py"]
    with pytest.raises(InvalidValue, match=r"\['path'\]: 'gone' .* a directory in .*/a.tgz, which has none"):
        bring({**source, "path": "gone"})


def test_what_the_controller_has_brought(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """An archive must be the one that was looked at; a checkout's tar has no name at its top."""
    sha256 = packed(tmp_path / "brought", "shop/x")
    brought = str(tmp_path / "brought")
    assert listed(bring({"archive": "a.tgz"}, identity=sha256, file=brought)["path"]) == ["x"]
    assert listed(bring({"checkout": "a"}, identity="a" * 40, file=brought)["path"]) == ["shop", "shop/x"]
    with pytest.raises(ReleaseError, match="^a.tgz: it has changed meanwhile"):
        bring({"archive": "a.tgz"}, identity="c" * 64, file=brought)
    with pytest.raises(ReleaseError, match="^a.tgz: it was not brought to the host$"):
        bring({"archive": "a.tgz"}, identity="b" * 64)


def test_requirements(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """A pinned one is an empty release; a wheel is in its own, so that nobody exchanges it."""
    assert listed(bring({"requirement": "shop==1.4"})["path"]) == []
    wheel = tmp_path / "shop-1.4-py3-none-any.whl"
    wheel.write_bytes(b"x")
    result = bring({"requirement": str(wheel)})
    assert listed(result["path"]) == [wheel.name]
    assert result["requirement"] == f"{result['path']}/{wheel.name}"
    assert stat.S_IMODE(os.stat(result["requirement"]).st_mode) == 0o640


def test_nothing_is_left_of_what_fails(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """Neither a half of it, nor a note."""
    packed(tmp_path / "a.tgz", "a", "../evil")
    with pytest.raises(ReleaseError, match=r"/a.tgz: \.\./evil leads out of the archive$"):
        bring({"archive": str(tmp_path / "a.tgz"), "remote_src": True})
    assert os.listdir(tmp_path / "releases") == []


def test_what_a_killed_run_has_left(
    tmp_path: Path, bring: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was killed: it is no release, and the next run makes it and removes what was left."""
    source = {"archive": str(tmp_path / "a.tgz"), "remote_src": True}
    sha256 = packed(tmp_path / "a.tgz", "a", "b")
    releases = tmp_path / "releases"

    remove = release_bring.host_directories.remove
    killed: list[bool] = []

    class Killed(BaseException):
        pass

    def kill(*_arguments: object) -> None:
        killed.append(True)
        raise Killed

    steps = [(notes, "write"), (release_bring.unpack, "settle"), (release_bring.directories, "sync"), (os, "rename")]
    for module, name in steps:
        with monkeypatch.context() as patched:
            patched.setattr(module, name, kill)
            # A process that is killed removes nothing more.
            killed.clear()
            patched.setattr(release_bring.host_directories, "remove", lambda path: killed or remove(path))
            with pytest.raises(Killed):
                bring(source)
        assert notes.read(str(releases)) == []
    (releases / f".{sha256[:12]}.removed").mkdir()
    # What was to be removed when its removal was killed
    (releases / sha256[:12]).mkdir()
    (releases / sha256[:12] / "half").write_text("")
    notes.forget(str(releases), sha256[:12])
    assert listed(bring(source)["path"]) == ["a", "b"]
    assert sorted(os.listdir(releases)) == [f".{sha256[:12]}.json", sha256[:12]]


def test_a_group_that_is_missing(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """Nobody could read the release."""
    with pytest.raises(ReleaseError, match="^the host has no group gone_group$"):
        bring({"requirement": "shop==1.4"}, group="gone_group")


def test_a_commit_that_is_not_there(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """The version is to blame."""
    repositories.make_repository(tmp_path / "origin")
    with pytest.raises(InvalidValue, match=r"^gunicorn_release\['version'\]: 'aaaa.*/origin has no commit aaaa"):
        bring({"git": str(tmp_path / "origin"), "version": "a" * 40})


def test_pointers_of_large_files(tmp_path: Path, bring: Callable[..., dict]) -> None:
    """A warning names one."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 9\n"
    repositories.make_repository(tmp_path / "origin", **{"big.png": pointer})
    (warning,) = bring({"git": str(tmp_path / "origin")})["warnings"]
    assert "the content of big.png, which is not fetched" in warning
