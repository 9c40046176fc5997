# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Callable

import pytest
from interruptions import (
    DISCARDS,
    SWITCHES,
    UNDONE_SWITCHES,
    Change,
    InterruptedAtEachStep,
    interruptions,
    leave_all_kinds,
    make_built,
    make_directory,
    shown,
    tree,
)

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.stamp import Stamp


def put_back(path: Path) -> Callable[[], object]:
    make_directory(path, "good")
    backup = venv_backup.back_up(str(path))
    (path / "bin/python").unlink()
    (path / "bin/python").write_text("changed")
    (path / "lib/new").touch()
    directories.finish(str(path))
    return lambda: venv_backup.restore(str(path), backup)


def put_back_behind_a_link(path: Path) -> Callable[[], object]:
    make_directory(path.parent / "elsewhere", "good").rename(path.parent / "mine")
    path.symlink_to("mine")
    backup = venv_backup.back_up(str(path))
    (path / "bin/python").unlink()
    (path / "bin/python").write_text("changed")
    directories.finish(os.path.realpath(path))
    return lambda: venv_backup.restore(str(path), backup)


def take_backup(path: Path) -> Callable[[], object]:
    make_directory(path, "old")
    return lambda: venv_backup.back_up(str(path))


def drop_backup(path: Path) -> Callable[[], object]:
    make_directory(path, "old")
    backup = venv_backup.back_up(str(path))
    directories.finish(str(path))
    return lambda: directories.discard(backup)


CHANGES = {
    "a backup put back": Change("changed", "good", put_back),
    "a backup put back behind a link": Change("changed", "good", put_back_behind_a_link),
    "a backup made": Change("old", "old", take_backup),
    "a backup discarded": Change("old", "old", drop_backup),
}
ALL_CHANGES = {**SWITCHES, **UNDONE_SWITCHES, **DISCARDS, **CHANGES}


class TestBackup:
    def test_it_is_the_same_and_takes_no_space(self, tmp_path: Path) -> None:
        """Files and links are the same ones; directories are new, with the same mode, owner and time."""
        path = make_directory(tmp_path / "venv", "old")
        os.chown(path / "lib", 12345, 12345)
        before = tree(path)
        backup = Path(venv_backup.back_up(str(path)))
        assert tree(backup) == before
        assert backup.stat().st_mtime == 1
        assert (backup / "bin/python").stat().st_ino == (path / "bin/python").stat().st_ino
        assert directories.is_interrupted(str(path))
        directories.finish(str(path))
        assert tree(path) == before
        assert venv_backup.backup_of(str(path)) == str(backup)

    def test_what_is_there_is_kept(self, tmp_path: Path) -> None:
        """It is what to go back to, however often the venv is changed until somebody decides."""
        path = make_directory(tmp_path / "venv", "old")
        for content in ("first", "second"):
            backup = venv_backup.back_up(str(path))
            (path / "bin/python").unlink()
            (path / "bin/python").write_text(content)
            directories.finish(str(path))
        assert shown(Path(backup)) == "old"
        venv_backup.restore(str(path), backup)
        assert shown(path) == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_killed_one_is_not_taken_for_whole(self, tmp_path: Path) -> None:
        """At whichever step it was killed, the next call leaves a backup of everything."""
        for path, function, _result in interruptions(CHANGES["a backup made"], "kill", tmp_path):
            function()
            directories.finish(str(path))
            assert tree(Path(venv_backup.backup_of(str(path)))) == tree(path)

    def test_put_back_only_once(self, tmp_path: Path) -> None:
        """A second call must not bring the changed venv back."""
        path = make_directory(tmp_path / "venv", "old")
        before = tree(path)
        backup = venv_backup.back_up(str(path))
        venv_backup.restore(str(path), backup)
        venv_backup.restore(str(path), backup)
        assert tree(path) == before

    def test_without_hard_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The backup is a copy, with the same owners and modes."""

        def refuse(*_arguments: object, **_options: object) -> None:
            raise OSError(errno.EPERM, "no hard links")

        path = make_directory(tmp_path / "venv", "old")
        os.chown(path / "bin/python", 12345, 12345)
        before = tree(path)
        monkeypatch.setattr(os, "link", refuse)
        assert tree(Path(venv_backup.back_up(str(path)))) == before

    def test_of_a_venv_elsewhere(self, tmp_path: Path) -> None:
        """If the path is a user's own link, the backup is beside the directory that it leads to."""
        (tmp_path / "there").mkdir()
        make_directory(tmp_path / "there/mine", "old")
        (tmp_path / "venv").symlink_to("there/mine")
        backup = venv_backup.back_up(str(tmp_path / "venv"))
        assert (
            directories.leftovers(str(tmp_path / "venv")) == [backup] == [str(tmp_path / "there/mine.gunicorn-backup")]
        )

    def test_a_file_is_replaced(self, tmp_path: Path) -> None:
        """A backup shares the file that was there, so what writes into a venv replaces its files."""
        path = make_directory(tmp_path / "venv", "old")
        (path / stamp.NAME).write_text("old")
        backup = Path(venv_backup.back_up(str(path)))
        stamp.write(str(path), Stamp(inputs="0" * 64, lines="0" * 64, installed="0" * 64))
        assert stamp.read(str(path)).inputs == "0" * 64
        assert (backup / stamp.NAME).read_text() == "old"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
