# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup

DONE, FAILED, KILLED = 0, 1, 9
# What changes something, as Python announces it before it does it; an exchange of names loads the C library first.
STEPS = {"ctypes.dlopen", "open", "shutil.rmtree"} | {
    f"os.{name}" for name in ("chmod", "chown", "link", "mkdir", "remove", "rename", "rmdir", "symlink", "utime")
}


def make_venv(path: Path, content: str) -> Path:
    """A directory that has what matters of a venv: a file that tells which one it is, a folder, a link, modes."""
    (path / "bin").mkdir(parents=True)
    (path / "lib").mkdir(mode=0o750)
    (path / "bin/python").write_text(content)
    (path / "bin/python").chmod(0o755)
    (path / "bin/python3").symlink_to("python")
    (path / "lib64").symlink_to("lib")
    os.utime(path, (1, 1))
    return path


def make_built(path: Path, content: str) -> Path:
    """The same, as one that was built beside the path."""
    directory = Path(directories.begin(str(path)))
    make_venv(directory, content)
    directories.finish(str(directory))
    return directory


def tree(path: Path) -> dict[str, object]:
    """Every path below, with type, mode, owner and content."""
    found: dict[str, object] = {}
    for file in sorted(path.rglob("*")):
        status = file.lstat()
        content = os.readlink(file) if file.is_symlink() else file.read_bytes() if file.is_file() else None
        found[str(file.relative_to(path))] = (status.st_mode, status.st_uid, status.st_gid, content)
    return found


def shown(path: Path) -> str:
    """Which venv somebody would use, who uses this path."""
    return (path / "bin/python3").read_text() if path.exists() else ""


def run_until(step: int, action: str, root: Path, function: Callable[[], object]) -> int:
    """Run a function in a process of its own whose step of that number fails, or in which the process is killed."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    counted = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal counted
        if event not in STEPS or (event == "open" and not str(arguments[0]).startswith(str(root))):
            return
        counted += 1
        if counted == step:
            if action == "kill":
                os._exit(KILLED)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    try:
        sys.addaudithook(hook)
        function()
        os._exit(DONE)
    except OSError:
        os._exit(FAILED)
    finally:
        os._exit(2)


class Change(NamedTuple):
    """A change to a path: what it shows before and afterwards, and how to begin and to do it."""

    old: str
    new: str
    prepare: Callable[[Path], Callable[[], object]]


def begin_link(path: Path) -> tuple[Path, Path]:
    old, new = make_built(path, "old"), make_built(path, "new")
    links.switch_link(str(path), str(old))
    return old, new


def switch_from_link(path: Path) -> Callable[[], object]:
    _old, new = begin_link(path)
    return lambda: links.switch_link(str(path), str(new))


def switch_from_directory(path: Path) -> Callable[[], object]:
    make_venv(path, "old")
    new = make_built(path, "new")
    return lambda: links.switch_link(str(path), str(new))


def switch_from_nothing(path: Path) -> Callable[[], object]:
    new = make_built(path, "new")
    return lambda: links.switch_link(str(path), str(new))


def undo(switch: Callable[[Path], Callable[[], object]]) -> Callable[[Path], Callable[[], object]]:
    def prepare(path: Path) -> Callable[[], object]:
        previous = switch(path)()
        return lambda: links.undo_link(str(path), os.path.realpath(path), previous)

    return prepare


def put_back(path: Path) -> Callable[[], object]:
    make_venv(path, "good")
    backup = venv_backup.back_up(str(path))
    (path / "bin/python").unlink()
    (path / "bin/python").write_text("changed")
    (path / "lib/new").touch()
    directories.finish(str(path))
    return lambda: venv_backup.restore(str(path), backup)


def put_back_behind_a_link(path: Path) -> Callable[[], object]:
    make_venv(path.parent / "elsewhere", "good").rename(path.parent / "mine")
    path.symlink_to("mine")
    backup = venv_backup.back_up(str(path))
    (path / "bin/python").unlink()
    (path / "bin/python").write_text("changed")
    directories.finish(os.path.realpath(path))
    return lambda: venv_backup.restore(str(path), backup)


def take_backup(path: Path) -> Callable[[], object]:
    make_venv(path, "old")
    return lambda: venv_backup.back_up(str(path))


def drop_backup(path: Path) -> Callable[[], object]:
    make_venv(path, "old")
    backup = venv_backup.back_up(str(path))
    directories.finish(str(path))
    return lambda: directories.discard(backup)


def drop_built(path: Path) -> Callable[[], object]:
    old, new = begin_link(path)
    assert shown(old) == "old"
    return lambda: directories.discard(str(new))


CHANGES = {
    "a link instead of a link": Change("old", "new", switch_from_link),
    "a link instead of a directory": Change("old", "new", switch_from_directory),
    "a link instead of nothing": Change("", "new", switch_from_nothing),
    "a link again": Change("new", "old", undo(switch_from_link)),
    "a directory again": Change("new", "old", undo(switch_from_directory)),
    "nothing again": Change("new", "", undo(switch_from_nothing)),
    "a backup put back": Change("changed", "good", put_back),
    "a backup put back behind a link": Change("changed", "good", put_back_behind_a_link),
    "a backup made": Change("old", "old", take_backup),
    "a backup discarded": Change("old", "old", drop_backup),
    "a built one discarded": Change("old", "old", drop_built),
}


@pytest.fixture(params=["at once", "by renames"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the kernel can exchange two names; a flag that it does not know has the answer of one that can't."""
    if request.param == "by renames":
        monkeypatch.setattr(links, "_RENAME_EXCHANGE", 1 << 20)
    return request.param


