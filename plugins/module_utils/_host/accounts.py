# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users and groups of the host, and what a file's mode lets them do."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import NamedTuple

# Permissions as the last digit of a mode has them; to make a file in a directory takes WRITE and ENTER.
READ, WRITE, ENTER = 4, 2, 1


class Account(NamedTuple):
    """A user (or group, where `groups` is empty) as the host knows it."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def read_account(user: str) -> Account | None:
    """Return the ids of a user, or None where the host has no such user."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(user, entry.pw_gid)))


def has_group(group: str) -> bool:
    """Whether the host knows the group."""
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True


def group_id(group: str) -> int:
    """Return the id of a group, or -1 where the host has no such group, as in check mode before it was made."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return -1


def allows(status: os.stat_result, account: Account, wanted: int) -> bool:
    """Whether a file's mode gives the account these permissions, of READ, WRITE and ENTER.

    As in the kernel, one class of bits counts: the owner's, else the group's, else the others'.
    """
    if status.st_uid == account.uid:
        wanted <<= 6
    elif status.st_gid in account.groups:
        wanted <<= 3
    return stat.S_IMODE(status.st_mode) & wanted == wanted
