# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import deep_tree
import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.directories import UnsafeDirectory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_missing_parents_are_roots(tmp_path: Path) -> None:
    """The outermost first; the path itself is somebody else's to make."""
    path = str(tmp_path / "a" / "b" / "c")
    owned = {"owner": "root", "group": "root", "mode": "0755"}
    assert directories.missing_parents(path) == [
        {"path": f"{tmp_path}/a", **owned},
        {"path": f"{tmp_path}/a/b", **owned},
    ]
    assert directories.missing_parents(str(tmp_path)) == []


def test_the_innermost_that_exists(tmp_path: Path) -> None:
    """The path itself, a directory above it, or whatever else is in the way."""
    (tmp_path / "link").symlink_to("nowhere")
    assert directories.innermost_existing(str(tmp_path)) == str(tmp_path)
    assert directories.innermost_existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert directories.innermost_existing(str(tmp_path / "link" / "b")) == str(tmp_path / "link")
    assert directories.innermost_existing("/no-such-directory/a") == "/"


def test_a_parent_that_is_no_directory(tmp_path: Path) -> None:
    """The error names the variable, its value, and what is in the way."""
    directories.check_parent("gunicorn_venv", str(tmp_path / "a" / "venv"))
    (tmp_path / "file").touch()
    path = f"{tmp_path}/file/a/venv"
    with pytest.raises(InvalidValue) as caught:
        directories.check_parent("gunicorn_venv", path)
    assert str(caught.value) == (
        f"gunicorn_venv: '{path}' can't be used: expected a path in a directory: {tmp_path}/file is not a directory"
    )


USER = 65534  # nobody


def owned(path: Path, uid: int = 0, mode: int = 0o755) -> Path:
    """Make a directory for somebody."""
    path.mkdir()
    path.chmod(mode)
    os.chown(path, uid, -1)
    return path


def state(path: Path) -> tuple[int, int]:
    """The owner and the mode of a directory."""
    return path.stat().st_uid, path.stat().st_mode & 0o7777


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory in which root alone may write."""
    return owned(tmp_path / "place")


@pytest.fixture
def theirs(place: Path) -> Path:
    """A directory of the service's user."""
    return owned(place / "theirs", USER)


@pytest.fixture
def harmless(place: Path) -> Path:
    """A directory of root's to which nothing must happen."""
    return owned(place / "harmless", mode=0o700)


def for_nobody(path: Path | str, **changes: str) -> dict:
    """A directory for the service's user."""
    return {"path": str(path), "owner": "nobody", "mode": "2750", **changes}


