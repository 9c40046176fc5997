# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that are built beside a path, which is a link to one of them, and what else is beside the path.

For the path ``venv``, its folder holds::

    venv-1a2b3c4d                         a directory that was built; ``venv`` is a link to one of them
    venv.gunicorn-backup                  what ``venv`` held before it was changed in place
    venv.gunicorn-swap-1a2b3c4d           a link on its way to ``venv``, or the directory that it displaced
    ....discarded, .partial, .aside       what was being removed, copied or exchanged

After a process was killed at any step, these names and the marks inside tell how to go on.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import secrets
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.links import BACKUP, HEX, SWAP

# Marks are empty files in a directory.
BUILT = ".gunicorn-venv"  # it was built beside its path
MAKING = ".gunicorn-making"  # it is not finished, and worth nothing
CHANGING = ".gunicorn-installing"  # it is being changed in place, and can only be relied on through its backup
_SUFFIX = (
    rf"(?:(?:{HEX})?(?:{re.escape(BACKUP)}(?:\.partial)?|{SWAP})(?:\.discarded)?|{HEX}\.discarded|(?P<built>{HEX}))"
)


def lock(path: str, wait: float = 600) -> int:
    """Wait until nobody else works on the path. The lock lasts while the descriptor is open, in a child as well.

    TimeoutError after `wait` seconds.
    """
    try:
        return atomic_lock.take(lock_name(path), wait)
    except TimeoutError as error:
        raise TimeoutError(f"{path}: {error}") from None


def lock_name(path: str) -> str:
    """The name of the lock on a path and on what is beside it."""
    return f"venv-{hashlib.sha256(links.settled(path).encode()).hexdigest()[:16]}"


def begin(path: str) -> str:
    """Make an empty directory beside `path`, and return its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    directory = f"{links.settled(path)}-{secrets.token_hex(4)}"
    os.mkdir(directory)
    mark(directory, BUILT)
    mark(directory, MAKING)
    return directory


def begin_in_place(path: str) -> str:
    """Make a directory at `path` itself, or take the empty one that is there, and return its real path."""
    directory = os.path.realpath(path)
    os.makedirs(directory, exist_ok=True)
    mark(directory, MAKING)
    return directory


def finish(directory: str) -> None:
    """Mark a directory as whole, once it is on the disk."""
    sync(directory)
    for name in (MAKING, CHANGING):
        if has_mark(directory, name):
            os.unlink(os.path.join(directory, name))


def abandon(directory: str, existed: bool) -> None:
    """Remove what was begun in place; if the directory `existed` before, it stays, empty."""
    empty(directory)
    if not existed:
        os.rmdir(directory)


def discard(directory: str) -> None:
    """Remove a backup, a built or a displaced directory, or a link on its way; ValueError for anything else."""
    directory = links.settled(directory)
    match = re.search(rf"{_SUFFIX}\Z", directory)
    if match is None:
        raise ValueError(f"{directory} is not a name that this collection gives")
    if os.path.lexists(directory):
        if match["built"] and not is_built(directory):
            raise ValueError(f"{directory} was not built by this collection")
        if match["built"] and os.path.realpath(directory[: match.start()]) == os.path.realpath(directory):
            raise ValueError(f"{directory} is in use")
    if directory.endswith(".discarded"):
        remove(directory)
        return
    doomed = f"{directory}.discarded"
    remove(doomed)
    if os.path.lexists(directory):
        # Renamed at once, so that nobody takes a half of it for the whole, and the name tells what is left to do.
        os.rename(directory, doomed)
        remove(doomed)


def leftovers(path: str) -> list[str]:
    """What this collection has put beside `path`, or beside what it leads to, and the path does not lead to."""
    path = links.settled(path)
    current = os.path.realpath(path)
    found: dict[str, None] = {}
    for folder, name in (os.path.split(path), os.path.split(current)):
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            match = re.fullmatch(_SUFFIX, entry[len(name) :]) if entry.startswith(name) else None
            candidate = os.path.join(folder, entry)
            if match and candidate != current and (not match["built"] or is_built(candidate)):
                found[candidate] = None
    return list(found)


def is_interrupted(path: str) -> bool:
    """Whether a run was killed while it made or changed the directory at the path itself."""
    return has_mark(path, MAKING) or has_mark(path, CHANGING)


def is_in_the_making(path: str) -> bool:
    """Whether a run was killed while it made the first directory at the path, which then counts as none."""
    return has_mark(path, MAKING)


def is_built(directory: str) -> bool:
    """Whether a directory was built beside the path that it is for."""
    # Also if it is empty: a run was killed before it wrote the mark.
    return os.path.isdir(directory) and (has_mark(directory, BUILT) or not os.listdir(directory))


def is_half_made(directory: str) -> bool:
    """Whether a run was killed while it built the directory beside its path."""
    # By its name, too: an empty directory that was displaced is the user's.
    match = re.search(rf"{_SUFFIX}\Z", directory)
    return bool(match and match["built"]) and (has_mark(directory, MAKING) or not os.listdir(directory))


def has_mark(directory: str, name: str) -> bool:
    """Whether a directory has the mark of that name."""
    return os.path.lexists(os.path.join(directory, name))


def mark(directory: str, name: str) -> None:
    """Put a mark into a directory; one that is there stays, and a link in its place is not followed."""
    # In a directory that is the user's own, others than root may have put it there.
    if not has_mark(directory, name):
        os.close(os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def empty(directory: str) -> None:
    """Remove what a directory holds; MAKING goes last, so that a killed run leaves it."""
    for entry in sorted(os.listdir(directory), key=lambda name: name == MAKING):
        remove(os.path.join(directory, entry))


def remove(path: str) -> None:
    """Remove a directory with all that is in it, a file or a link; it may be gone already."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def sync(directory: str) -> None:
    """Have all that was written to the file system of a directory on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)
