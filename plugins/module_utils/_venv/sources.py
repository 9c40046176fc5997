# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a local directory or file that was installed has changed since: its version tells nothing about that."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Iterator, NamedTuple

# Of an editable directory, Python loads the code from there; only these files decide what else is installed.
_PROJECT_FILES = ("pyproject.toml", "setup.cfg", "setup.py")
# What tools make, and no package contains: caches, repositories, and what a build leaves in its source.
_LEFT_OUT = frozenset({"__pycache__", ".git", ".hg", ".svn", ".bzr", "node_modules"})
_LEFT_OUT_AT_THE_TOP = frozenset({"build", "dist"})
# Their directories say so themselves.
_MARKS = ("pyvenv.cfg", "CACHEDIR.TAG")
_CHUNK = 1 << 20
# Bytes of all files together: a sparse one, which the user of the service may have put somewhere below, has no end.
_READ_MAX = 1 << 30


class Source(NamedTuple):
    """A local directory or file, as two hashes."""

    looks: str  # over names, sizes and times: quickly compared
    content: str


def read(path: str, is_editable: bool) -> Source:
    """What is at a path now; OSError if it can't be read."""
    entries = list(_entries(path, is_editable))
    content = hashlib.sha256()
    left = _READ_MAX
    for name, place in entries:
        size, digest = _content_of(place, left)
        left -= size
        content.update(f"{name}\0".encode(errors="surrogateescape"))
        content.update(digest)
    return Source(_looks(entries), content.hexdigest())


def has_changed(path: str, is_editable: bool, noted: Source) -> bool:
    """Whether the content differs from the noted one. It is read only if something else looks different, too."""
    try:
        if _looks(list(_entries(path, is_editable))) == noted.looks:
            return False
        return read(path, is_editable).content != noted.content
    except OSError:
        return True


def _looks(entries: list[tuple[str, str]]) -> str:
    found = hashlib.sha256()
    for name, place in entries:
        status = _status(place)
        seen = f"{name}\0{status.st_mode}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0"
        found.update(seen.encode(errors="surrogateescape"))
    return found.hexdigest()


def _status(place: str) -> os.stat_result:
    """That of what a link leads to; of a link that leads nowhere or in a circle, its own."""
    try:
        return os.stat(place)
    except OSError:
        return os.lstat(place)


def _content_of(place: str, limit: int) -> tuple[int, bytes]:
    """The size of what was read, and a hash: of a file's content or, above the limit, of its size and time.

    A link that leads nowhere counts as what is written in it. Only regular files are opened, and not more of one is
    read than its size says: it may be a link to a file of /proc that never ends.
    """
    status = _status(place)
    if stat.S_ISLNK(status.st_mode):
        return 0, os.fsencode(os.readlink(place))
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return 0, b""
    if status.st_size > limit:
        return 0, f"{status.st_size}\0{status.st_mtime_ns}".encode()
    found = hashlib.sha256()
    left = status.st_size
    # It may have become a FIFO since.
    with open(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:
        while left > 0:
            chunk = file.read(min(_CHUNK, left))
            if not chunk:
                break
            left -= len(chunk)
            found.update(chunk)
    return status.st_size, found.digest()


def _entries(path: str, is_editable: bool) -> Iterator[tuple[str, str]]:
    """Name and path of each file that can get into the package, in a fixed order."""
    if not os.path.isdir(path):
        yield "", path
    elif is_editable:
        for name in _PROJECT_FILES:
            place = os.path.join(path, name)
            if os.path.exists(place):
                yield name, place
    else:
        yield from _below(path)


def _below(path: str) -> Iterator[tuple[str, str]]:
    # No recursion: Python's ends before the depth that a filesystem allows.
    waiting = [("", path)]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            if not prefix:
                raise
            continue  # its path is too long, or it was removed meanwhile
        left_out = _LEFT_OUT if prefix else _LEFT_OUT | _LEFT_OUT_AT_THE_TOP
        for entry in found:
            if entry.name in left_out or entry.name.endswith((".pyc", ".egg-info")):
                continue
            if not _is_directory(entry):
                yield f"{prefix}{entry.name}", entry.path
            elif not any(os.path.lexists(os.path.join(entry.path, mark)) for mark in _MARKS):
                if entry.is_symlink():
                    yield f"{prefix}{entry.name}", entry.path
                else:
                    waiting.append((f"{prefix}{entry.name}/", entry.path))


def _is_directory(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False
