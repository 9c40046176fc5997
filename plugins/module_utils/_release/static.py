# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The static files of several releases in one directory, for the web server.

Pages that a browser has open name files of the release that made them, such as ``style.3f2a9c.css``. So the web server
gets a directory with the files of all releases that are kept; where several have a file of the same name, the first one
counts. For the path ``static``, its folder holds ``static-1a2b3c4d``, and ``static`` is a link to it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from typing import Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links

_BUILT = ".gunicorn-static"
# Where the directory goes that was at the path before there were releases: pages name its files as well.
_BEFORE = ".before-releases"


def publish(path: str, sources: list[str]) -> None:
    """Make `path` a link to a directory with the files of all `sources`; the first one that has a name counts.

    Sources that are not there have no files. A directory that is at the path itself is moved aside, and comes last.
    """
    path = links.settled(path)
    if is_published(path, sources):
        return
    if not _there(sources) and not os.path.islink(path):
        return  # the project brings its static files otherwise, or has none
    os.makedirs(os.path.dirname(path), exist_ok=True)
    links.finish_exchanges(path)
    with contextlib.suppress(OSError):  # an empty one is worth nothing
        os.rmdir(path)
    is_plain = os.path.isdir(path) and not os.path.islink(path)
    last = path if is_plain else path + _BEFORE
    names = [*_there(sources), *([path + _BEFORE] if os.path.isdir(last) else [])]
    directory = f"{path}-{_name_of(names)}"
    if not _is_whole(directory):
        directories.remove(directory)
        _build(directory, [*_there(sources), last])
    displaced = links.switch_link(path, directory)
    if is_plain:
        directories.remove(path + _BEFORE)
        os.rename(displaced, path + _BEFORE)


def is_published(path: str, sources: list[str]) -> bool:
    """Whether `path` leads to what publish would make of the sources."""
    path = links.settled(path)
    names = [*_there(sources), *([path + _BEFORE] if os.path.isdir(path + _BEFORE) else [])]
    if not _there(sources) and not os.path.islink(path):
        return True
    return os.path.realpath(path) == f"{path}-{_name_of(names)}"


def withdraw(path: str) -> None:
    """Take back all publishing: what was at the path before is there again."""
    path = links.settled(path)
    if os.path.islink(path) and _is_ours(os.path.realpath(path)):
        if os.path.isdir(path + _BEFORE):
            links.exchange(path, path + _BEFORE)
            os.unlink(path + _BEFORE)
        else:
            os.unlink(path)
        prune(path)


def made(path: str) -> list[str]:
    """What publish has made for this path: the link, and directories."""
    path = links.settled(path)
    folder, name = os.path.split(path)
    beside = (os.path.join(folder, entry) for entry in (os.listdir(folder) if os.path.isdir(folder) else []))
    found = [each for each in beside if os.path.basename(each).startswith(f"{name}-") and _is_ours(each)]
    return [*([path] if os.path.islink(path) and os.path.realpath(path) in found else []), *found]


def prune(path: str) -> None:
    """Remove what publish has made for this path, and the path does not lead to."""
    path = links.settled(path)
    current = os.path.realpath(path)
    for found in made(path):
        if found not in (path, current):
            # Half of a directory must never be taken for the whole.
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(found, _BUILT))
            directories.remove(found)


def _there(sources: list[str]) -> list[str]:
    return [source for source in sources if os.path.isdir(source)]


def _name_of(sources: list[str]) -> str:
    """A name for what the sources give: they never change once they are there."""
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()[:8]


def _is_whole(directory: str) -> bool:
    return os.path.isfile(os.path.join(directory, _BUILT))


def _is_ours(directory: str) -> bool:
    """Whether publish has made a directory, or has begun to: an empty one may be a killed run's."""
    if os.path.islink(directory) or not os.path.isdir(directory):
        return False
    return _is_whole(directory) or os.path.lexists(os.path.join(directory, directories.MAKING))


def _build(directory: str, sources: list[str]) -> None:
    os.mkdir(directory, 0o755)
    directories.mark(directory, directories.MAKING)
    os.chmod(directory, 0o755)
    for source in sources:
        for relative, is_directory in _entries(source):
            target = os.path.join(directory, relative)
            if is_directory:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(target)
                    os.chmod(target, 0o755)
            elif not os.path.lexists(target):
                _give(os.path.join(source, relative), target)
    directories.mark(directory, _BUILT)
    os.unlink(os.path.join(directory, directories.MAKING))


def _give(source: str, target: str) -> None:
    """Have a file at another path, readable for the web server."""
    with contextlib.suppress(NotADirectoryError, FileNotFoundError):  # another release has a file where this is below
        if os.lstat(source).st_mode & stat.S_IROTH:
            try:
                os.link(source, target, follow_symlinks=False)
                return
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                    raise
        shutil.copyfile(source, target, follow_symlinks=False)
        shutil.copystat(source, target, follow_symlinks=False)
        os.chmod(target, 0o644)


def _entries(source: str) -> Iterator[tuple[str, bool]]:
    """The regular files and directories below a directory of root's, by their paths in it, the outermost first."""
    for folder, folders, names in os.walk(source):
        for name in sorted(folders):
            if not os.path.islink(os.path.join(folder, name)):
                yield os.path.relpath(os.path.join(folder, name), source), True
        for name in sorted(names):
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield os.path.relpath(path, source), False
