# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of a virtual environment that pip changes in place, made of hard links.

After a process was killed at any step, `recover` finds from the names and marks how to go on.
"""

from __future__ import annotations

import os
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.directories import CHANGING, MAKING
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.links import BACKUP


def back_up(path: str) -> str:
    """Make a backup of the venv, mark the venv as being changed, and return the backup's path.

    A backup that is there already stays as it is: it is what to go back to.
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
    directories.mark(directory, CHANGING)
    return backup


def backup_of(path: str) -> str:
    """The path of the venv's backup, or "" if there is none."""
    backup = os.path.realpath(path) + BACKUP
    return backup if os.path.lexists(backup) else ""


def restore(path: str, backup: str) -> None:
    """Put the backup back in place of the venv at once, and remove the changed venv."""
    directory = os.path.realpath(path)
    links.finish_exchanges(directory)
    if not os.path.lexists(backup):
        return
    # Whatever happens next, this mark tells which of the two is to be removed.
    if not directories.has_mark(backup, CHANGING):
        directories.mark(directory, CHANGING)
        links.exchange(backup, directory)
    directories.discard(backup)


def recover(path: str) -> None:
    """Put right what a killed run has left. The caller holds the lock of the path."""
    path = links.settled(path)
    directory = os.path.realpath(path)
    for place in dict.fromkeys((path, directory)):
        links.finish_exchanges(place)
    for leftover in directories.leftovers(path):
        if leftover.endswith((".discarded", ".partial")) or directories.is_half_made(leftover):
            directories.discard(leftover)
    backup = backup_of(path)
    # If the backup has the mark, the two were exchanged, and it is the changed venv, still to be removed.
    if backup and (directories.has_mark(directory, CHANGING) or directories.has_mark(backup, CHANGING)):
        restore(path, backup)
    if directories.has_mark(directory, MAKING):
        directories.empty(directory)


def _link_tree(source: str, target: str) -> None:
    """Copy like cp --archive --link. Hard links are enough: pip replaces files and never writes into one."""
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
    except OSError:  # the filesystem has no hard links, or the file has too many
        shutil.copy2(source, target, follow_symlinks=False)
        _copy_status(source, target)


def _copy_status(source: str, target: str) -> None:
    status = os.lstat(source)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)
