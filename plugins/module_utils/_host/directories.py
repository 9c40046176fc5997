# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that a plan relies on: which of them exist, which parents are missing, and how root makes them.

Root makes and gives away directories where others may write, too, such as one for logs in the data directory. It goes
there by descriptors, component by component: what is renamed or replaced meanwhile does not lead it elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import PurePath
from typing import Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# To look at what is there without opening it: also a link, a pipe, or a directory that root may not read
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS_MAX = 40


class UnsafeDirectory(Exception):
    """Root does not make a directory, or give it away, as others may have put something else at its path."""


class _Reached(NamedTuple):
    """How far a path leads: descriptors of what is there and of the directory that holds it, and what is missing."""

    holder: int
    entry: int
    missing: tuple[str, ...]


def check_parent(variable: str, path: str) -> None:
    """Raise InvalidValue if the innermost existing parent of a path is not a directory."""
    check_directory(variable, path, innermost_existing(os.path.dirname(path)))


def check_directory(variable: str, path: str, directory: str) -> None:
    """Raise InvalidValue if a directory that the path leads through is something else."""
    if not os.path.isdir(directory):
        raise InvalidValue(variable, path, f"a path in a directory: {directory} is not a directory")


def innermost_existing(path: str) -> str:
    """The path itself, or the innermost of its parents that exists."""
    return [step for step in steps_to(path) if os.path.lexists(step)][-1]


def missing_parents(path: str) -> list[dict]:
    """Return the missing parents of a path, the outermost first, for root to own as it owns those of a package.

    They must not belong to the owner of the innermost directory.
    """
    missing = (parent for parent in steps_to(path)[:-1] if not os.path.lexists(parent))
    return [{"path": parent, "owner": "root", "group": "root", "mode": "0755"} for parent in missing]


def steps_to(path: str) -> list[str]:
    """The path and all its parents, the root first."""
    return [*(str(parent) for parent in reversed(PurePath(path).parents)), path]


def unsafe(path: str) -> str:
    """Why root would not go to this directory, as far as it exists; an empty string if it would."""
    try:
        with _reach(path):
            return ""
    except UnsafeDirectory as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)


def check_way(variable: str, path: str, directory: str) -> None:
    """Raise InvalidValue if `ensure` would not go to a directory that the path needs, as far as it exists."""
    reason = unsafe(directory)
    if reason:
        raise InvalidValue(variable, path, f"another path: {reason}")


def ensure(directory: dict, check_mode: bool = False) -> tuple[dict, dict]:
    """Make a directory, or give it its owner, group and mode; returns what it had of them before, and has now.

    The mapping has a `path`, and any of `owner`, `group` and `mode`. A directory that was made had none of them. A
    missing parent is an error, except in check mode, as it would have been made. Raises UnsafeDirectory and OSError.
    """
    path = directory["path"]
    wanted = {name: directory[name] for name in ("owner", "group", "mode") if directory.get(name)}
    if "mode" in wanted:
        wanted["mode"] = f"{int(wanted['mode'], 8):04o}"
    with _reach(path) as reached:
        if not reached.missing:
            return _hand_over(path, reached, wanted, check_mode)
        if not check_mode:
            _make(path, reached, wanted)
    return {}, wanted


def remove(path: str) -> None:
    """Remove a file, a link, or a directory with all that is in it; one that is gone is no error.

    Raises UnsafeDirectory and OSError.
    """
    folder, name = os.path.split(path)
    with _reach(folder) as reached, contextlib.suppress(FileNotFoundError):
        if reached.missing:
            return
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=reached.entry, follow_symlinks=False).st_mode):
                # In the directory that was reached, wherever the path leads by now
                _remove_tree(name, f"/proc/self/fd/{reached.entry}")
            else:
                os.unlink(name, dir_fd=reached.entry)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None


def _remove_tree(name: str, holder: str) -> None:
    try:
        shutil.rmtree(os.path.join(holder, name))
    except (OSError, RecursionError) as error:
        if isinstance(error, OSError) and error.errno != errno.EMFILE:
            raise
        # Others can nest more directories than Python can call itself or open files. rm needs neither.
        done = subprocess.run(["rm", "-rf", "--", name], cwd=holder, check=False, stderr=subprocess.DEVNULL)
        if done.returncode:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), name) from None