def interruptions(change: Change, action: str, folder: Path) -> Iterator[tuple[Path, Callable[[], object], int]]:
    """Begin a change anew for each of its steps and interrupt it there, until one gets through."""
    for step in range(1, 200):
        path = folder / str(step) / "venv"
        path.parent.mkdir()
        function = change.prepare(path)
        assert shown(path) == change.old
        result = run_until(step, action, folder, function)
        yield path, function, result
        if result == DONE:
            assert step > 1, "no step was seen"
            return
    pytest.fail("it never gets through")


@pytest.mark.parametrize("name", CHANGES)
class TestInterrupted:
    def test_killed_at_each_step(self, tmp_path: Path, exchange: str, name: str) -> None:
        """The path always leads to a whole venv, the same call again completes it, and all that is left is found."""
        change = CHANGES[name]
        for path, function, result in interruptions(change, "kill", tmp_path):
            assert result in (KILLED, DONE)
            # Between two renames there is nothing, until the next call.
            assert shown(path) in (change.old, change.new) or exchange == "by renames"
            function()
            assert shown(path) == change.new
            for leftover in directories.leftovers(str(path)):
                directories.discard(leftover)
            assert shown(path) == change.new
            kept = {path, Path(os.path.realpath(path))}
            assert {entry for entry in path.parent.iterdir() if entry not in kept} == set()

    def test_killed_and_recovered(self, tmp_path: Path, exchange: str, name: str) -> None:
        """Without the same call again, the path leads to one of the two, too, and nothing half-made stays."""
        change = CHANGES[name]
        for path, _function, _result in interruptions(change, "kill", tmp_path):
            venv_backup.recover(str(path))
            assert shown(path) in (change.old, change.new)
            names = [entry.name for entry in path.parent.iterdir()]
            assert not [name for name in names if name.endswith((".discarded", ".partial", ".aside"))]

    def test_failed_at_each_step(self, tmp_path: Path, exchange: str, name: str) -> None:
        """A full disk, for example: it is as it was, or as it shall be, and the same call again completes it."""
        change = CHANGES[name]
        for path, function, result in interruptions(change, "fail", tmp_path):
            assert result in (FAILED, DONE)
            assert shown(path) in (change.old, change.new)
            function()
            assert shown(path) == change.new


