# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest
from interruptions import (
    FAILED,
    SWITCHES,
    UNDONE_SWITCHES,
    InterruptedAtEachStep,
    interruptions,
    make_built,
    make_directory,
    shown,
    tree,
)

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links

CHANGES = {**SWITCHES, **UNDONE_SWITCHES}


class TestLink:
    def test_from_nothing_and_back(self, tmp_path: Path) -> None:
        """The link names the real directory."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        assert links.switch_link(str(path), str(new)) == ""
        assert os.readlink(path) == str(new)
        links.undo_link(str(path), str(new), "")
        assert not os.path.lexists(path)

    def test_from_a_link_and_back(self, tmp_path: Path) -> None:
        """It returns the directory that the old link named, wherever that is."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        make_directory(tmp_path / "elsewhere", "mine")
        path.symlink_to("elsewhere")
        previous = links.switch_link(str(path), str(new))
        assert previous == str(tmp_path / "elsewhere")
        assert shown(path) == "new"
        links.undo_link(str(path), str(new), previous)
        assert shown(path) == "mine"

    def test_from_a_directory_and_back(self, tmp_path: Path) -> None:
        """It is the same directory afterwards, not a copy."""
        path, new = make_directory(tmp_path / "venv", "old"), make_built(tmp_path / "venv", "new")
        before, inode = tree(path), path.stat().st_ino
        previous = links.switch_link(str(path), str(new))
        assert tree(Path(previous)) == before
        assert shown(path) == "new"
        assert directories.leftovers(str(path)) == [previous]
        links.undo_link(str(path), str(new), previous)
        assert (tree(path), path.stat().st_ino, path.is_symlink()) == (before, inode, False)
        assert directories.leftovers(str(path)) == [str(new)]

    def test_there_already(self, tmp_path: Path) -> None:
        """Nothing happens, and to take it back does nothing either."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        path.symlink_to(new.name)
        assert links.switch_link(str(path), str(new)) == str(new)
        links.undo_link(str(path), str(new), str(new))
        assert os.readlink(path) == new.name
        plain = make_directory(tmp_path / "plain", "old")
        assert links.switch_link(str(plain), str(plain)) == str(plain)
        links.undo_link(str(plain), str(plain), str(plain))
        assert shown(plain) == "old"

    def test_a_file_is_not_replaced(self, tmp_path: Path) -> None:
        """Only links and directories are."""
        (tmp_path / "venv").write_text("x")
        with pytest.raises(NotADirectoryError):
            links.switch_link(str(tmp_path / "venv"), str(make_built(tmp_path / "venv", "new")))
        assert (tmp_path / "venv").read_text() == "x"

    def test_below_a_link(self, tmp_path: Path) -> None:
        """The way to the path may lead over links."""
        (tmp_path / "real").mkdir()
        (tmp_path / "way").symlink_to("real")
        path = make_directory(tmp_path / "way/venv", "old")
        new = make_built(path, "new")
        previous = links.switch_link(str(path), str(new))
        assert directories.leftovers(str(path)) == [previous]
        links.undo_link(str(path), str(new), previous)
        assert shown(path) == "old"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
class TestInterrupted(InterruptedAtEachStep):
    """Each of the changes above."""


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_that_fails_leaves_no_trace(tmp_path: Path, exchange: str, name: str) -> None:
    """Whichever step fails, everything is as it was."""
    change = SWITCHES[name]
    for path, _function, result in interruptions(change, "fail", tmp_path):
        if result == FAILED:
            assert shown(path) == change.old
            assert not [entry.name for entry in path.parent.iterdir() if "swap" in entry.name]


@pytest.mark.parametrize("name", SWITCHES)
def test_what_was_there_comes_back(tmp_path: Path, exchange: str, name: str) -> None:
    """Wherever the switch was killed, and without what it would have returned."""
    change = SWITCHES[name]
    before = {}

    def prepare(path: Path) -> Callable[[], object]:
        function = change.prepare(path)
        before[path] = links.what_is_at(str(path))
        return function

    for path, _function, _result in interruptions(change._replace(prepare=prepare), "kill", tmp_path):
        links.put_back(str(path), before[path])
        assert shown(path) == change.old
        assert path.is_symlink() == (before[path] not in ("", "directory"))


def test_what_was_displaced_last_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what an earlier switch displaced, and a process still uses."""
    tokens = iter(["00000000", "ffffffff"])
    monkeypatch.setattr("secrets.token_hex", lambda _size: next(tokens))
    for name in ("venv-1a2b3c4d", "venv"):
        (tmp_path / name).mkdir()
    path = tmp_path / "venv"
    links.switch_link(str(path), str(tmp_path / "venv-1a2b3c4d"))
    path.unlink()
    path.mkdir()
    (path / "last").touch()
    before = links.what_is_at(str(path))
    links.switch_link(str(path), str(tmp_path / "venv-1a2b3c4d"))
    links.put_back(str(path), before)
    assert (path / "last").exists()