def remove_socket(path: str) -> None:
    """Remove the file of a unix socket; anything else stays, and so does what `remove` would not go to."""
    folder, name = os.path.split(path)
    with contextlib.suppress(OSError, UnsafeDirectory), _reach(folder) as reached:
        found = os.stat(name, dir_fd=reached.entry, follow_symlinks=False)
        if not reached.missing and stat.S_ISSOCK(found.st_mode):
            os.unlink(name, dir_fd=reached.entry)


def _make(path: str, reached: _Reached, wanted: dict) -> None:
    """Make the last component of a path."""
    if len(reached.missing) > 1:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.path.dirname(path))
    # Nobody else gets in before it has its owner.
    try:
        os.mkdir(reached.missing[0], 0o700, dir_fd=reached.entry)
    except FileExistsError:
        raise UnsafeDirectory(f"{path} was made by others at the same time") from None
    with _opened(reached.missing[0], reached.entry) as made:
        if os.fstat(made).st_uid != os.geteuid() or os.listdir(made):
            raise UnsafeDirectory(f"{path} was replaced while root made it")
        _give(made, wanted)


def _hand_over(path: str, reached: _Reached, wanted: dict, check_mode: bool) -> tuple[dict, dict]:
    """Give a directory that is there its owner, group and mode, unless others may have put it there."""
    status, holder = os.fstat(reached.entry), os.fstat(reached.holder)
    before = {
        "owner": accounts.user_name(status.st_uid),
        "group": accounts.group_name(status.st_gid),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
    }
    after = {**before, **wanted}
    if after == before:
        return before, after
    if wanted.get("owner") != before["owner"] and not _was_put_by_root(status, holder):
        raise UnsafeDirectory(f"others than root may have put {path} there, which is {before['owner']}'s")
    if not check_mode:
        with _opened(".", reached.entry) as found:
            _give(found, wanted)
    return before, after


def _give(descriptor: int, wanted: dict) -> None:
    uid = pwd.getpwnam(wanted["owner"]).pw_uid if "owner" in wanted else -1
    gid = grp.getgrnam(wanted["group"]).gr_gid if "group" in wanted else -1
    os.fchown(descriptor, uid, gid)
    os.fchmod(descriptor, int(wanted["mode"], 8) if "mode" in wanted else os.fstat(descriptor).st_mode & 0o7777)


@contextlib.contextmanager
def _opened(name: str, holder: int) -> Iterator[int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=holder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _reach(path: str) -> Iterator[_Reached]:
    """Go along a path, as far as it exists, by links that root alone can have made; raises UnsafeDirectory and OSError.

    Where something is missing, the entry is the directory in which it is.
    """
    with contextlib.ExitStack() as stack:

        def look(name: str, holder: int | None = None) -> int:
            descriptor = os.open(name, _LOOK, dir_fd=holder)
            stack.callback(os.close, descriptor)
            return descriptor

        holder = entry = look("/")
        left, links = [name for name in path.split("/") if name], 0
        while left:
            try:
                found = look(left[0], entry)
            except FileNotFoundError:
                break
            name = left.pop(0)
            if stat.S_ISLNK(os.fstat(found).st_mode):
                links += 1
                if links > _LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = _follow(name, found, entry)
                left = [*(part for part in target.split("/") if part), *left]
                entry = look("/") if target.startswith("/") else entry
            elif stat.S_ISDIR(os.fstat(found).st_mode):
                holder, entry = entry, found
            else:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        yield _Reached(holder, entry, tuple(left))


def _follow(name: str, link: int, holder: int) -> str:
    """Where a link leads; raises UnsafeDirectory for one that others than root may have made."""
    status, target = os.fstat(link), os.readlink("", dir_fd=link)
    if status.st_uid != 0 or not _was_put_by_root(status, os.fstat(holder)):
        shown = os.path.join(os.readlink(f"/proc/self/fd/{holder}"), name)
        raise UnsafeDirectory(f"{shown} is a link to {target} that others than root may have made")
    return target


def _was_put_by_root(entry: os.stat_result, holder: os.stat_result) -> bool:
    """Whether nobody but root can have put a file or directory where it is."""
    if holder.st_uid != 0:
        return False
    if not holder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return True
    # Such as /var/log of Ubuntu, in which a group may write, and /tmp: what root owns, root has made there.
    return entry.st_uid == 0 and bool(holder.st_mode & stat.S_ISVTX or not holder.st_mode & stat.S_IWOTH)