@pytest.mark.parametrize("name", [name for name in CHANGES if "instead" in name])
def test_a_switch_that_fails_leaves_no_trace(tmp_path: Path, exchange: str, name: str) -> None:
    """Whichever step fails, everything is as it was."""
    change = CHANGES[name]
    for path, _function, result in interruptions(change, "fail", tmp_path):
        if result == FAILED:
            assert shown(path) == change.old
            assert not [entry.name for entry in path.parent.iterdir() if "swap" in entry.name]


@pytest.mark.parametrize("name", [name for name in CHANGES if "instead" in name])
def test_what_stood_there_comes_back(tmp_path: Path, exchange: str, name: str) -> None:
    """Wherever a switch was killed, and without what it would have returned."""
    change = CHANGES[name]
    stood = {}

    def prepare(path: Path) -> Callable[[], object]:
        function = change.prepare(path)
        stood[path] = links.what_is_at(str(path))
        return function

    for path, _function, _result in interruptions(change._replace(prepare=prepare), "kill", tmp_path):
        links.put_back(str(path), stood[path])
        assert shown(path) == change.old
        assert path.is_symlink() == (stood[path] not in ("", "directory"))


class TestLink:
    def test_from_nothing_and_back(self, tmp_path: Path) -> None:
        """The link names the real directory."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        assert links.switch_link(str(path), str(new)) == ""
        assert os.readlink(path) == str(new)
        links.undo_link(str(path), str(new), "")
        assert not os.path.lexists(path)

    def test_from_a_link_and_back(self, tmp_path: Path) -> None:
        """What is returned is the directory that the old link named, wherever it is."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        make_venv(tmp_path / "elsewhere", "mine")
        path.symlink_to("elsewhere")
        previous = links.switch_link(str(path), str(new))
        assert previous == str(tmp_path / "elsewhere")
        assert shown(path) == "new"
        links.undo_link(str(path), str(new), previous)
        assert shown(path) == "mine"

    def test_from_a_directory_and_back(self, tmp_path: Path) -> None:
        """It is the same directory afterwards, not a copy."""
        path, new = make_venv(tmp_path / "venv", "old"), make_built(tmp_path / "venv", "new")
        before, inode = tree(path), path.stat().st_ino
        previous = links.switch_link(str(path), str(new))
        assert tree(Path(previous)) == before
        assert shown(path) == "new"
        assert directories.leftovers(str(path)) == [previous]
        links.undo_link(str(path), str(new), previous)
        assert (tree(path), path.stat().st_ino, path.is_symlink()) == (before, inode, False)
        assert directories.leftovers(str(path)) == [str(new)]

    def test_an_empty_directory_comes_back(self, tmp_path: Path) -> None:
        """Somebody made it for a reason; recover does not take it for a half-made one of ours."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        path.mkdir(mode=0o700)
        previous = links.switch_link(str(path), str(new))
        venv_backup.recover(str(path))
        links.undo_link(str(path), str(new), previous)
        assert (path.is_symlink(), list(path.iterdir()), path.stat().st_mode & 0o777) == (False, [], 0o700)

    def test_there_already(self, tmp_path: Path) -> None:
        """Nothing happens, and taking it back does nothing either."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        path.symlink_to(new.name)
        assert links.switch_link(str(path), str(new)) == str(new)
        links.undo_link(str(path), str(new), str(new))
        assert os.readlink(path) == new.name
        plain = make_venv(tmp_path / "plain", "old")
        assert links.switch_link(str(plain), str(plain)) == str(plain)
        links.undo_link(str(plain), str(plain), str(plain))
        assert shown(plain) == "old"

    def test_a_file_is_not_replaced(self, tmp_path: Path) -> None:
        """Only a link and a directory are."""
        (tmp_path / "venv").write_text("x")
        with pytest.raises(NotADirectoryError):
            links.switch_link(str(tmp_path / "venv"), str(make_built(tmp_path / "venv", "new")))
        assert (tmp_path / "venv").read_text() == "x"

    def test_below_a_link(self, tmp_path: Path) -> None:
        """The way to the path may lead over links."""
        (tmp_path / "real").mkdir()
        (tmp_path / "way").symlink_to("real")
        path = make_venv(tmp_path / "way/venv", "old")
        new = make_built(path, "new")
        previous = links.switch_link(str(path), str(new))
        assert directories.leftovers(str(path)) == [previous]
        links.undo_link(str(path), str(new), previous)
        assert shown(path) == "old"


