# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace a link atomically, and let two paths exchange their names."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets

HEX = "-[0-9a-f]{8}"
SWAP = rf"\.gunicorn-swap{HEX}"
BACKUP = ".gunicorn-backup"
DIRECTORY = "directory"  # what what_is_at says of one; journals hold it
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# Not every filesystem and kernel exchanges names, and not every container allows it.
_CAN_NOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOTSUP)


def switch_link(path: str, directory: str) -> str:
    """Make `path` a link to `directory`, atomically, and return what undo_link needs to know.

    This is the directory that the link named before, or the new place of the plain directory that was at `path`, or ""
    if there was nothing. If `path` leads to `directory` already, nothing happens, and this is `directory`.
    """
    path = settled(path)
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
        exchange(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    return temporary


def undo_link(path: str, directory: str, previous: str) -> None:
    """Take back a switch_link to `directory`; `previous` is what it returned."""
    path = settled(path)
    finish_exchanges(path)
    if not previous:
        if os.path.islink(path) and os.path.realpath(path) == os.path.realpath(directory):
            os.unlink(path)
    elif re.fullmatch(re.escape(path) + SWAP, previous):
        if os.path.islink(path):
            exchange(previous, path)
        if os.path.islink(previous):
            os.unlink(previous)
    else:
        switch_link(path, previous)


def what_is_at(path: str) -> str:
    """What put_back needs to know before a switch_link: the directory that a link names, DIRECTORY, or ""."""
    return _link_target(settled(path)) or (DIRECTORY if os.path.lexists(path) else "")


def put_back(path: str, before: str) -> None:
    """Take back a switch_link, also one that was killed; `before` is what what_is_at said before it."""
    path = settled(path)
    finish_exchanges(path)
    if before not in ("", DIRECTORY):
        switch_link(path, before)
    elif os.path.islink(path):
        undo_link(path, os.path.realpath(path), _displaced(path))


def finish_exchanges(path: str) -> None:
    """Complete or take back an exchange by single renames in which a run was killed."""
    folder, name = os.path.split(path)
    for entry in os.listdir(folder) if os.path.isdir(folder) else []:
        if re.fullmatch(rf"{re.escape(name)}(?:{re.escape(BACKUP)}|{SWAP})\.aside", entry):
            aside = os.path.join(folder, entry)
            target = aside[: -len(".aside")] if os.path.lexists(path) else path
            if not os.path.lexists(target):
                os.rename(aside, target)


def exchange(first: str, second: str) -> None:
    """Give two paths each other's names at once, or by single renames if the filesystem can't."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if not renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
            return
        code = ctypes.get_errno()
        if code not in _CAN_NOT_EXCHANGE:
            raise OSError(code, os.strerror(code), first, None, second)
    _exchange_by_renames(first, second)


def settled(path: str) -> str:
    """The absolute path with the links on the way resolved; a link at the path itself stays one."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


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


def _displaced(path: str) -> str:
    """Where switch_link has put the plain directory that was at `path`, or "" if there was none."""
    folder, name = os.path.split(path)
    entries = (entry for entry in os.listdir(folder) if re.fullmatch(re.escape(name) + SWAP, entry))
    found = [path for path in (os.path.join(folder, entry) for entry in entries) if os.path.isdir(path)]
    # An earlier one may have stayed since it was in use. Being renamed changes a directory's status.
    return max(found, key=lambda path: (os.lstat(path).st_ctime_ns, path), default="")


def _link_target(path: str) -> str | None:
    return os.path.join(os.path.dirname(path), os.readlink(path)) if os.path.islink(path) else None
