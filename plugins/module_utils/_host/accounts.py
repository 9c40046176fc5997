# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users and groups of the host, and what a file's mode lets them do."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import struct
from typing import NamedTuple

# Permissions as the last digit of a mode has them; to make a file in a directory takes WRITE and ENTER.
READ, WRITE, ENTER = 4, 2, 1
# Groups of Debian and Ubuntu whose members can become root, or read every user's password or file
POWERFUL = frozenset(
    ("root", "admin", "disk", "docker", "incus", "incus-admin", "kmem")
    + ("libvirt", "lxd", "shadow", "staff", "sudo", "wheel")
)
# Groups that read what all services have logged
READERS = frozenset(["adm", "systemd-journal"])
# Links of one path that the kernel follows, see path_resolution(7)
_LINKS_MAX = 40
# Entries of an access control list for named users and groups, see the kernel's posix_acl_xattr.h
_ACL, _ACL_USER, _ACL_GROUP = "system.posix_acl_access", 0x02, 0x08


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


def user_name(uid: int) -> str:
    """Return the name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return the name of a group, or its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def allows(status: os.stat_result, account: Account, wanted: int) -> bool:
    """Whether a file's mode gives the account these permissions, of READ, WRITE and ENTER.

    As in the kernel, one class of bits counts: the owner's, else the group's, else the others'.
    """
    if status.st_uid == account.uid:
        wanted <<= 6
    elif status.st_gid in account.groups:
        wanted <<= 3
    return stat.S_IMODE(status.st_mode) & wanted == wanted


def service_account(user: str, group: str) -> Account:
    """What a process of the service is: the user with all groups, and the group that the service is given.

    A user or group that does not exist yet owns nothing; it can write where everybody can. Root counts as its groups.
    """
    account = read_account(user) or Account(-1, -1, ())
    gid = group_id(group)
    return Account(account.uid or -1, gid, (*account.groups, gid))


def changeable_by(path: str, account: Account) -> str | None:
    """The first component of an absolute path that the account can change or exchange, or None if there is none.

    Only then root can rely on what is at the path. Links are followed, and each directory on the way counts: one that
    the account owns or may write in; with the sticky bit, an entry of the account's own; and what is missing where the
    account could make it. A directory at the end of the path counts, and what is in it does not.
    """
    directory, left, links = "/", path.split("/"), 0
    status = os.lstat(directory)
    while left:
        name = left.pop(0)
        if name in ("", "."):
            continue
        writable = _may_change(directory, status, account)
        if writable and (status.st_uid == account.uid or not status.st_mode & stat.S_ISVTX):
            return directory
        entry = os.path.dirname(directory) if name == ".." else os.path.join(directory, name)
        try:
            found = os.lstat(entry)
        except OSError:
            return entry if writable else None
        if writable and found.st_uid == account.uid:
            return entry
        if not stat.S_ISLNK(found.st_mode):
            directory, status = entry, found
            continue
        links += 1
        if links > _LINKS_MAX:
            return None
        target = os.readlink(entry)
        left = [*target.split("/"), *left]
        if target.startswith("/"):
            directory = "/"
            status = os.lstat(directory)
    return directory if _may_change(directory, status, account) else None


def _may_change(path: str, status: os.stat_result, account: Account) -> bool:
    """Whether the account owns a file or directory, or may write to it."""
    if status.st_uid == account.uid or allows(status, account, WRITE):
        return True
    # Without the group's bit, which is then the mask of an access control list, no entry of one lets anybody write.
    return bool(status.st_mode & stat.S_IWGRP) and _listed(path, account)


def has_acl(path: str) -> bool:
    """Whether an access control list says who may use a file or directory, more than its mode."""
    try:
        return _ACL in os.listxattr(path)
    except OSError:
        return False


def _listed(path: str, account: Account) -> bool:
    """Whether an access control list names the account, or a group of it, as one that may write."""
    try:
        entries = os.getxattr(path, _ACL)[4:]
    except OSError:
        return False
    return any(
        permissions & WRITE
        and ((tag == _ACL_USER and number == account.uid) or (tag == _ACL_GROUP and number in account.groups))
        for tag, permissions, number in struct.iter_unpack("<HHI", entries)
    )