class TestBackup:
    def test_it_is_the_same_and_takes_no_space(self, tmp_path: Path) -> None:
        """Files and links are the same ones; directories are new, with the same mode, owner and time."""
        path = make_venv(tmp_path / "venv", "old")
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
        """It is what to go back to, however often the venv is changed before somebody decides."""
        path = make_venv(tmp_path / "venv", "old")
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
        """Whichever step it was killed at, the next call leaves a backup of everything."""
        for path, function, _result in interruptions(CHANGES["a backup made"], "kill", tmp_path):
            function()
            directories.finish(str(path))
            assert tree(Path(venv_backup.backup_of(str(path)))) == tree(path)

    def test_put_back_only_once(self, tmp_path: Path) -> None:
        """A second call must not bring the changed one back."""
        path = make_venv(tmp_path / "venv", "old")
        before = tree(path)
        backup = venv_backup.back_up(str(path))
        venv_backup.restore(str(path), backup)
        venv_backup.restore(str(path), backup)
        assert tree(path) == before

    def test_of_a_killed_pip(self, tmp_path: Path) -> None:
        """The mark says that the backup is what counts."""
        path = make_venv(tmp_path / "venv", "old")
        before = tree(path)
        venv_backup.back_up(str(path))
        (path / "bin/python").unlink()
        venv_backup.recover(str(path))
        assert tree(path) == before
        assert list(tmp_path.iterdir()) == [path]

    def test_without_the_backup(self, tmp_path: Path) -> None:
        """Somebody removed it after pip was killed: nothing is taken away, and the mark stays."""
        path = make_venv(tmp_path / "venv", "old")
        directories.discard(venv_backup.back_up(str(path)))
        venv_backup.recover(str(path))
        assert shown(path) == "old"
        assert directories.is_interrupted(str(path))

    def test_without_hard_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then it is a copy, with the same owners and modes."""

        def refuse(*_arguments: object, **_options: object) -> None:
            raise OSError(errno.EPERM, "no hard links")

        path = make_venv(tmp_path / "venv", "old")
        os.chown(path / "bin/python", 12345, 12345)
        before = tree(path)
        monkeypatch.setattr(os, "link", refuse)
        assert tree(Path(venv_backup.back_up(str(path)))) == before


class TestDiscard:
    @pytest.mark.parametrize(
        "name",
        ["venv", "venv-old", "venv-1a2b3c4", "venv-1A2B3C4D", "venv.backup", "venv-1a2b3c4d/bin", "venv.discarded"],
    )
    def test_what_is_not_ours_is_refused(self, tmp_path: Path, name: str) -> None:
        """By its name, whatever is in it."""
        path = make_venv(tmp_path / name, "mine")
        (path / directories.BUILT).touch()
        with pytest.raises(ValueError, match="is not a name that this collection gives"):
            directories.discard(str(path))
        assert shown(path) == "mine"

    def test_one_of_the_name_that_was_not_built(self, tmp_path: Path) -> None:
        """Somebody else may take such a name."""
        path = make_venv(tmp_path / "venv-1a2b3c4d", "mine")
        with pytest.raises(ValueError, match="was not built by this collection"):
            directories.discard(str(path))
        assert directories.leftovers(str(tmp_path / "venv")) == []
        assert shown(path) == "mine"

    def test_the_one_in_use(self, tmp_path: Path) -> None:
        """The caller made a mistake."""
        path, new = tmp_path / "venv", make_built(tmp_path / "venv", "new")
        links.switch_link(str(path), str(new))
        with pytest.raises(ValueError, match="is in use"):
            directories.discard(str(new))
        assert shown(path) == "new"

    def test_what_is_gone(self, tmp_path: Path) -> None:
        """Is discarded."""
        directories.discard(str(tmp_path / "venv-1a2b3c4d"))


class TestLeftovers:
    def test_all_kinds(self, tmp_path: Path) -> None:
        """Those that are ours and that the path does not lead to, and no neighbour's."""
        path = make_venv(tmp_path / "venv", "old")
        backup = venv_backup.back_up(str(path))
        directories.finish(str(path))
        built, unfinished = make_built(path, "new"), directories.begin(str(path))
        displaced = links.switch_link(str(path), str(built))
        link = tmp_path / "venv.gunicorn-swap-00000000"
        link.symlink_to("nowhere")
        for name in ("venv2", "venv2-1a2b3c4d", "my-venv", "venv-1a2b3c4d"):
            make_built(tmp_path / name, "neighbour")
            make_venv(tmp_path / name, "neighbour")
        expected = {backup, unfinished, displaced, str(link)}
        found = set(directories.leftovers(str(path)))
        assert expected <= found
        assert not [name for name in found if os.path.exists(f"{name}/bin/python") and shown(Path(name)) == "neighbour"]
        venv_backup.recover(str(path))
        assert set(directories.leftovers(str(path))) == found - {unfinished}

    def test_of_a_venv_elsewhere(self, tmp_path: Path) -> None:
        """The backup of what a user's own link leads to stands beside that."""
        (tmp_path / "there").mkdir()
        make_venv(tmp_path / "there/mine", "old")
        (tmp_path / "venv").symlink_to("there/mine")
        backup = venv_backup.back_up(str(tmp_path / "venv"))
        assert (
            directories.leftovers(str(tmp_path / "venv")) == [backup] == [str(tmp_path / "there/mine.gunicorn-backup")]
        )

    def test_where_nothing_is(self, tmp_path: Path) -> None:
        """Not even the directory."""
        assert directories.leftovers(str(tmp_path / "opt/venv")) == []
        venv_backup.recover(str(tmp_path / "opt/venv"))


