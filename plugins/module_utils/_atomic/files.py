# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files as they are and as they must be: reads and compares them, and writes whole candidates beside the live ones.

A run that is killed leaves each live file whole. See journal for files that are put in place together, and taken back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import Iterable, NamedTuple

CANDIDATE = ".candidate."
PREVIOUS = ".previous."
TEXT_LIMIT = 1024 * 1024  # bytes; more than any text that people write by hand
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class WantedFile(NamedTuple):
    """A file as it must be; without content there must be none."""

    path: str
    content: str | None
    mode: int = 0o644
    group: int = 0
    owner: int = 0
    secret: bool = False


class FileState(NamedTuple):
    """A file as it is; the hash is empty if what is at the path is no file that can be read."""

    sha256: str
    owner: int
    group: int
    mode: int


def read(path: str) -> str | None:
    """A file's text, or None if there is no file."""
    try:
        # A carriage return stays one: what is read is compared with what is wanted.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def read_regular(path: str, limit: int = TEXT_LIMIT, flags: int = 0) -> bytes:
    """The content of a file that others than root may have put there; `flags` are more of os.open's.

    OSError if it can't be read, if it is no regular file, or if it has more than `limit` bytes. The error's strerror
    says which. This never waits: neither for a FIFO's other end nor for a device.
    """
    # A look before opening it, since opening alone has an effect on some devices.
    _check_regular(path, os.stat(path, follow_symlinks=not flags & os.O_NOFOLLOW))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags)
    with open(descriptor, "rb") as file:
        # Its size is not relied on: it may grow while it is read.
        _check_regular(path, os.fstat(descriptor))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", path)
    return content


def text_hash(text: str) -> str:
    """The SHA-256 of a file with this text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def state(path: str) -> FileState | None:
    """What is at a path, or None if nothing is."""
    try:
        status = os.lstat(path)
        text = read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return FileState(
        "" if text is None else text_hash(text), status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
    )


def is_another(file: WantedFile, found: FileState | None) -> bool:
    """Whether what was found has another content, owner, group or mode than the file that is wanted."""
    if file.content is None:
        return found is not None
    return found != FileState(text_hash(file.content), file.owner, file.group, file.mode)


def differs(file: WantedFile) -> bool:
    """Whether the live file has another content, owner, group or mode than is wanted."""
    return is_another(file, state(file.path))


def differences(files: list[WantedFile]) -> list[dict[str, str]]:
    """What diff mode shows, without secrets; to be called before anything is changed."""
    return [
        {
            "before_header": file.path,
            "after_header": file.path,
            "before": read(file.path) or "",
            "after": file.content or "",
        }
        for file in files
        if not file.secret and differs(file)
    ]


def put(file: WantedFile) -> None:
    """Write a single file, whole or not at all, or remove it."""
    if file.content is None:
        remove(file.path)
        return
    stage([file])
    os.replace(beside(file.path, CANDIDATE), file.path)


def stage(files: list[WantedFile]) -> None:
    """Write the candidates beside the live files; if one can't be written, none is left."""
    for file in files:
        try:
            if file.content is not None:
                _write(beside(file.path, CANDIDATE), file)
        except OSError as error:
            unstage(files)
            # Python notices a full disk at a descriptor, which has no name.
            raise OSError(error.errno, error.strerror, file.path) from None


def unstage(files: list[WantedFile]) -> None:
    """Remove the candidates; those that are not there are no error."""
    for file in files:
        remove(beside(file.path, CANDIDATE))


def remove(path: str) -> None:
    """Remove a file; one that is not there is no error."""
    try:
        os.unlink(path)
    except OSError:
        # On a read-only file system, the kernel does not even look whether it is there.
        if os.path.lexists(path):
            raise


def unwritable(paths: Iterable[str]) -> list[str]:
    """The directories of these paths in which root can't write; of a missing one, the innermost that exists.

    Root is refused by a read-only file system, and by an attribute such as that of `chattr +i`.
    """
    found = []
    for path in paths:
        folder = os.path.dirname(path)
        while not os.path.isdir(folder) and folder not in ("/", ""):
            folder = os.path.dirname(folder)
        if folder not in found and not os.access(folder, os.W_OK | os.X_OK):
            found.append(folder)
    return found


def beside(path: str, prefix: str) -> str:
    """The path of a file's candidate or predecessor: the same folder and suffix, another name."""
    folder, name = os.path.split(path)
    return os.path.join(folder, prefix + name)


def _check_regular(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a link")
        code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(code, f"it is {kind} and no regular file", path)


def _write(path: str, file: WantedFile) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    remove(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as candidate:
        candidate.write(file.content or "")
        candidate.flush()
        os.fchown(descriptor, file.owner, file.group)
        os.fchmod(descriptor, file.mode)
        os.fsync(descriptor)
