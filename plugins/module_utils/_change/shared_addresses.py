# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses that a service made by hand has opened itself: systemd opens them, too, while that service goes on.

TCP: both listen on one address, and the kernel is told which of the two gets the connections. Unix sockets: systemd's
socket is at another path in the same directory, and is renamed to the path that clients know. Nobody is refused: the
service gets the time to accept the connections that wait for it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import shared_socket
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.shared_socket import SharedSocket
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.unit_processes import Held
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

# Seconds that a service has to accept the connections that wait for it; then they are lost.
DRAIN_TIMEOUT = 30.0
FORMER = ".former."
_WILDCARDS = ("0.0.0.0", "::")


class NotShared(Exception):
    """The addresses can't be opened beside the service; the message says why."""


def clashing(wanted: tuple[Address, ...], held: list[Held]) -> str:
    """Say which of a service's addresses systemd can't open beside it; an empty string if it can open all.

    Two sockets can share the same address, and other ports don't matter. systemd can't open 0.0.0.0 or [::] beside a
    single address of the same port, nor share with a server whose processes each have a socket of their own.
    """
    ours = {bind.gunicorn_bind for bind in wanted}
    for number, one in enumerate(held):
        name = one.bind.gunicorn_bind
        if name in ours:
            if any(other.bind.gunicorn_bind == name for other in held[:number]):
                return f"several of its processes listen on {name} on their own"
        elif any(_overlap(one.bind, bind) for bind in wanted):
            return f"it listens on {name}, and gunicorn_bind names other addresses of this port"
    return ""


def _overlap(one: Address, other: Address) -> bool:
    return one.port is not None and one.port == other.port and (one.host in _WILDCARDS or other.host in _WILDCARDS)


class SharedAddresses:
    """The addresses of one service, on their way from its own sockets to those of systemd."""

    def __init__(self, service: str, main_pid: int, wanted: tuple[Address, ...]) -> None:
        """Take copies of the service's sockets, without the service noticing; raises NotShared."""
        ours = {bind.gunicorn_bind for bind in wanted}
        held = unit_processes.read_held(service, main_pid)
        clash = clashing(wanted, held)
        if clash:
            raise NotShared(clash)
        held = [one for one in held if one.bind.gunicorn_bind in ours]
        if any(one.bind.path and one.pid != main_pid for one in held):
            raise NotShared("a unix socket is not its main process's")
        try:
            taken = [(one.bind, shared_socket.take(one.pid, one.descriptor)) for one in held]
        except OSError as error:
            raise NotShared(f"the kernel does not let its sockets be shared ({error.strerror})") from None
        self._sockets = [listening for _bind, listening in taken]
        self._tcp = [SharedSocket(listening) for bind, listening in taken if bind.path is None]
        self._ports = {bind.port for bind, _listening in taken if bind.port is not None}
        self.paths = [bind.path for bind, _listening in taken if bind.path is not None]
        # Where systemd opens the unix sockets for now
        self.moved = {path: files.beside(path, sockets.BESIDE) for path in self.paths}
        if any(len(path.encode()) > addresses.UNIX_PATH_MAX for path in self.moved.values()):
            raise NotShared("the path of its unix socket is too long for another one beside it")
        ipv6_only = {
            shared_socket.is_ipv6_only(one.listening) for one in self._tcp if one.listening.family == socket.AF_INET6
        }
        if len(ipv6_only) > 1 or (ipv6_only == {False} and {"0.0.0.0", "::"} <= {bind.host for bind in wanted}):
            raise NotShared("its IPv6 sockets listen to IPv4, too")
        self.ipv6_only = next(iter(ipv6_only), None)

    def share(self) -> None:
        """Let systemd open the addresses, without connections for now; if it raises NotShared, all is as it was."""
        try:
            for path in self.paths:
                files.remove(self.moved[path])
            for one in self._tcp:
                one.share()
        except OSError as error:
            self.unshare()
            raise NotShared(f"the kernel does not let its sockets be shared ({error.strerror})") from None

    def hand_over(self) -> None:
        """Steer new connections to systemd's sockets, and wait until the service has accepted the earlier ones."""
        for path, beside in self.moved.items():
            _replace(beside, path)
        for one in self._tcp:
            one.steer(shared_socket.SECOND)
        self._wait_until_accepted(self._sockets)

    def take_back(self, pid: int) -> None:
        """Steer new connections to the service again, and wait until process `pid` has accepted the earlier ones."""
        for one in self._tcp:
            one.steer(shared_socket.FIRST)
        for path in self.paths:
            if os.path.lexists(files.beside(path, FORMER)):
                os.replace(files.beside(path, FORMER), path)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            descriptors = [descriptor for _address, _inode, descriptor in sockets.read_descriptors(pid) if pid]
            taken = [stack.enter_context(shared_socket.take(pid, descriptor)) for descriptor in descriptors]
            self._wait_until_accepted(taken)

    def unshare(self) -> None:
        """Leave the service's sockets as they were; systemd's must be closed before."""
        for one in self._tcp:
            with contextlib.suppress(OSError):
                one.unshare()
        self.close()

    def close(self) -> None:
        """Close the copies of the service's sockets, and remove the names that unix sockets had meanwhile."""
        forget_names(self.paths)
        for listening in self._sockets:
            listening.close()

    def _wait_until_accepted(self, listening: list[socket.socket]) -> None:
        """Wait until the connections that came to these sockets so far are accepted, also those being opened.

        It looks twice in a row: a connection that was just opened may not be in the queue yet.
        """
        opening = self._read_handshakes()
        deadline = time.monotonic() + DRAIN_TIMEOUT
        quiet = 0
        while quiet < 2 and time.monotonic() < deadline:
            waits = any(map(shared_socket.is_waited_for, listening)) or not opening.isdisjoint(self._read_handshakes())
            quiet = 0 if waits else quiet + 1
            time.sleep(0.05)

    def _read_handshakes(self) -> set[str]:
        return {remote for port in self._ports for remote in sockets.read_handshakes(port)}


def forget_names(paths: list[str]) -> None:
    """Remove the names that unix sockets had while two servers shared these paths."""
    for path in paths:
        for prefix in (sockets.BESIDE, FORMER):
            files.remove(files.beside(path, prefix))


def _replace(beside: str, path: str) -> None:
    """Put a socket's file in the place of another at once; both stay reachable, under further names."""
    former, coming = files.beside(path, FORMER), f"{beside}.new"
    for name in (former, coming):
        files.remove(name)
    os.link(path, former, follow_symlinks=False)
    os.link(beside, coming, follow_symlinks=False)
    os.replace(coming, path)
