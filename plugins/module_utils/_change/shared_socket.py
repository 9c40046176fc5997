# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A listening socket of a running server, on whose address another server must listen, too.

The kernel lets several sockets listen on one TCP address if each has SO_REUSEPORT and all have the same owner. Which of
them gets a connection is decided by a program (SO_ATTACH_REUSEPORT_CBPF), or else by chance. Root can give all that
later to a socket that was opened without it, by a copy of the process's socket: pidfd_getfd(2), since Linux 5.6.
Sources: socket(7), and the kernel's net/core/sock_reuseport.c.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct

_PIDFD_GETFD = 438  # the same on each architecture of Debian
_SO_ATTACH_REUSEPORT_CBPF = 51
_SO_DETACH_REUSEPORT_BPF = 68
_SO_ATTACH_FILTER = 26
_BPF_RETURN_CONSTANT = 0x06  # BPF_RET | BPF_K
# Places in the group of an address: the server that was there first, and the one beside it
FIRST = 0
SECOND = 1


def take(pid: int, descriptor: int) -> socket.socket:
    """Return a copy of another process's socket, as dup(2) makes one; raises OSError if the kernel does not let us."""
    if not hasattr(os, "pidfd_open"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    process = os.pidfd_open(pid)
    try:
        system_call = ctypes.CDLL(None, use_errno=True).syscall
        system_call.restype = ctypes.c_long
        number = system_call(ctypes.c_long(_PIDFD_GETFD), process, descriptor, ctypes.c_uint(0))
        if number < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(process)
    return socket.socket(fileno=number)


def is_waited_for(listening: socket.socket) -> bool:
    """Whether a connection waits that no server has accepted yet."""
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    return bool(poll.poll(0))


def is_ipv6_only(listening: socket.socket) -> bool:
    """Whether an IPv6 socket does not listen to IPv4."""
    return bool(listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))


class SharedSocket:
    """A listening TCP socket that lets a second one listen on its address."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self._owner = os.fstat(listening.fileno()).st_uid
        self._reuses = listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)

    def share(self) -> None:
        """Let root open the address once more; the new socket gets no connection until they are steered to it."""
        os.fchown(self.listening.fileno(), os.geteuid(), -1)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # A program can be attached only to a group, and a group needs a second socket. This one drops all packets: a
        # client that connects between these lines sends its packet again, and then reaches the server.
        with socket.socket(self.listening.family, socket.SOCK_STREAM) as second:
            for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                second.setsockopt(socket.SOL_SOCKET, option, 1)
            if second.family == socket.AF_INET6:
                second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_ipv6_only(self.listening))
            _attach(second, _SO_ATTACH_FILTER, 0)
            second.bind(self.listening.getsockname())
            second.listen(1)
            self.steer(FIRST)

    def steer(self, place: int) -> None:
        """Give all new connections to one of the sockets of the address; if it is closed, the other gets them."""
        _attach(self.listening, _SO_ATTACH_REUSEPORT_CBPF, place)

    def unshare(self) -> None:
        """Leave the socket as it was, alone on its address."""
        with contextlib.suppress(OSError):  # a kernel older than 5.3: the program stays, and does no harm
            self.listening.setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, self._reuses)
        os.fchown(self.listening.fileno(), self._owner, -1)


def _attach(target: socket.socket, option: int, value: int) -> None:
    """Attach a classic BPF program that returns a constant, see the kernel's networking/filter."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN_CONSTANT, 0, 0, value))
    # struct sock_fprog: the number of instructions, and where they are
    target.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", 1, ctypes.addressof(instruction)))
