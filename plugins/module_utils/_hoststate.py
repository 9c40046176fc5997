# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers of what a deployment finds on its host; what they read from can be handed in, for tests."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import socket
import stat
import struct
from typing import Callable, NamedTuple

# Where an administrator's units stand, and the role's
UNIT_DIRECTORY = "/etc/systemd/system"
# Prefix of the name under which systemd opens a unix socket beside a server's. The kernel goes on to call it by that
# once its file has taken the path of the server's.
BESIDE = ".beside."
_SHOW = ("Id", "LoadState", "ActiveState", "UnitFileState", "MainPID", "NeedDaemonReload", "FragmentPath", "Listen")


class Account(NamedTuple):
    """A user (or group, where `groups` is empty) as the host knows it."""

    uid: int
    gid: int
    groups: tuple[int, ...]


class Unit(NamedTuple):
    """A systemd unit, as `systemctl show` tells it."""

    exists: bool
    active: bool
    starting: bool
    enabled: bool
    main_pid: int
    stale: bool
    path: str
    listen: tuple[str, ...]
    masked: bool = False


def has_ipv6_loopback(root: str = "/") -> bool:
    """Whether ::1 is there to listen on: the kernel has IPv6, and it is not disabled on the loopback interface."""
    try:
        with open(os.path.join(root, "proc/net/if_inet6"), encoding="ascii") as lines:
            return any(line.split()[0] == "0" * 31 + "1" for line in lines if line.strip())
    except OSError:
        return False


def read_account(user: str) -> Account | None:
    """The user's ids, or None where the host has no such user."""
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
    """The group's id, or -1 where the host has no such group, as in check mode before it was made."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return -1


def writable_by(status: os.stat_result, account: Account) -> bool:
    """Whether the account may create files in the directory that has this status."""
    needed = stat.S_IWOTH | stat.S_IXOTH
    if status.st_uid == account.uid:
        needed <<= 6
    elif status.st_gid in account.groups:
        needed <<= 3
    return status.st_mode & needed == needed


def bind_error(family: int, host: str, port: int) -> int:
    """Try the address as a server would; return 0, or the errno with which the kernel refuses it."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0


def unix_error(path: str) -> int:
    """What is at the path of a unix socket: 0 if nothing or a socket that nobody listens on, else an errno.

    systemd removes whatever is there before it listens: a file would be gone, and a server would be without its socket.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return errno.EEXIST
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)  # a full queue is an answer, too
            probe.connect(path)
    except OSError as error:
        return 0 if error.errno in (errno.ENOENT, errno.ECONNREFUSED) else errno.EADDRINUSE
    return errno.EADDRINUSE


def read_units(names: list[str], run: Callable[[list[str]], str]) -> dict[str, Unit]:
    """Ask systemd about units; `run` takes a command and returns what it prints."""
    return {name: _parse_unit(block) for name, block in zip(names, show_units(names, _SHOW, run))}


def show_units(
    names: list[str], properties: tuple[str, ...], run: Callable[[list[str]], str]
) -> list[dict[str, list[str]]]:
    """Ask systemd for properties of units, in the order asked; a value for each time that it prints one."""
    printed = run(["systemctl", "show", "--no-pager", f"--property={','.join(properties)}", *names])
    # a block a unit, parted by an empty line; Listen= stands in a block once per address
    return [_parse_block(block) for block in printed.strip("\n").split("\n\n")]


def _parse_block(block: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, _equals, value = line.partition("=")
        values.setdefault(name, []).append(value)
    return values


def _parse_unit(values: dict[str, list[str]]) -> Unit:
    def first(name: str) -> str:
        return values.get(name, [""])[0]

    return Unit(
        exists=first("LoadState") not in ("", "not-found"),
        masked=first("LoadState") == "masked",
        active=first("ActiveState") in ("active", "reloading"),
        # also between two attempts of a service that does not come up
        starting=first("ActiveState") == "activating",
        enabled=first("UnitFileState") == "enabled",
        main_pid=int(first("MainPID") or 0),
        stale=first("NeedDaemonReload") == "yes",
        path=first("FragmentPath"),
        listen=tuple(value.rpartition(" (")[0] for value in values.get("Listen", [])),
    )


def read_environment(pid: int, root: str = "/") -> dict[str, str]:
    """The environment with which a process was started; empty where it is gone or may not be read."""
    try:
        with open(os.path.join(root, "proc", str(pid), "environ"), "rb") as environ:
            items = environ.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return {}
    return dict(item.split("=", 1) for item in items if "=" in item)


def parent_of(pid: int | str, root: str = "/") -> int:
    """The process id of a process's parent; 0 where it is gone."""
    try:
        with open(os.path.join(root, "proc", str(pid), "stat"), encoding="utf-8", errors="replace") as stat_file:
            # The name in brackets may hold blanks and brackets.
            return int(stat_file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def is_listening(family: int, host: str | None, port: int | None, path: str | None, root: str = "/") -> bool:
    """Whether the kernel has a listening socket on just this address."""
    if path is not None:
        folder, name = os.path.split(path)
        beside = os.path.join(folder, BESIDE + name)
        # flags 00010000: it accepts connections
        wanted = re.compile(rf"\S+: \S+ \S+ 00010000 .* ({re.escape(path)}|{re.escape(beside)})\Z")
        return any(wanted.match(line) for line in _lines(root, "proc/net/unix"))
    packed = socket.inet_pton(family, host or "")
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    address = "".join(f"{word:08X}" for word in words) + f":{port:04X}"
    table = "proc/net/tcp6" if family == socket.AF_INET6 else "proc/net/tcp"
    return any(line.split()[1] == address and line.split()[3] == "0A" for line in _lines(root, table)[1:])


def _lines(root: str, path: str) -> list[str]:
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="surrogateescape") as lines:
            return lines.read().splitlines()
    except OSError:
        return []


def own(path: str, user: str, group: str) -> None:
    """Give a file to a user and a group of the host."""
    os.chown(path, pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