class TestInterrupted(InterruptedAtEachStep):
    """Each of the changes above."""


class TestRecover:
    def test_of_a_killed_pip(self, tmp_path: Path) -> None:
        """The mark says that only the backup can be relied on."""
        path = make_directory(tmp_path / "venv", "old")
        before = tree(path)
        venv_backup.back_up(str(path))
        (path / "bin/python").unlink()
        venv_backup.recover(str(path))
        assert tree(path) == before
        assert list(tmp_path.iterdir()) == [path]

    def test_without_the_backup(self, tmp_path: Path) -> None:
        """If somebody removed it after pip was killed, nothing else is removed, and the mark stays."""
        path = make_directory(tmp_path / "venv", "old")
        directories.discard(venv_backup.back_up(str(path)))
        venv_backup.recover(str(path))
        assert shown(path) == "old"
        assert directories.is_interrupted(str(path))

    def test_an_empty_directory_comes_back(self, tmp_path: Path) -> None:
        """Somebody made it for a reason, so recover does not take it for a half-made one of ours."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        path.mkdir(mode=0o700)
        previous = links.switch_link(str(path), str(new))
        venv_backup.recover(str(path))
        links.undo_link(str(path), str(new), previous)
        assert (path.is_symlink(), list(path.iterdir()), path.stat().st_mode & 0o777) == (False, [], 0o700)

    def test_it_is_emptied(self, tmp_path: Path) -> None:
        """If a run was killed that made the first venv at the path itself, there is none."""
        path = tmp_path / "venv"
        make_directory(Path(directories.begin_in_place(str(path))), "half")
        assert directories.is_in_the_making(str(path))
        venv_backup.recover(str(path))
        assert list(path.iterdir()) == []

    def test_only_what_is_half_made_goes(self, tmp_path: Path) -> None:
        """Backups, displaced directories and links on their way may still be needed."""
        _expected, unfinished = leave_all_kinds(tmp_path / "venv")
        found = set(directories.leftovers(str(tmp_path / "venv")))
        venv_backup.recover(str(tmp_path / "venv"))
        assert set(directories.leftovers(str(tmp_path / "venv"))) == found - {unfinished}

    def test_where_nothing_is(self, tmp_path: Path) -> None:
        """Not even the directory."""
        venv_backup.recover(str(tmp_path / "opt/venv"))

    @pytest.mark.parametrize("name", ALL_CHANGES)
    def test_killed_and_recovered(self, tmp_path: Path, exchange: str, name: str) -> None:
        """Also without the same call again, the path leads to one of the two, and nothing half-made stays."""
        change = ALL_CHANGES[name]
        for path, _function, _result in interruptions(change, "kill", tmp_path):
            venv_backup.recover(str(path))
            assert shown(path) in (change.old, change.new)
            names = [entry.name for entry in path.parent.iterdir()]
            assert not [name for name in names if name.endswith((".discarded", ".partial", ".aside"))]
