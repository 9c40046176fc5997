# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of whole directories: from root to a user, and back from what the user made of them.

Root copies by descriptors. The user may go on to change what is copied, put links in place of files and directories, or
hold them open: none of that leads root elsewhere, and nothing of the user's is in the copy but the bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, NamedTuple

# Directories in each other; a copy has two descriptors of each open.
DEPTH_MAX = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What is at a path, without opening it
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
# Never waits: neither for a lock on the file nor for anything that it might be
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 24
# A file that is larger than it takes on the disk by this factor: whoever copies it once more would fill the disk.
_LARGE, _HOLLOW = 1 << 30, 100
_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class UnfitTree(Exception):
    """What is in a directory can't be copied as it is; the message says where, and why."""


class Copy(NamedTuple):
    """How a directory is copied."""

    uid: int  # of the copy
    gid: int
    # Only what belongs to this user is copied: others' files may be in the directory as hard links. None for any.
    of_user: int | None = None
    # Links must stay in this directory; `path` is that of the original's copy. Empty for links of any kind.
    inside: str = ""
    path: str = ""


def copy(source: str, target: str, how: Copy) -> None:
    """Copy a directory to a path where nothing is; its parent must be root's alone. Raises UnfitTree and OSError.

    The copy is readable for the group. Files stay executable, and readable for others, but keep no other privilege.
    """
    with _opened(source, _FOLDER) as origin:
        os.mkdir(target, 0o700)
        with _opened(target, _FOLDER) as made:
            _Copying(how, made).folder(origin, made, ())


class _Copying:
    """One copy under way."""

    def __init__(self, how: Copy, root: int) -> None:
        self._how = how
        self._root = root
        # Where in the copy a file with several names is: it must not take its space for each of them.
        self._copied: dict[tuple[int, int], str] = {}

    def folder(self, source: int, target: int, parts: tuple[str, ...]) -> None:
        """Copy what is in one directory into another one that is empty."""
        self._check_owner(os.fstat(source), parts)
        if len(parts) > DEPTH_MAX:
            raise UnfitTree(f"{_shown(parts)}: more than {DEPTH_MAX} directories are in each other")
        for name in sorted(os.listdir(source)):
            try:
                found = os.open(name, _LOOK, dir_fd=source)
            except FileNotFoundError:  # removed since
                continue
            try:
                # It may be another one by now: what is looked at is what is copied.
                self._entry(found, name, target, (*parts, name))
            finally:
                os.close(found)
        os.fchown(target, self._how.uid, self._how.gid)
        os.fchmod(target, 0o750 | os.fstat(source).st_mode & 0o005)

    def _entry(self, found: int, name: str, target: int, parts: tuple[str, ...]) -> None:
        status = os.fstat(found)
        self._check_owner(status, parts)
        if stat.S_ISDIR(status.st_mode):
            with _opened(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as source:
                os.mkdir(name, 0o700, dir_fd=target)
                with _opened(name, _FOLDER, target) as made:
                    self.folder(source, made, parts)
        elif stat.S_ISREG(status.st_mode):
            self._file(found, status, name, target, parts)
        elif stat.S_ISLNK(status.st_mode):
            leads_to = os.readlink("", dir_fd=found)
            self._check_link(leads_to, parts)
            os.symlink(leads_to, name, dir_fd=target)
            os.chown(name, self._how.uid, self._how.gid, dir_fd=target, follow_symlinks=False)
        else:
            raise UnfitTree(f"{_shown(parts)}: {_KINDS.get(stat.S_IFMT(status.st_mode), 'something')} can't be copied")

    def _file(self, found: int, status: os.stat_result, name: str, target: int, parts: tuple[str, ...]) -> None:
        if status.st_size > _LARGE and status.st_size > _HOLLOW * 512 * status.st_blocks:
            raise UnfitTree(f"{_shown(parts)}: {status.st_size} bytes, of which almost none were written")
        key = (status.st_dev, status.st_ino)
        if key in self._copied:
            os.link(self._copied[key], name, src_dir_fd=self._root, dst_dir_fd=target, follow_symlinks=False)
            return
        try:
            with _opened(f"/proc/self/fd/{found}", _READ) as source, _opened(name, _MAKE, target) as made:
                _copy_bytes(source, made, status.st_size)
                os.fchown(made, self._how.uid, self._how.gid)
                os.fchmod(made, 0o640 | status.st_mode & 0o004 | (0o110 if status.st_mode & 0o100 else 0))
        except BlockingIOError:
            raise UnfitTree(f"{_shown(parts)}: a process keeps it locked") from None
        if status.st_nlink > 1:
            self._copied[key] = os.path.join(*parts)

    def _check_owner(self, status: os.stat_result, parts: tuple[str, ...]) -> None:
        if self._how.of_user not in (None, status.st_uid):
            raise UnfitTree(f"{_shown(parts)}: it belongs to the user {status.st_uid}, and not to the step's")

    def _check_link(self, leads_to: str, parts: tuple[str, ...]) -> None:
        if self._how.inside and not stays_inside(leads_to, os.path.join(self._how.path, *parts), self._how.inside):
            raise UnfitTree(f"{_shown(parts)}: a link to {_shown((leads_to,))}, which is not in the release")


def stays_inside(leads_to: str, path: str, directory: str) -> bool:
    """Whether a link at a path leads to something in a directory, if the other links in there stay inside as well."""
    parts = leads_to.split("/")
    up = 0
    while not leads_to.startswith("/") and up < len(parts) and parts[up] in (".", ".."):
        up += 1
    # A way up after the name of another link would begin where that one leads.
    if ".." in parts[up:]:
        return False
    end = os.path.normpath(os.path.join(os.path.dirname(path), leads_to))
    return end == directory or end.startswith(f"{directory}/")


def _copy_bytes(source: int, target: int, size: int) -> None:
    """Copy a file as far as its size was, without its holes: those of a file without end would fill the disk."""
    begin = 0
    while begin < size:
        try:
            begin = os.lseek(source, begin, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break
        end = min(os.lseek(source, begin, os.SEEK_HOLE), size)
        os.lseek(target, begin, os.SEEK_SET)
        while begin < end:
            sent = os.sendfile(target, source, begin, min(_CHUNK, end - begin))
            if not sent:
                break
            begin += sent
        if begin < end:  # the file has become shorter
            break
    os.ftruncate(target, size)


def _shown(parts: tuple[str, ...]) -> str:
    """A path in a sentence: names are not to be trusted."""
    return repr(os.path.join(*parts) if parts else ".")[:300]


@contextlib.contextmanager
def _opened(path: str, flags: int, holder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600, dir_fd=holder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
