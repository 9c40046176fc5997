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
import hashlib
import os
import re
import secrets
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.links import BACKUP, HEX, SWAP

BUILT = ".gunicorn-venv"  # this directory was built here
MAKING = ".gunicorn-making"  # it is not finished, and worth nothing
INSTALLING = ".gunicorn-installing"  # pip is changing it in place: what counts is its backup
_SUFFIX = (
    rf"(?:(?:{HEX})?(?:{re.escape(BACKUP)}(?:\.partial)?|{SWAP})(?:\.discarded)?|{HEX}\.discarded|(?P<built>{HEX}))"
)


def put_back(path: str, stood: str) -> None:
    """Have at `path` what stood there, however far a switch_link came; `stood` is what what_stands said before it."""
    path = links.settled(path)
    links.finish_exchanges(path)
    if stood not in ("", "directory"):
        links.switch_link(path, stood)
    elif os.path.islink(path):
        displaced = [each for each in leftovers(path) if re.fullmatch(re.escape(path) + SWAP, each)]
        links.undo_link(path, os.path.realpath(path), next((each for each in displaced if os.path.isdir(each)), ""))


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
        # At once, so that no half of it is taken for a whole, and under a name that tells what is left to do.
        os.rename(directory, doomed)
        remove(doomed)


def leftovers(path: str) -> list[str]:
    """What stands beside `path`, is ours, and is not what `path` leads to."""
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


def begin(path: str) -> str:
    """Make an empty directory for a new venv beside `path`."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    directory = f"{links.settled(path)}-{secrets.token_hex(4)}"
    os.mkdir(directory)
    mark(directory, BUILT)
    mark(directory, MAKING)
    return directory


def begin_in_place(path: str) -> str:
    """Make the directory of a new venv at `path` itself, or take the empty one that is there."""
    directory = os.path.realpath(path)
    os.makedirs(directory, exist_ok=True)
    mark(directory, MAKING)
    return directory


def abandon(directory: str, existed: bool) -> None:
    """Remove what was begun in place, but for the directory where it existed."""
    empty(directory)
    if not existed:
        os.rmdir(directory)


def finish(directory: str) -> None:
    """Say that the venv is whole, once it is on the disk."""
    _sync(directory)
    for mark in (MAKING, INSTALLING):
        if has_mark(directory, mark):
            os.unlink(os.path.join(directory, mark))


def is_in_the_making(path: str) -> bool:
    """Whether a run was killed while it made the first venv at `path`: there is none yet."""
    return has_mark(path, MAKING)


def is_interrupted(path: str) -> bool:
    """Whether a run was killed while it worked on the venv itself."""
    return has_mark(path, MAKING) or has_mark(path, INSTALLING)


def lock(path: str, wait: float = 600) -> int:
    """Wait until nobody else works on the venv. The lock lasts while the descriptor is open, in a child as well.

    TimeoutError after `wait` seconds.
    """
    try:
        return atomic_lock.take(lock_name(path), wait)
    except TimeoutError as error:
        raise TimeoutError(f"{path}: {error}") from None


def lock_name(path: str) -> str:
    """The lock on a venv and on what stands beside it."""
    return f"venv-{hashlib.sha256(links.settled(path).encode()).hexdigest()[:16]}"


def write(path: str, text: str) -> None:
    """Write a file by replacing it: a backup by hard links shares the old one."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(text)
    os.replace(temporary, path)


def is_built(directory: str) -> bool:
    """Whether a venv was built here, beside the path that it is for."""
    # One without anything in it: killed before the marker was written.
    return os.path.isdir(directory) and (has_mark(directory, BUILT) or not os.listdir(directory))


def is_half_made(directory: str) -> bool:
    # A displaced directory without anything in it is what stood there: not ours to judge.
    match = re.search(rf"{_SUFFIX}\Z", directory)
    return bool(match and match["built"]) and (has_mark(directory, MAKING) or not os.listdir(directory))


def has_mark(directory: str, mark: str) -> bool:
    return os.path.lexists(os.path.join(directory, mark))


def mark(directory: str, mark: str) -> None:
    with open(os.path.join(directory, mark), "w", encoding="ascii"):
        pass


def empty(directory: str) -> None:
    """Remove what a directory holds, the mark that says so last."""
    for entry in sorted(os.listdir(directory), key=lambda name: name == MAKING):
        remove(os.path.join(directory, entry))


def remove(path: str) -> None:
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
