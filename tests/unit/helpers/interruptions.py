# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes to directories and links that are interrupted at each of their steps, by a kill or by an error."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links

DONE, FAILED, KILLED = 0, 1, 9
# The audit events of what changes something. An exchange of names has none of its own, but loads the C library first.
STEPS = {"ctypes.dlopen", "open", "shutil.rmtree"} | {
    f"os.{name}" for name in ("chmod", "chown", "link", "mkdir", "remove", "rename", "rmdir", "symlink", "utime")
}


def make_directory(path: Path, content: str) -> Path:
    """A directory like a venv: with a file that tells which one it is, a folder, links and modes."""
    (path / "bin").mkdir(parents=True)
    (path / "lib").mkdir(mode=0o750)
    (path / "bin/python").write_text(content)
    (path / "bin/python").chmod(0o755)
    (path / "bin/python3").symlink_to("python")
    (path / "lib64").symlink_to("lib")
    os.utime(path, (1, 1))
    return path


def make_built(path: Path, content: str) -> Path:
    """The same, built beside the path."""
    directory = Path(directories.begin(str(path)))
    make_directory(directory, content)
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
    """Which directory the path leads to, by its content, or "" if there is none."""
    return (path / "bin/python3").read_text() if path.exists() else ""


class Change(NamedTuple):
    """A change to a path: what is shown before and afterwards, and what prepares it and returns what does it."""

    old: str
    new: str
    prepare: Callable[[Path], Callable[[], object]]


def run_until(step: int, action: str, root: Path, function: Callable[[], object]) -> int:
    """Run a function in a process of its own, which fails or is killed at the step of that number."""
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


def interruptions(change: Change, action: str, folder: Path) -> Iterator[tuple[Path, Callable[[], object], int]]:
    """Prepare a change anew for each of its steps and interrupt it there, until one gets through."""
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


def check_killed_at_each_step(change: Change, folder: Path, exchange: str) -> None:
    """The path always leads to a whole directory, the same call again completes it, and all that is left is found."""
    for path, function, result in interruptions(change, "kill", folder):
        assert result in (KILLED, DONE)
        # Between two renames, nothing is at the path until the next call.
        assert shown(path) in (change.old, change.new) or exchange == "by renames"
        function()
        assert shown(path) == change.new
        for leftover in directories.leftovers(str(path)):
            directories.discard(leftover)
        assert shown(path) == change.new
        kept = {path, Path(os.path.realpath(path))}
        assert {entry for entry in path.parent.iterdir() if entry not in kept} == set()


def check_failed_at_each_step(change: Change, folder: Path) -> None:
    """At an error such as a full disk, the path leads to the old or the new one, and the same call completes it."""
    for path, function, result in interruptions(change, "fail", folder):
        assert result in (FAILED, DONE)
        assert shown(path) in (change.old, change.new)
        function()
        assert shown(path) == change.new


def begin_link(path: Path) -> tuple[Path, Path]:
    """Two directories that were built, and a link to the old one."""
    old, new = make_built(path, "old"), make_built(path, "new")
    links.switch_link(str(path), str(old))
    return old, new


def switch_from_link(path: Path) -> Callable[[], object]:
    _old, new = begin_link(path)
    return lambda: links.switch_link(str(path), str(new))


def switch_from_directory(path: Path) -> Callable[[], object]:
    make_directory(path, "old")
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


def drop_built(path: Path) -> Callable[[], object]:
    old, new = begin_link(path)
    assert shown(old) == "old"
    return lambda: directories.discard(str(new))


SWITCHES = {
    "a link instead of a link": Change("old", "new", switch_from_link),
    "a link instead of a directory": Change("old", "new", switch_from_directory),
    "a link instead of nothing": Change("", "new", switch_from_nothing),
}
UNDONE_SWITCHES = {
    "a link again": Change("new", "old", undo(switch_from_link)),
    "a directory again": Change("new", "old", undo(switch_from_directory)),
    "nothing again": Change("new", "", undo(switch_from_nothing)),
}
DISCARDS = {"a built one discarded": Change("old", "old", drop_built)}


def leave_all_kinds(path: Path) -> tuple[set[str], str]:
    """Leave one of each kind beside a path, and neighbours of similar names; returns all, and the unfinished one."""
    backup = make_directory(Path(f"{path}{links.BACKUP}"), "backup")
    make_directory(path, "old")
    built, unfinished = make_built(path, "new"), directories.begin(str(path))
    displaced = links.switch_link(str(path), str(built))
    link = path.with_name("venv.gunicorn-swap-00000000")
    link.symlink_to("nowhere")
    for name in ("venv2", "venv2-1a2b3c4d", "my-venv", "venv-1a2b3c4d"):
        make_built(path.parent / name, "neighbour")
        make_directory(path.parent / name, "neighbour")
    return {str(backup), unfinished, displaced, str(link)}, unfinished


class InterruptedAtEachStep:
    """The tests of a change that is interrupted, for a class with the parameter `change`."""

    def test_killed_at_each_step(self, tmp_path: Path, exchange: str, change: Change) -> None:
        """The path leads to a whole directory all the time, and the same call again completes the change."""
        check_killed_at_each_step(change, tmp_path, exchange)

    def test_failed_at_each_step(self, tmp_path: Path, exchange: str, change: Change) -> None:
        """The path leads to the old or the new directory, and the same call again completes the change."""
        check_failed_at_each_step(change, tmp_path)