class TestInTheMaking:
    def test_it_is_emptied(self, tmp_path: Path) -> None:
        """The first venv at the path itself: killed, it is none."""
        path = tmp_path / "venv"
        make_venv(Path(directories.begin_in_place(str(path))), "half")
        assert directories.is_in_the_making(str(path))
        venv_backup.recover(str(path))
        assert list(path.iterdir()) == []

    @pytest.mark.parametrize("existed", [False, True])
    def test_it_is_abandoned(self, tmp_path: Path, existed: bool) -> None:
        """An empty directory that was there stays."""
        directory = directories.begin_in_place(str(tmp_path / "venv"))
        make_venv(Path(directory), "half")
        directories.abandon(directory, existed)
        assert [path.name for path in tmp_path.iterdir()] == ["venv"] * existed


class TestLock:
    def test_one_at_a_time(self, tmp_path: Path) -> None:
        """The second one fails with one sentence; other venvs are not waited for; then it is its turn."""
        path = str(tmp_path / "venv")
        held = directories.lock(path)
        with pytest.raises(TimeoutError, match=f"{path}: another run did not end within 0 s"):
            directories.lock(path, wait=0)
        os.close(directories.lock(str(tmp_path / "other"), wait=0))
        os.close(held)
        os.close(directories.lock(path, wait=0))

    def test_a_child_holds_it(self, tmp_path: Path) -> None:
        """A pip that outlives the module that started it."""
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
