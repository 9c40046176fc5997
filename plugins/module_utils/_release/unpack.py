# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in an archive, written as root, and made fit for a release.

Not by ansible.builtin.unarchive: it needs unzip, makes special files, and leaves it to tar and unzip what to do with
names that lead elsewhere. Here each member is looked at. One that is neither a regular file nor a directory nor a link
is an error, and nothing is written through a link.
"""

from __future__ import annotations

import calendar
import contextlib
import os
import shutil
import stat
from typing import IO, Any, Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text

DIRECTORY_MODE = 0o750
FILE_MODE = 0o640
_EXECUTABLE = 0o110
_LINKS_MAX = 40
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_BLOCK = 512  # bytes, of a tar


class _Member(NamedTuple):
    """An entry of an archive: `content` for a file, `target` for a link, and for a hard link the `original`."""

    name: str
    mode: int = 0
    time: float = 0.0
    content: IO[bytes] | None = None
    target: str = ""
    original: str = ""
    is_directory: bool = False


def unpack(archive: str, directory: str, gid: int, under: str = "") -> list[str]:
    """Write what is in an archive into an empty directory of root's, or into the path `under` it.

    Returns the names of files that are only pointers of Git LFS. Directories are for root alone until `settle`.
    ReleaseError for an archive that can't be read, or that has what a release must not have; OSError if it can't be
    written.
    """
    pointers = []
    with _errors_of(archive), _members_of(archive) as members:
        for member in members:
            parts = [*_parts(under), *_parts(member.name)]
            if not parts or ".git" in parts:
                continue
            path = _way_to(directory, parts, member.is_directory)
            if member.is_directory:
                continue
            if os.path.lexists(path):
                os.unlink(path)  # the last one counts, as for tar
            if member.original:
                _copy(directory, member, path)
            elif member.target:
                os.symlink(member.target, path)
            elif _write(path, member, gid):
                pointers.append("/".join(parts))
    return pointers


def root_of(directory: str) -> str:
    """The directory that was meant to be packed: a single one at the top is only its name, if it is no package."""
    entries = os.listdir(directory)
    if len(entries) != 1:
        return directory
    only = os.path.join(directory, entries[0])
    is_real = os.path.isdir(only) and not os.path.islink(only)
    return only if is_real and not os.path.lexists(os.path.join(only, "__init__.py")) else directory


def inside(directory: str, path: str) -> str:
    """A directory in what was unpacked, or "" if there is none; links are not followed."""
    for name in path.split("/") if path else []:
        directory = os.path.join(directory, name)
        if os.path.islink(directory) or not os.path.isdir(directory):
            return ""
    return directory


def settle(directory: str, gid: int) -> None:
    """Let the group read what was unpacked; ReleaseError for a link that leads out of it.

    An absolute link stays, such as media -> /var/opt/mysite/media: it says what its author meant, wherever the release
    is. Root follows no link of a release. A relative one that leads out would mean something else in each release.
    """
    # From the inside out: until the end, nobody else gets in.
    for folder, names, files in os.walk(directory, topdown=False):
        for name in [*names, *files]:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                os.lchown(path, os.geteuid(), gid)
                if _leads_out(directory, path):
                    shown, target = (
                        values_text.shown(text) for text in (path[len(directory) + 1 :], os.readlink(path))
                    )
                    raise ReleaseError(
                        f"{shown} is a link to {target}, which leads out of the release. "
                        f"Let it lead to what is in the release, or to an absolute path"
                    )
        os.chown(folder, os.geteuid(), gid)
        os.chmod(folder, DIRECTORY_MODE)


def _leads_out(root: str, link: str) -> bool:
    """Whether a link leads out by a relative way; by an absolute one, it may."""
    reached = os.path.relpath(os.path.dirname(link), root).split("/")
    reached = [] if reached == ["."] else reached
    left, links = [os.path.basename(link)], 0
    while left:
        name = left.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            if not reached:
                return True
            reached.pop()
            continue
        path = os.path.join(root, *reached, name)
        if not os.path.islink(path):
            reached.append(name)
            continue
        links += 1
        target = os.readlink(path)
        if target.startswith("/") or links > _LINKS_MAX:
            return False
        left = [*target.split("/"), *left]
    return False


def _parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ReleaseError(f"{values_text.shown(name)} leads out of the archive")
    return parts


def _way_to(directory: str, parts: list[str], is_directory: bool) -> str:
    """The path of a member, once the directories that lead to it are made."""
    path = directory
    for number, part in enumerate(parts, 1):
        path = os.path.join(path, part)
        if number == len(parts) and not is_directory:
            break
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                name = values_text.shown("/".join(parts[:number]))
                raise ReleaseError(f"{name} is a link or a file, and a directory as well") from None
    if not is_directory and os.path.isdir(path) and not os.path.islink(path):
        raise ReleaseError(f"{values_text.shown('/'.join(parts))} is a directory, and something else as well")
    return path


def _write(path: str, member: _Member, gid: int) -> bool:
    """Write a file; whether it is a pointer of Git LFS."""
    if member.content is None:
        raise ReleaseError(f"{values_text.shown(member.name)} has no content")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        start = member.content.read(1024)
        file.write(start)
        shutil.copyfileobj(member.content, file, 1024 * 1024)
        file.flush()
        os.fchown(descriptor, os.geteuid(), gid)
        os.fchmod(descriptor, FILE_MODE | (_EXECUTABLE if member.mode & 0o111 else 0))
        # Servers of one fleet then tell browsers the same age of a file.
        os.utime(descriptor, (member.time, member.time))
    return start.startswith(_LFS_POINTER) and len(start) < 1024


def _copy(directory: str, member: _Member, path: str) -> None:
    """A hard link becomes a second name of the file that it names, which must be there."""
    parts = _parts(member.original)
    original = os.path.join(inside(directory, "/".join(parts[:-1])) or directory, parts[-1]) if parts else ""
    if not original or not os.path.lexists(original) or not stat.S_ISREG(os.lstat(original).st_mode):
        name, target = values_text.shown(member.name), values_text.shown(member.original)
        raise ReleaseError(f"{name} is a hard link to {target}, which is no file of the archive")
    os.link(original, path, follow_symlinks=False)


@contextlib.contextmanager
def _errors_of(archive: str) -> Iterator[None]:
    import lzma
    import tarfile
    import zipfile
    import zlib

    damages = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, OverflowError)
    try:
        yield
    except (*damages, NotImplementedError, RuntimeError) as error:
        if isinstance(error, RecursionError):
            raise
        raise ReleaseError(f"it can't be read as a tar (gz, bz2, xz) or a zip file ({error})") from None
    except OSError as error:
        # What gzip and bz2 say of a file that is none of theirs has no number.
        if error.errno is None:
            raise ReleaseError(f"it can't be read as a tar (gz, bz2, xz) or a zip file ({error})") from None
        raise OSError(error.errno, error.strerror, error.filename or archive) from None


@contextlib.contextmanager
def _members_of(archive: str) -> Iterator[Iterator[_Member]]:
    with open(archive, "rb") as file:
        is_zip = file.read(4) in _ZIP
        file.seek(0)
        members = _zip_members(file) if is_zip else _tar_members(file)
        with contextlib.closing(members):
            yield members


def _tar_members(file: IO[bytes]) -> Iterator[_Member]:
    import tarfile

    with tarfile.open(fileobj=file, mode="r:*") as archive:
        internals: Any = archive
        for entry in archive:
            if entry.isdir():
                yield _Member(entry.name, is_directory=True)
            elif entry.issym():
                yield _Member(entry.name, target=_target(entry.name, entry.linkname))
            elif entry.islnk():
                yield _Member(entry.name, original=entry.linkname)
            elif entry.isreg():
                yield _Member(entry.name, entry.mode, entry.mtime, archive.extractfile(entry))
            else:
                raise ReleaseError(f"{values_text.shown(entry.name)} is neither a file nor a directory nor a link")
            # tarfile keeps all that it has seen, and looks for nothing there.
            internals.members = []
        # tarfile takes a header that it can't read, and the end of a file that was cut, for the end of the archive.
        unpacked = internals.fileobj
        unpacked.seek(archive.offset)
        if unpacked.read(_BLOCK) != bytes(_BLOCK):
            raise ReleaseError("it is damaged, or ends too early")
        while unpacked.read(1024 * 1024):
            pass  # the checksum of what was compressed is at its end


def _zip_members(file: IO[bytes]) -> Iterator[_Member]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            is_unix = entry.create_system == 3
            mode = entry.external_attr >> 16 if is_unix else 0
            name = entry.filename if is_unix else entry.filename.replace("\\", "/")
            kind = stat.S_IFMT(mode)
            if name.endswith("/") or kind == stat.S_IFDIR:
                yield _Member(name, is_directory=True)
            elif kind == stat.S_IFLNK:
                target = os.fsdecode(archive.read(entry)) if entry.file_size <= 4096 else ""
                yield _Member(name, target=_target(name, target))
            elif kind in (0, stat.S_IFREG):
                with archive.open(entry) as content:
                    yield _Member(name, mode, calendar.timegm((*entry.date_time, 0, 0, 0)), content)
            else:
                raise ReleaseError(f"{values_text.shown(name)} is neither a file nor a directory nor a link")


def _target(name: str, target: str) -> str:
    if not target or "\0" in target:
        raise ReleaseError(f"{values_text.shown(name)} is a link to nothing")
    return target
