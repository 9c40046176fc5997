# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sockets of a process, as the kernel lists them; see proc_pid_fd(5) and proc_pid_net(5)."""

from __future__ import annotations

import os
import re
import socket
import struct

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address, parse_streams

_INODE = re.compile(r"socket:\[([0-9]+)\]")
_LISTEN = "0A"
_OPEN = ("01", "02")  # established, and those that the other end has not answered yet
_SYN_RECEIVED = "03"
_ACCEPTS = "00010000"  # a flag of unix sockets


def read_listening(pid: int, root: str = "/") -> list[str] | None:
    """Return the addresses that a process listens on, as Gunicorn's --bind has them; None if that may not be seen."""
    inodes = _inodes(pid, root)
    return None if inodes is None else sorted(set(_addresses(pid, set(inodes), root)))


def read_descriptors(pid: int, root: str = "/") -> list[tuple[str, str, int]]:
    """Return the listening sockets of a process: the address of each, its inode, and its descriptor there."""
    inodes = _inodes(pid, root) or {}
    return [
        (address, inode, descriptor)
        for inode, descriptor in inodes.items()
        for address in _addresses(pid, {inode}, root)
    ]


def _addresses(pid: int, inodes: set[str], root: str) -> list[str]:
    addresses = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        addresses += parse_tcp(read(join(root, f"/proc/{pid}/net/{table}")), family, inodes)
    return addresses + parse_unix(read(join(root, f"/proc/{pid}/net/unix")), inodes)


def read_connected(pid: int, root: str = "/") -> list[str]:
    """Return the other ends of the TCP connections of a process, one for each connection."""
    inodes = set(_inodes(pid, root) or ())
    addresses = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        addresses += parse_connected(read(join(root, f"/proc/{pid}/net/{table}")), family, inodes)
    return addresses


def _inodes(pid: int, root: str) -> dict[str, int] | None:
    """The sockets of a process, each with one of its descriptors."""
    folder = join(root, f"/proc/{pid}/fd")
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    inodes = {}
    for name in names:
        try:
            found = _INODE.fullmatch(os.readlink(os.path.join(folder, name)))
        except OSError:
            continue
        if found:
            inodes[found[1]] = int(name)
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
        return Address(host=host, port=int(port, 16)).gunicorn_bind
    except (ValueError, struct.error, OSError):
        return None


def read_handshakes(port: int, root: str = "/") -> set[str]:
    """Return who has asked this host for a connection to a port and has not got it yet, as the kernel writes it."""
    tables = [read(join(root, f"/proc/net/{table}")) for table in ("tcp", "tcp6")]
    return {remote for table in tables for remote in parse_handshakes(table, port)}


def parse_handshakes(table: str, port: int) -> set[str]:
    """Return the other ends of connections to a port that are being opened."""
    lines = [line.split() for line in table.splitlines()[1:]]
    suffix = f":{port:04X}"
    return {line[2] for line in lines if len(line) > 3 and line[3] == _SYN_RECEIVED and line[1].endswith(suffix)}


def parse_unix(table: str, inodes: set[str]) -> list[str]:
    """Return the paths of listening unix sockets with one of the inodes."""
    addresses = []
    for line in table.splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[3] == _ACCEPTS and fields[6] in inodes:
            folder, name = os.path.split(fields[7])
            known = name[len(BESIDE) :] if name.startswith(BESIDE) else name
            addresses.append(Address(path=os.path.join(folder, known)).gunicorn_bind)
    return addresses


def is_open(bind: Address, root: str = "/") -> bool:
    """Whether somebody listens on an address."""
    return is_listening(bind.family, bind.host, bind.port, bind.path, root)


def configured_listening(streams: list[str], root: str = "/") -> list[str]:
    """Return those of the configured addresses that somebody listens on, to every user's knowledge."""
    binds = parse_streams([stream[len("unix:") :] if stream.startswith("unix:") else stream for stream in streams])
    return [bind.gunicorn_bind for bind in binds if is_open(bind, root)]


# Prefix of the name under which systemd opens a unix socket beside a server's. The kernel goes on to call it by that
# once its file has taken the path of the server's.
BESIDE = ".beside."


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
