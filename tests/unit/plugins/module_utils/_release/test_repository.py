# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import repositories

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import repository as release_repository
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.repository import (
    NoSuchCommit,
    Repository,
    Submodule,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    repositories.make_repository(tmp_path / "origin", **{"site/app.py": "1\n", "big": "x" * 100_000})
    return tmp_path / "origin"


class Cache:
    """The repository beside the releases, and what is written from it."""

    def __init__(self, folder: Path, origin: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.host = repositories.Host()
        self.repository = Repository(str(folder), self.host.descriptors)
        self.git = self.host.git(origin)

    def names(self, commit: str, path: str = "") -> list[str]:
        target = self.folder / "code.tar"
        self.repository.write(self.git, commit, path, str(target))
        with tarfile.open(target) as archive:
            return archive.getnames()

    def close(self) -> None:
        for descriptor in self.host.descriptors:
            os.close(descriptor)
        self.host.descriptors.clear()


@pytest.fixture
def cache(tmp_path: Path, origin: Path):
    made = Cache(tmp_path / "releases", origin)
    yield made
    made.close()


def test_the_files_of_a_commit(cache: Cache, origin: Path) -> None:
    """All of it, or one directory; the second time without the remote."""
    commit = repositories.git(origin, "rev-parse", "HEAD")
    assert cache.names(commit) == ["big", "manage.py", "site", "site/app.py"]
    assert cache.names(commit, "site") == ["site", "site/app.py"]
    assert len(cache.host.asked("fetch")) == 1
    assert os.stat(cache.repository.directory).st_mode & 0o777 == 0o700


def test_the_next_release_fetches_only_what_is_new(cache: Cache, origin: Path) -> None:
    """What did not change is not sent again."""
    cache.names(repositories.git(origin, "rev-parse", "HEAD"))
    before = _objects(cache)
    second = repositories.commit(origin, {"site/app.py": "2\n"})
    cache.names(second)
    # A commit, two directories and a file
    assert len(_objects(cache) - before) == 4


def _objects(cache: Cache) -> set[str]:
    listed = repositories.git(Path(cache.repository.directory), "cat-file", "--batch-all-objects", "--batch-check")
    return {line.split()[0] for line in listed.splitlines()}


def test_a_directory_that_is_not_there(cache: Cache, origin: Path) -> None:
    """Also one that is a file."""
    commit = repositories.git(origin, "rev-parse", "HEAD")
    for path in ("gone", "big", "site/app.py"):
        with pytest.raises(InvalidValue, match=rf"\['path'\]: '{path}' .* commit {commit[:12]} has none of this name"):
            cache.names(commit, path)


@pytest.mark.parametrize("protocol", ["0", "2"])
def test_a_commit_that_no_branch_has_at_its_end(cache: Cache, origin: Path, protocol: str) -> None:
    """Servers of the older protocol give it with all branches."""
    old = repositories.git(origin, "rev-parse", "HEAD")
    repositories.commit(origin, {"x": "1"})
    cache.host.environment.update(
        GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="protocol.version", GIT_CONFIG_VALUE_0=protocol
    )
    assert "manage.py" in cache.names(old)
    assert len(cache.host.asked("fetch")) == (2 if protocol == "0" else 1)


@pytest.mark.parametrize("protocol", ["0", "2"])
def test_a_commit_that_is_not_there(cache: Cache, protocol: str) -> None:
    """The error says so, whatever the server says."""
    cache.host.environment.update(
        GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="protocol.version", GIT_CONFIG_VALUE_0=protocol
    )
    with pytest.raises(NoSuchCommit, match="/origin has no commit 3f2a9c1d"):
        cache.names("3f2a9c1d4e5b60718293a4b5c6d7e8f901234567")


def test_a_hash_that_is_no_commit(cache: Cache, origin: Path) -> None:
    """The hash of a file or a directory is no release."""
    with pytest.raises(ReleaseError):
        cache.names(repositories.git(origin, "rev-parse", "HEAD:big"))


def test_what_a_killed_git_has_left(cache: Cache, origin: Path) -> None:
    """Locks of git don't end with their process, and must not end all runs that follow."""
    commit = repositories.git(origin, "rev-parse", "HEAD")
    cache.names(commit)
    folder = Path(cache.repository.directory)
    second = repositories.commit(origin, {"x": "1"})
    left = [folder / name for name in ("shallow.lock", "packed-refs.lock", f"refs/fetched/{second}.lock", "gc.pid")]
    left.append(folder / "objects" / "pack" / "tmp_pack_a1b2c3")
    for path in left:
        path.write_text("")
    assert cache.names(second)
    assert not any(path.exists() for path in left)
    assert len(cache.host.asked("fetch")) == 2
    assert cache.host.asked("fsck") == []


def test_a_repository_that_was_killed_in_the_making(cache: Cache, origin: Path) -> None:
    """It is made anew."""
    folder = Path(cache.repository.directory)
    folder.mkdir()
    (folder / "HEAD").write_text("ref: refs/hea")
    assert cache.names(repositories.git(origin, "rev-parse", "HEAD"))


@pytest.mark.parametrize("damage", ["objects", "HEAD", "config"])
def test_a_repository_that_is_damaged(cache: Cache, origin: Path, damage: str) -> None:
    """A disk that was full must not end all runs that follow."""
    commit = repositories.git(origin, "rev-parse", "HEAD")
    cache.names(commit)
    folder = Path(cache.repository.directory)
    for path in [folder / damage, *folder.glob(f"{damage}/??/*"), *folder.glob(f"{damage}/pack/*")]:
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"")
    assert "manage.py" in cache.names(commit)


def test_two_runs_do_not_meet(cache: Cache, origin: Path) -> None:
    """git holds the lock as long as it runs, also if the module was killed."""
    cache.names(repositories.git(origin, "rev-parse", "HEAD"))
    assert len(cache.host.descriptors) == 1
    descriptor = cache.host.descriptors[0]
    done = subprocess.run(
        ["readlink", f"/proc/self/fd/{descriptor}"], pass_fds=[descriptor], check=True, capture_output=True
    )
    assert b"gunicorn-" in done.stdout


def test_old_commits_are_forgotten(cache: Cache, origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched does not grow for ever."""
    monkeypatch.setattr(release_repository, "_KEPT_COMMITS", 2)
    for number in range(4):
        cache.names(repositories.commit(origin, {"x": str(number)}))
    cache.repository.forget_old(cache.git)
    kept = repositories.git(Path(cache.repository.directory), "for-each-ref", "--format=%(refname)")
    assert len(kept.splitlines()) == 2


def test_submodules(cache: Cache, origin: Path, tmp_path: Path) -> None:
    """With their commit and their URL; only those in the directory that is wanted."""
    inner = repositories.make_repository(tmp_path / "inner")
    repositories.git(origin, "submodule", "--quiet", "add", "--name", "odd.one", "../inner", "site/lib")
    commit = repositories.commit(origin, {})
    cache.names(commit)
    module = Submodule("site/lib", inner, "../inner")
    assert cache.repository.submodules(cache.git, commit, "") == [module]
    assert cache.repository.submodules(cache.git, commit, "site") == [module]
    repositories.commit(origin, {"other/x": "1"})
    cache.names(repositories.git(origin, "rev-parse", "HEAD"))
    assert cache.repository.submodules(cache.git, repositories.git(origin, "rev-parse", "HEAD"), "other") == []
    assert release_repository.git_of(module, cache.git).url == str(tmp_path / "inner")


@pytest.mark.parametrize(
    ("parent", "url", "absolute"),
    [
        ("https://example.com/a/shop.git", "../lib.git", "https://example.com/a/lib.git"),
        ("https://example.com/a/shop.git/", "../../b/lib.git", "https://example.com/b/lib.git"),
        ("https://example.com/a/shop.git", "./lib.git", "https://example.com/a/shop.git/lib.git"),
        ("git@example.com:a/shop.git", "../lib.git", "git@example.com:a/lib.git"),
        ("git@example.com:a/shop.git", "../../lib.git", "git@example.com:lib.git"),
        ("git@example.com:shop.git", "../lib.git", "git@example.com:lib.git"),
        ("/srv/shop.git", "../lib.git", "/srv/lib.git"),
        ("https://example.com/shop.git", "git@example.com:lib.git", "git@example.com:lib.git"),
    ],
)
def test_urls_of_submodules(parent: str, url: str, absolute: str) -> None:
    """Relative ones are read as git reads them."""
    assert release_repository.absolute_url(parent, url) == absolute


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ext::sh -c x",
        "-oProxyCommand=x:y",
        "--upload-pack=x",
        "https://me:canary@example.com/a.git",
        "/etc",
        "file:///etc",
    ]
    + ["git://example.com/a.git", "../../../../../x y"],
)
def test_urls_of_submodules_that_git_must_not_get(url: str) -> None:
    """Who commits decides what the service runs, and not what root runs, or reads on the host."""
    git = repositories.Host().git("https://git.example.com/shop.git")
    with pytest.raises((ReleaseError, InvalidValue)) as error:
        release_repository.git_of(Submodule("lib", "a" * 40, url), git)
    assert "canary" not in str(error.value)
