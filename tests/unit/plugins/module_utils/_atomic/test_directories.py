# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
from interruptions import DISCARDS as CHANGES
from interruptions import (
    InterruptedAtEachStep,
    leave_all_kinds,
    make_built,
    make_directory,
    shown,
)

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links


class TestDiscard:
    @pytest.mark.parametrize(
        "name",
        ["venv", "venv-old", "venv-1a2b3c4", "venv-1A2B3C4D", "venv.backup", "venv-1a2b3c4d/bin", "venv.discarded"],
    )
    def test_what_is_not_ours_is_refused(self, tmp_path: Path, name: str) -> None:
        """By its name, whatever is in it."""
        path = make_directory(tmp_path / name, "mine")
        (path / directories.BUILT).touch()
        with pytest.raises(ValueError, match="is not a name that this collection gives"):
            directories.discard(str(path))
        assert shown(path) == "mine"

    def test_one_of_the_name_that_was_not_built(self, tmp_path: Path) -> None:
        """Somebody else may use such a name."""
        path = make_directory(tmp_path / "venv-1a2b3c4d", "mine")
        with pytest.raises(ValueError, match="was not built by this collection"):
            directories.discard(str(path))
        assert directories.leftovers(str(tmp_path / "venv")) == []
        assert shown(path) == "mine"

    def test_the_one_in_use(self, tmp_path: Path) -> None:
        """It is refused, since the caller made a mistake."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        links.switch_link(str(path), str(new))
        with pytest.raises(ValueError, match="is in use"):
            directories.discard(str(new))
        assert shown(path) == "new"

    def test_what_is_gone(self, tmp_path: Path) -> None:
        """There is nothing to do, and no error."""
        directories.discard(str(tmp_path / "venv-1a2b3c4d"))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
class TestInterrupted(InterruptedAtEachStep):
    """Each of the changes above."""


class TestLeftovers:
    def test_all_kinds(self, tmp_path: Path) -> None:
        """What is ours and the path does not lead to, and nothing of a neighbour's."""
        expected, _unfinished = leave_all_kinds(tmp_path / "venv")
        found = set(directories.leftovers(str(tmp_path / "venv")))
        assert expected <= found
        assert not [name for name in found if os.path.exists(f"{name}/bin/python") and shown(Path(name)) == "neighbour"]

    def test_where_nothing_is(self, tmp_path: Path) -> None:
        """Not even the directory."""
        assert directories.leftovers(str(tmp_path / "opt/venv")) == []


class TestInTheMaking:
    @pytest.mark.parametrize("existed", [False, True])
    def test_it_is_abandoned(self, tmp_path: Path, existed: bool) -> None:
        """An empty directory that was there stays."""
        directory = directories.begin_in_place(str(tmp_path / "venv"))
        make_directory(Path(directory), "half")
        directories.abandon(directory, existed)
        assert [path.name for path in tmp_path.iterdir()] == ["venv"] * existed


class TestLock:
    def test_one_at_a_time(self, tmp_path: Path) -> None:
        """The second one fails with one sentence, until the first ends; other paths have locks of their own."""
        path = str(tmp_path / "venv")
        held = directories.lock(path)
        with pytest.raises(TimeoutError, match=f"{path}: another run did not end within 0 s"):
            directories.lock(path, wait=0)
        os.close(directories.lock(str(tmp_path / "other"), wait=0))
        os.close(held)
        os.close(directories.lock(path, wait=0))

    def test_a_child_holds_it(self, tmp_path: Path) -> None:
        """Such as a pip that outlives the module that started it."""
        path = str(tmp_path / "venv")
        held = directories.lock(path)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[held]) as child:
            os.close(held)
            with pytest.raises(TimeoutError):
                directories.lock(path, wait=0)
            child.stdin.close()
            child.wait()
            os.close(directories.lock(path, wait=0))

    def test_nobody_else_can_take_it(self, tmp_path: Path) -> None:
        """Only its owner can open the file."""
        held = directories.lock(str(tmp_path / "venv"))
        assert os.fstat(held).st_mode & 0o777 == 0o600
        assert fcntl.fcntl(held, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        os.close(held)


def test_a_mark_follows_no_link(tmp_path: Path) -> None:
    """A link in its place leads root to another file, which stays as it is, and is not made either."""
    (tmp_path / "victim").write_text("untouched")
    for target in ("victim", "nothing"):
        (tmp_path / directories.CHANGING).symlink_to(target)
        directories.mark(str(tmp_path), directories.CHANGING)
        (tmp_path / directories.CHANGING).unlink()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("victim", "untouched")]
