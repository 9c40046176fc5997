# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sockets of a process, as the kernel lists them; see proc_pid_fd(5) and proc_pid_net(5)."""

from __future__ import annotations

import os
import re
import socket
import struct

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _hoststate
from ansible_collections.pyweb.gunicorn.plugins.module_utils._binds import Bind, parse_streams
from ansible_collections.pyweb.gunicorn.plugins.module_utils._kernel_files import join, read

_INODE = re.compile(r"socket:\[([0-9]+)\]")
_LISTEN = "0A"
_OPEN = ("01", "02")  # established, and those that the other end has not answered yet
_ACCEPTS = "00010000"  # a flag of unix sockets


def read_listening(pid: int, root: str = "/") -> list[str] | None:
    """Return the addresses that a process listens on, as Gunicorn's --bind has them; None if that may not be seen."""
    inodes = _inodes(pid, root)
    if inodes is None:
        return None
    addresses = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        addresses += parse_tcp(read(join(root, f"/proc/{pid}/net/{table}")), family, inodes)
    addresses += parse_unix(read(join(root, f"/proc/{pid}/net/unix")), inodes)
    return sorted(set(addresses))


def read_connected(pid: int, root: str = "/") -> list[str]:
    """Return the other ends of the TCP connections of a process, one for each connection."""
    inodes = _inodes(pid, root) or set()
    addresses = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        addresses += parse_connected(read(join(root, f"/proc/{pid}/net/{table}")), family, inodes)
    return addresses


def _inodes(pid: int, root: str) -> set[str] | None:
    folder = join(root, f"/proc/{pid}/fd")
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    inodes = set()
    for name in names:
        try:
            found = _INODE.fullmatch(os.readlink(os.path.join(folder, name)))
        except OSError:
            continue
        if found:
            inodes.add(found[1])
    return inodes


def parse_tcp(table: str, family: int, inodes: set[str]) -> list[str]:
    """Return the addresses of listening sockets with one of the inodes."""
    return _tcp_addresses(table, family, inodes, (_LISTEN,), 1)


def parse_connected(table: str, family: int, inodes: set[str]) -> list[str]:
    """Return the other ends of the connections with one of the inodes."""
    return _tcp_addresses(table, family, inodes, _OPEN, 2)


def _tcp_addresses(table: str, family: int, inodes: set[str], states: tuple[str, ...], column: int) -> list[str]:
    addresses = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] in states and fields[9] in inodes:
            address = _tcp_address(fields[column], family)
            if address:
                addresses.append(address)
    return addresses


def _tcp_address(text: str, family: int) -> str | None:
    digits, _colon, port = text.partition(":")
    try:
        words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
        host = socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
        return Bind(host=host, port=int(port, 16)).gunicorn_bind
    except (ValueError, struct.error, OSError):
        return None


def parse_unix(table: str, inodes: set[str]) -> list[str]:
    """Return the paths of listening unix sockets with one of the inodes."""
    addresses = []
    for line in table.splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[3] == _ACCEPTS and fields[6] in inodes:
            addresses.append(Bind(path=fields[7]).gunicorn_bind)
    return addresses


def configured_listening(streams: list[str], root: str = "/") -> list[str]:
    """Return those of the configured addresses that somebody listens on, to every user's knowledge."""
    binds = parse_streams([stream[len("unix:") :] if stream.startswith("unix:") else stream for stream in streams])
    return [
        bind.gunicorn_bind
        for bind in binds
        if _hoststate.is_listening(bind.family, bind.host, bind.port, bind.path, root)
    ]
