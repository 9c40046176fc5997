# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where virtual environments stand: new ones beside the old, a link that moves at once, and backups by hard links.

Beside the path ``venv`` stand, in the same directory::

    venv-1a2b3c4d                         a venv that was built; ``venv`` is a link to one of them
    venv.gunicorn-backup                  what ``venv`` held before pip changed it in place
    venv.gunicorn-swap-1a2b3c4d           a link on its way to ``venv``, or the directory that it displaced
    ....discarded, .partial, .aside       what was being removed, copied or exchanged

Whatever step a process is killed in, ``recover`` finds from these names and from the markers how to go on.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _lock

BUILT = ".gunicorn-venv"  # this directory was built here
MAKING = ".gunicorn-making"  # it is not finished, and worth nothing
INSTALLING = ".gunicorn-installing"  # pip is changing it in place: what counts is its backup
BACKUP = ".gunicorn-backup"

_HEX = "-[0-9a-f]{8}"
_SWAP = rf"\.gunicorn-swap{_HEX}"
_SUFFIX = (
    rf"(?:(?:{_HEX})?(?:{re.escape(BACKUP)}(?:\.partial)?|{_SWAP})(?:\.discarded)?|{_HEX}\.discarded|(?P<built>{_HEX}))"
)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# Not every filesystem exchanges names, not every kernel, and not every container lets it.
_CAN_NOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOTSUP)


