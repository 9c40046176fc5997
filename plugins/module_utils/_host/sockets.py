# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sockets of the host and of its processes, as the kernel lists them.

Sources: proc_pid_fd(5), proc_pid_net(5), and the kernel's Documentation/networking/proc_net_tcp.rst.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import struct
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address, parse_streams

# Prefix of the name under which systemd opens a unix socket beside that of another server. The kernel keeps calling it
# by this name after its file has taken the path of the other one.
BESIDE = ".beside."

_INODE = re.compile(r"socket:\[([0-9]+)\]")
_TABLES = {socket.AF_INET: "tcp", socket.AF_INET6: "tcp6", socket.AF_UNIX: "unix"}
_TCP = (socket.AF_INET, socket.AF_INET6)
# States of TCP sockets
_LISTENS = ("0A",)
_IS_OPEN = ("01", "02")  # established, or not answered yet by the other end
_IS_BEING_OPENED = ("03",)
_ACCEPTS = "00010000"  # a flag of unix sockets


class TcpSocket(t.NamedTuple):
    """A line of /proc/net/tcp or tcp6; the addresses of both ends are as the kernel writes them."""

    local: str
    remote: str
    inode: str


class UnixSocket(t.NamedTuple):
    """A line of /proc/net/unix."""

    path: str
    inode: str


def read_listening(pid: int, root: str = "/") -> list[str] | None:
    """Return the addresses that a process listens on, as Gunicorn's --bind has them; None if that may not be seen."""
    return read_all_listening([pid], root)[pid]


def read_all_listening(pids: t.Iterable[int], root: str = "/") -> dict[int, list[str] | None]:
    """Return the same of each process.

    The kernel's lists are read once for each network that the processes see: on a host with much memory, each takes
    milliseconds.
    """
    held = {pid: _inodes(pid, root) for pid in pids}
    lists: dict[str, dict[str, str]] = {}
    found: dict[int, list[str] | None] = {}
    for pid, inodes in held.items():
        if inodes is None:
            found[pid] = None
            continue
        network = _network(pid, root)
        # A process that ends meanwhile has no lists, and must not hide the sockets of the others.
        if not lists.get(network):
            lists[network] = _listening(pid, root)
        found[pid] = sorted({lists[network][inode] for inode in inodes if inode in lists[network]})
    return found


def read_descriptors(pid: int, root: str = "/") -> list[tuple[str, str, int]]:
    """Return the listening sockets of a process: the address of each, its inode, and its descriptor there."""
    inodes = _inodes(pid, root) or {}
    addresses = _listening(pid, root)
    return [(addresses[inode], inode, descriptor) for inode, descriptor in inodes.items() if inode in addresses]


def read_connected(pid: int, root: str = "/") -> list[str]:
    """Return the other ends of the TCP connections of a process, one for each connection."""
    inodes = _inodes(pid, root) or {}
    return [end for family in _TCP for end in connected(_table(family, pid, root), family, inodes)]


def read_handshakes(port: int, root: str = "/") -> set[str]:
    """Return the other ends of connections to a port that are being opened, as the kernel writes them."""
    return {end for family in _TCP for end in handshakes(_table(family, "self", root), port)}


def configured_listening(streams: list[str], root: str = "/") -> list[str]:
    """Return the configured addresses that a server listens on, which every user may see."""
    binds = parse_streams([stream[len("unix:") :] if stream.startswith("unix:") else stream for stream in streams])
    return [bind.gunicorn_bind for bind in binds if is_open(bind, root)]


def is_open(bind: Address, root: str = "/") -> bool:
    """Whether a server listens on just this address, and can be connected to."""
    table = _table(bind.family, "self", root)
    if bind.path is not None:
        # The kernel goes on listing a socket whose file was removed.
        if not _is_socket(join(root, bind.path)):
            return False
        folder, name = os.path.split(bind.path)
        paths = (bind.path, os.path.join(folder, BESIDE + name))
        return any(one.path in paths for one in parse_unix(table))
    address = _to_kernel(bind.family, bind.host or "", bind.port or 0)
    return any(one.local == address for one in parse_tcp(table, _LISTENS))


def lost_its_file(bind: Address, root: str = "/") -> bool:
    """Whether a server listens on a unix socket whose file was removed: nobody can connect to it any more."""
    if bind.path is None or _is_socket(join(root, bind.path)):
        return False
    return any(one.path == bind.path for one in parse_unix(_table(bind.family, "self", root)))


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


def _network(pid: int, root: str) -> str:
    """Return which network a process sees; one of its own where that may not be asked."""
    try:
        return os.readlink(join(root, f"/proc/{pid}/ns/net"))
    except OSError:
        return f"of process {pid}"


def _listening(pid: int, root: str) -> dict[str, str]:
    """Return the addresses of the listening sockets in the network that a process sees, by inode."""
    addresses = listening_unix(_table(socket.AF_UNIX, pid, root))
    for family in _TCP:
        addresses.update(listening_tcp(_table(family, pid, root), family))
    return addresses


def _inodes(pid: int, root: str) -> dict[str, int] | None:
    """Return the inodes of a process's sockets, each with one of its descriptors; None if they may not be seen."""
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


def _table(family: int, pid: int | str, root: str) -> str:
    """Return the kernel's list of the sockets of a family that a process sees."""
    return read(join(root, f"/proc/{pid}/net/{_TABLES[family]}"))


def listening_tcp(table: str, family: int) -> dict[str, str]:
    """Return the addresses of listening TCP sockets, by inode."""
    found = ((one.inode, _from_kernel(family, one.local)) for one in parse_tcp(table, _LISTENS))
    return {inode: address for inode, address in found if address}


def listening_unix(table: str) -> dict[str, str]:
    """Return the addresses of listening unix sockets, by inode."""
    return {one.inode: _unix_address(one.path) for one in parse_unix(table)}


def connected(table: str, family: int, inodes: t.Container[str]) -> list[str]:
    """Return the other ends of the connections with one of the inodes."""
    found = (_from_kernel(family, one.remote) for one in parse_tcp(table, _IS_OPEN) if one.inode in inodes)
    return [address for address in found if address]


def handshakes(table: str, port: int) -> set[str]:
    """Return the other ends of connections to a port that are being opened."""
    return {one.remote for one in parse_tcp(table, _IS_BEING_OPENED) if one.local.endswith(f":{port:04X}")}


def parse_tcp(table: str, states: tuple[str, ...]) -> t.Iterator[TcpSocket]:
    """Yield the sockets in these states of a file tcp or tcp6."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] in states:
            yield TcpSocket(local=fields[1], remote=fields[2], inode=fields[9])


def parse_unix(table: str) -> t.Iterator[UnixSocket]:
    """Yield the sockets of a file unix that listen and have a path."""
    for line in table.splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[3] == _ACCEPTS:
            yield UnixSocket(path=fields[7], inode=fields[6])


def _to_kernel(family: int, host: str, port: int) -> str:
    """Return an address as the kernel writes it: in hexadecimal, each word of four bytes in the machine's own order."""
    packed = socket.inet_pton(family, host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


def _from_kernel(family: int, text: str) -> str | None:
    """Return an address that the kernel wrote as Gunicorn's --bind has it; None if it is no address."""
    digits, _colon, port = text.partition(":")
    try:
        words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
        host = socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
        return Address(host=host, port=int(port, 16)).gunicorn_bind
    except (ValueError, struct.error, OSError):
        return None


def _unix_address(path: str) -> str:
    folder, name = os.path.split(path)
    known = name[len(BESIDE) :] if name.startswith(BESIDE) else name
    return Address(path=os.path.join(folder, known)).gunicorn_bind
