# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of a virtual environment that pip changes in place, made of hard links.

Whatever step a process is killed in, `recover` finds from the names and markers how to go on."""

from __future__ import annotations

import os
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.directories import INSTALLING, MAKING
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.links import BACKUP


def back_up(path: str) -> str:
    """Make a backup of the venv by hard links, mark the venv as being changed, and return the backup's path.

    A backup that is there already is kept: it is what to go back to. pip never writes into a file, it replaces it.
    """
    directory = os.path.realpath(path)
    backup = directory + BACKUP
    if not os.path.lexists(backup):
        partial = f"{backup}.partial"
        directories.remove(partial)
        try:
            _link_tree(directory, partial)
            os.rename(partial, backup)
        except BaseException:
            directories.remove(partial)
            raise
    directories.mark(directory, INSTALLING)
    return backup


def backup_of(path: str) -> str:
    """The path of the venv's backup, or "" where there is none."""
    backup = os.path.realpath(path) + BACKUP
    return backup if os.path.lexists(backup) else ""


def restore(path: str, backup: str) -> None:
    """Put the backup back in place of the venv, atomically, and remove what was there."""
    directory = os.path.realpath(path)
    links.finish_exchanges(directory)
    if not os.path.lexists(backup):
        return
    # The one of the two that bears this mark is the one to throw away, whatever happens next.
    if not directories.has_mark(backup, INSTALLING):
        directories.mark(directory, INSTALLING)
        links.exchange(backup, directory)
    directories.discard(backup)


def recover(path: str) -> None:
    """Put right what a killed run has left; nobody else may be at work, see lock."""
    path = links.settled(path)
    directory = os.path.realpath(path)
    for place in dict.fromkeys((path, directory)):
        links.finish_exchanges(place)
    for leftover in directories.leftovers(path):
        if leftover.endswith((".discarded", ".partial")) or directories.is_half_made(leftover):
            directories.discard(leftover)
    backup = backup_of(path)
    # Also one with the mark: of a backup that was put back, the changed venv is still to be removed.
    if backup and (directories.has_mark(directory, INSTALLING) or directories.has_mark(backup, INSTALLING)):
        restore(path, backup)
    if directories.has_mark(directory, MAKING):
        directories.empty(directory)


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