def switch_link(path: str, directory: str) -> str:
    """Make `path` a link to `directory`, atomically; returns what undo_link needs to know.

    That is the directory which the link named before, or where the plain directory is that stood at `path`, or ""
    where there was nothing. Where `path` is `directory` already, nothing happens, and it is that directory.
    """
    path = _settled(path)
    finish_exchanges(path)
    if os.path.lexists(path) and os.path.realpath(path) == os.path.realpath(directory):
        return os.path.realpath(path)
    if os.path.lexists(path) and not (os.path.islink(path) or os.path.isdir(path)):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    previous = _link_target(path)
    temporary = f"{path}.gunicorn-swap-{secrets.token_hex(4)}"
    os.symlink(directory, temporary)
    try:
        if previous is not None or not os.path.lexists(path):
            os.replace(temporary, path)
            return previous or ""
        _exchange(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    return temporary


def undo_link(path: str, directory: str, previous: str) -> None:
    """Take back a switch_link to `directory`; `previous` is what it returned."""
    path = _settled(path)
    finish_exchanges(path)
    if not previous:
        if os.path.islink(path) and os.path.realpath(path) == os.path.realpath(directory):
            os.unlink(path)
    elif re.fullmatch(re.escape(path) + _SWAP, previous):
        if os.path.islink(path):
            _exchange(previous, path)
        if os.path.islink(previous):
            os.unlink(previous)
    else:
        switch_link(path, previous)


def what_stands(path: str) -> str:
    """What put_back needs to know before a switch_link: the directory that a link names, "directory", or ""."""
    return _link_target(_settled(path)) or ("directory" if os.path.lexists(path) else "")


def put_back(path: str, stood: str) -> None:
    """Have at `path` what stood there, however far a switch_link came; `stood` is what what_stands said before it."""
    path = _settled(path)
    finish_exchanges(path)
    if stood not in ("", "directory"):
        switch_link(path, stood)
    elif os.path.islink(path):
        displaced = [each for each in leftovers(path) if re.fullmatch(re.escape(path) + _SWAP, each)]
        undo_link(path, os.path.realpath(path), next((each for each in displaced if os.path.isdir(each)), ""))


def back_up(path: str) -> str:
    """Make a backup of the venv by hard links, mark the venv as being changed, and return the backup's path.

    A backup that is there already is kept: it is what to go back to. pip never writes into a file, it replaces it.
    """
    directory = os.path.realpath(path)
    backup = directory + BACKUP
    if not os.path.lexists(backup):
        partial = f"{backup}.partial"
        _remove(partial)
        try:
            _link_tree(directory, partial)
            os.rename(partial, backup)
        except BaseException:
            _remove(partial)
            raise
    _mark(directory, INSTALLING)
    return backup


def backup_of(path: str) -> str:
    """The path of the venv's backup, or "" where there is none."""
    backup = os.path.realpath(path) + BACKUP
    return backup if os.path.lexists(backup) else ""


def restore(path: str, backup: str) -> None:
    """Put the backup back in place of the venv, atomically, and remove what was there."""
    directory = os.path.realpath(path)
    finish_exchanges(directory)
    if not os.path.lexists(backup):
        return
    # The one of the two that bears this mark is the one to throw away, whatever happens next.
    if not _has_mark(backup, INSTALLING):
        _mark(directory, INSTALLING)
        _exchange(backup, directory)
    discard(backup)


def discard(directory: str) -> None:
    """Remove a backup, a built or a displaced directory, or a link on its way; ValueError for anything else."""
    directory = _settled(directory)
    match = re.search(rf"{_SUFFIX}\Z", directory)
    if match is None:
        raise ValueError(f"{directory} is not a name that this collection gives")
    if os.path.lexists(directory):
        if match["built"] and not is_built(directory):
            raise ValueError(f"{directory} was not built by this collection")
        if match["built"] and os.path.realpath(directory[: match.start()]) == os.path.realpath(directory):
            raise ValueError(f"{directory} is in use")
    if directory.endswith(".discarded"):
        _remove(directory)
        return
    doomed = f"{directory}.discarded"
    _remove(doomed)
    if os.path.lexists(directory):
        # At once, so that no half of it is taken for a whole, and under a name that tells what is left to do.
        os.rename(directory, doomed)
        _remove(doomed)


def leftovers(path: str) -> list[str]:
    """What stands beside `path`, is ours, and is not what `path` leads to."""
    path = _settled(path)
    current = os.path.realpath(path)
    found: dict[str, None] = {}
    for folder, name in (os.path.split(path), os.path.split(current)):
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            match = re.fullmatch(_SUFFIX, entry[len(name) :]) if entry.startswith(name) else None
            candidate = os.path.join(folder, entry)
            if match and candidate != current and (not match["built"] or is_built(candidate)):
                found[candidate] = None
    return list(found)


def begin(path: str) -> str:
    """Make an empty directory for a new venv beside `path`."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    directory = f"{_settled(path)}-{secrets.token_hex(4)}"
    os.mkdir(directory)
    _mark(directory, BUILT)
    _mark(directory, MAKING)
    return directory


def begin_in_place(path: str) -> str:
    """Make the directory of a new venv at `path` itself, or take the empty one that is there."""
    directory = os.path.realpath(path)
    os.makedirs(directory, exist_ok=True)
    _mark(directory, MAKING)
    return directory


def abandon(directory: str, existed: bool) -> None:
    """Remove what was begun in place, but for the directory where it existed."""
    _empty(directory)
    if not existed:
        os.rmdir(directory)


def finish(directory: str) -> None:
    """Say that the venv is whole, once it is on the disk."""
    _sync(directory)
    for mark in (MAKING, INSTALLING):
        if _has_mark(directory, mark):
            os.unlink(os.path.join(directory, mark))


def is_in_the_making(path: str) -> bool:
    """Whether a run was killed while it made the first venv at `path`: there is none yet."""
    return _has_mark(path, MAKING)


def is_interrupted(path: str) -> bool:
    """Whether a run was killed while it worked on the venv itself."""
    return _has_mark(path, MAKING) or _has_mark(path, INSTALLING)


def recover(path: str) -> None:
    """Put right what a killed run has left; nobody else may be at work, see lock."""
    path = _settled(path)
    directory = os.path.realpath(path)
    for place in dict.fromkeys((path, directory)):
        finish_exchanges(place)
    for leftover in leftovers(path):
        if leftover.endswith((".discarded", ".partial")) or _is_half_made(leftover):
            discard(leftover)
    backup = backup_of(path)
    # Also one with the mark: of a backup that was put back, the changed venv is still to be removed.
    if backup and (_has_mark(directory, INSTALLING) or _has_mark(backup, INSTALLING)):
        restore(path, backup)
    if _has_mark(directory, MAKING):
        _empty(directory)


def lock(path: str, wait: float = 600) -> int:
    """Wait until nobody else works on the venv. The lock lasts while the descriptor is open, in a child as well.

    TimeoutError after `wait` seconds.
    """
    try:
        return _lock.take(lock_name(path), wait)
    except TimeoutError as error:
        raise TimeoutError(f"{path}: {error}") from None


def lock_name(path: str) -> str:
    """The lock on a venv and on what stands beside it."""
    return f"venv-{hashlib.sha256(_settled(path).encode()).hexdigest()[:16]}"


def write(path: str, text: str) -> None:
    """Write a file by replacing it: a backup by hard links shares the old one."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(text)
    os.replace(temporary, path)


def finish_exchanges(path: str) -> None:
    """Complete or take back what a killed run left of an exchange by single renames."""
    folder, name = os.path.split(path)
    for entry in os.listdir(folder) if os.path.isdir(folder) else []:
        if re.fullmatch(rf"{re.escape(name)}(?:{re.escape(BACKUP)}|{_SWAP})\.aside", entry):
            aside = os.path.join(folder, entry)
            target = aside[: -len(".aside")] if os.path.lexists(path) else path
            if not os.path.lexists(target):
                os.rename(aside, target)


def _exchange(first: str, second: str) -> None:
    """Give two paths each other's names at once, or with a moment in between where the filesystem can't."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if not renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
            return
        code = ctypes.get_errno()
        if code not in _CAN_NOT_EXCHANGE:
            raise OSError(code, os.strerror(code), first, None, second)
    _exchange_by_renames(first, second)


def _exchange_by_renames(first: str, second: str) -> None:
    aside = f"{first}.aside"
    done: list[tuple[str, str]] = []
    try:
        for source, target in ((second, aside), (first, second), (aside, first)):
            os.rename(source, target)
            done.append((source, target))
    except OSError:
        for source, target in reversed(done):
            os.rename(target, source)
        raise


def _link_tree(source: str, target: str) -> None:
    """Like cp --archive --link."""
    os.mkdir(target, 0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            copy = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                _link_tree(entry.path, copy)
            else:
                _link(entry.path, copy)
    _copy_status(source, target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # no hard links here, or too many of this file
        shutil.copy2(source, target, follow_symlinks=False)
        _copy_status(source, target)


def _copy_status(source: str, target: str) -> None:
    status = os.lstat(source)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)


def _settled(path: str) -> str:
    """The path itself may be a link, and stays one; the way to it is resolved."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def _link_target(path: str) -> str | None:
    return os.path.join(os.path.dirname(path), os.readlink(path)) if os.path.islink(path) else None


def is_built(directory: str) -> bool:
    """Whether a venv was built here, beside the path that it is for."""
    # One without anything in it: killed before the marker was written.
    return os.path.isdir(directory) and (_has_mark(directory, BUILT) or not os.listdir(directory))


def _is_half_made(directory: str) -> bool:
    # A displaced directory without anything in it is what stood there: not ours to judge.
    match = re.search(rf"{_SUFFIX}\Z", directory)
    return bool(match and match["built"]) and (_has_mark(directory, MAKING) or not os.listdir(directory))


def _has_mark(directory: str, mark: str) -> bool:
    return os.path.lexists(os.path.join(directory, mark))


def _mark(directory: str, mark: str) -> None:
    with open(os.path.join(directory, mark), "w", encoding="ascii"):
        pass


def _empty(directory: str) -> None:
    """Remove what a directory holds, the mark that says so last."""
    for entry in sorted(os.listdir(directory), key=lambda name: name == MAKING):
        _remove(os.path.join(directory, entry))


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)