class TestEnsure:
    def test_a_missing_one_is_made(self, place: Path, theirs: Path) -> None:
        """For its owner; also where that owner may write, as a directory for logs in the data directory."""
        for folder in (place, theirs):
            assert directories.ensure(for_nobody(folder / "new"), check_mode=True) == (
                {},
                {"owner": "nobody", "mode": "2750"},
            )
            assert not (folder / "new").exists()
            directories.ensure(for_nobody(folder / "new"))
            assert state(folder / "new") == (USER, 0o2750)
            before, after = directories.ensure(for_nobody(folder / "new"))
            assert before == after

    def test_one_that_is_there_changes_hands(self, place: Path, theirs: Path) -> None:
        """What it had is told; in check mode it keeps that. What is not named stays."""
        folder = owned(place / "shop")
        before, after = directories.ensure(for_nobody(folder), check_mode=True)
        assert (before["owner"], before["mode"], after["owner"], after["mode"]) == ("root", "0755", "nobody", "2750")
        assert state(folder) == (0, 0o755)
        directories.ensure(for_nobody(folder))
        assert state(folder) == (USER, 0o2750)
        directories.ensure({"path": str(theirs), "mode": "0751"})
        assert state(theirs) == (USER, 0o751)

    def test_a_missing_parent(self, place: Path) -> None:
        """It is somebody else's to make; in check mode it would have been made."""
        with pytest.raises(FileNotFoundError):
            directories.ensure(for_nobody(place / "a" / "b"))
        assert directories.ensure(for_nobody(place / "a" / "b"), check_mode=True)[0] == {}

    def test_a_link_of_roots_is_followed(self, place: Path, harmless: Path) -> None:
        """As that of /var/log to a larger disk."""
        (place / "log").symlink_to("harmless")
        (harmless / "shop").symlink_to(place / "harmless" / "deep")
        directories.ensure(for_nobody(place / "log" / "shop"))
        assert state(harmless / "deep") == (USER, 0o2750)

    def test_a_link_that_belongs_to_the_user_is_not_followed(self, place: Path, harmless: Path) -> None:
        """Wherever it is."""
        (place / "log").symlink_to(harmless)
        os.chown(place / "log", USER, -1, follow_symlinks=False)
        with pytest.raises(UnsafeDirectory, match=f"{place}/log is a link"):
            directories.ensure(for_nobody(place / "log"))
        assert state(harmless) == (0, 0o700)

    @pytest.mark.parametrize("name", ["media", "media/new"])
    def test_a_link_of_the_users_is_not_followed(self, theirs: Path, harmless: Path, name: str) -> None:
        """Root neither makes something there nor gives it away, and the error says which link it is."""
        (theirs / "media").symlink_to(harmless)
        for owner in (USER, 0):
            os.chown(theirs / "media", owner, -1, follow_symlinks=False)
            for check_mode in (True, False):
                with pytest.raises(UnsafeDirectory, match=f"{theirs}/media is a link to {harmless} "):
                    directories.ensure(for_nobody(theirs / name), check_mode)
        assert (state(harmless), os.listdir(harmless)) == ((0, 0o700), [])

    def test_a_link_that_takes_the_place_meanwhile(
        self, theirs: Path, harmless: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is no moment in which it would be followed."""
        real = os.mkdir

        def before(*arguments: object, **options: object) -> None:
            (theirs / "media").symlink_to(harmless)
            real(*arguments, **options)

        def after(*arguments: object, **options: object) -> None:
            real(*arguments, **options)
            (theirs / "logs").rename(theirs / "moved")
            (theirs / "logs").symlink_to(harmless)

        for name, swap in (("media", before), ("logs", after)):
            monkeypatch.setattr(directories.os, "mkdir", swap)
            with pytest.raises((UnsafeDirectory, NotADirectoryError)):
                directories.ensure(for_nobody(theirs / name))
        assert (state(harmless), os.listdir(harmless)) == ((0, 0o700), [])

    @pytest.mark.parametrize(("uid", "holds"), [(0, "a file"), (1, "")])
    def test_a_directory_that_takes_the_place_meanwhile(
        self, theirs: Path, monkeypatch: pytest.MonkeyPatch, uid: int, holds: str
    ) -> None:
        """It is another one, which root does not give away."""
        real = os.mkdir

        def swap(*arguments: object, **options: object) -> None:
            real(*arguments, **options)
            (theirs / "logs").rename(theirs / "moved")
            real(theirs / "logs")
            os.chown(theirs / "logs", uid, -1)
            if holds:
                (theirs / "logs" / holds).touch()

        monkeypatch.setattr(directories.os, "mkdir", swap)
        with pytest.raises(UnsafeDirectory, match="was replaced"):
            directories.ensure(for_nobody(theirs / "logs"))
        assert (theirs / "logs").stat().st_uid == uid

    def test_what_others_may_have_put_there_is_not_given_away(self, place: Path, theirs: Path) -> None:
        """In /tmp, as in a directory of the user's. What the owner has already may get another mode."""
        shared = owned(place / "shared", mode=0o777)
        sticky = owned(place / "sticky", mode=0o1777)
        for folder in (shared, theirs):
            owned(folder / "roots")
            with pytest.raises(UnsafeDirectory, match=f"put {folder}/roots there, which is root's"):
                directories.ensure(for_nobody(folder / "roots"))
            assert state(folder / "roots") == (0, 0o755)
        owned(sticky / "another", 1)
        with pytest.raises(UnsafeDirectory):
            directories.ensure(for_nobody(sticky / "another"))
        owned(sticky / "roots")
        owned(shared / "own", USER)
        for folder in (sticky / "roots", shared / "own"):
            directories.ensure(for_nobody(folder))
            assert state(folder) == (USER, 0o2750)


class TestRemove:
    def test_what_is_at_the_path(self, place: Path, theirs: Path, harmless: Path) -> None:
        """A file, a link and not what it leads to, a tree; what is gone is no error."""
        (harmless / "file").touch()
        for folder in (place, theirs):
            (folder / "a-file").touch()
            (folder / "a-link").symlink_to(harmless)
            (folder / "a-tree" / "deep").mkdir(parents=True)
            (folder / "a-tree" / "link").symlink_to(harmless)
            for name in ("a-file", "a-link", "a-tree", "a-tree", "missing", "missing/file"):
                directories.remove(str(folder / name))
            assert not list(folder.glob("a-*"))
        assert os.listdir(harmless) == ["file"]

    def test_not_behind_a_link_of_the_users(self, theirs: Path, harmless: Path) -> None:
        """It would be another one's file."""
        (harmless / "file").touch()
        (theirs / "logs").symlink_to(harmless)
        with pytest.raises(UnsafeDirectory, match=f"{theirs}/logs is a link to {harmless} "):
            directories.remove(str(theirs / "logs" / "file"))
        assert os.listdir(harmless) == ["file"]

    def test_a_way_that_changes_meanwhile(self, theirs: Path, harmless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was there is removed, and not what is there by now."""
        (harmless / "tree").mkdir()
        (theirs / "logs" / "tree").mkdir(parents=True)
        real = shutil.rmtree

        def swap(path: str) -> None:
            (theirs / "logs").rename(theirs / "moved")
            (theirs / "logs").symlink_to(harmless)
            real(path)

        monkeypatch.setattr(directories.shutil, "rmtree", swap)
        directories.remove(str(theirs / "logs" / "tree"))
        assert (os.listdir(harmless), os.listdir(theirs / "moved")) == (["tree"], [])

    def test_a_deep_one(self, theirs: Path) -> None:
        """The service's user can nest more directories than Python can call itself or open files."""
        with deep_tree.made(theirs / "tree"):
            directories.remove(str(theirs / "tree"))
            assert os.listdir(theirs) == []

    def test_one_that_can_not_be_removed(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names it as everybody knows it."""

        def fail(path: str, **_options: object) -> None:
            raise PermissionError(1, "Operation not permitted", path)

        monkeypatch.setattr(os, "unlink", fail)
        monkeypatch.setattr(os, "rmdir", fail)
        (place / "tree" / "deep").mkdir(parents=True)
        (place / "file").touch()
        for name in ("tree", "file"):
            with pytest.raises(PermissionError) as caught:
                directories.remove(str(place / name))
            assert caught.value.filename == str(place / name)


class TestRemoveSocket:
    def test_only_a_socket_is_removed(self, place: Path) -> None:
        """Another file was not the service's; what is missing is no error."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(place / "s"))
        (place / "file").touch()
        (place / "folder").mkdir()
        for name in ("s", "file", "folder", "missing", "missing/s"):
            directories.remove_socket(str(place / name))
        assert sorted(os.listdir(place)) == ["file", "folder"]

    def test_not_behind_a_link_of_the_users(self, theirs: Path, harmless: Path) -> None:
        """It would be another service's."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(harmless / "s"))
        (theirs / "run").symlink_to(harmless)
        directories.remove_socket(str(theirs / "run" / "s"))
        assert os.listdir(harmless) == ["s"]


class TestWay:
    def test_a_safe_one(self, place: Path, theirs: Path) -> None:
        """Whether it exists or not."""
        for path in (place, theirs / "a" / "b", place / "missing"):
            directories.check_way("gunicorn_log_file", f"{path}/log", str(path))

    def test_one_that_is_not(self, theirs: Path, place: Path) -> None:
        """The error names the variable, the path and what is wrong."""
        (theirs / "logs").symlink_to("../place")
        (place / "loop").symlink_to("loop")
        (place / "file").touch()
        for path, expected in (
            (theirs / "logs" / "a", f"another path: {theirs}/logs is a link to ../place that others"),
            (place / "loop", "another path: Too many levels of symbolic links"),
            (place / "file" / "a", "another path: Not a directory"),
        ):
            with pytest.raises(InvalidValue, match=f"gunicorn_log_file: '{path}/log' .*expected {expected}"):
                directories.check_way("gunicorn_log_file", f"{path}/log", str(path))
