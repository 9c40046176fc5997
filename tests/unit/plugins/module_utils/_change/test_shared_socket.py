# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With real sockets: what the kernel is said to do, it is seen to do."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import Iterator

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import shared_socket
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.shared_socket import FIRST, SECOND, SharedSocket

FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
MANY = 64  # connections; that chance gives all of them to one of two sockets is no matter of concern


def listen(family: int, address: tuple, reuse: bool) -> socket.socket:
    """A server's socket, as Gunicorn or systemd opens it."""
    opened = socket.socket(family)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
    opened.bind(address)
    opened.listen(4 * MANY)
    return opened


@pytest.fixture(params=FAMILIES, ids=["IPv4", "IPv6"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """One that knows nothing of being shared."""
    family, host = request.param
    with listen(family, (host, 0), reuse=False) as opened:
        yield opened


def connect(server: socket.socket, stack: contextlib.ExitStack, count: int = MANY) -> None:
    for _number in range(count):
        stack.enter_context(socket.create_connection(server.getsockname()[:2], timeout=10))


def accepted(opened: socket.socket) -> int:
    """How many connections wait at a socket; they are taken from it."""
    count = 0
    while shared_socket.is_waited_for(opened):
        opened.accept()[0].close()
        count += 1
    return count


def test_without_it_the_address_is_in_use(server: socket.socket) -> None:
    """Else nothing here would be needed."""
    with pytest.raises(OSError, match="in use"):
        listen(server.family, server.getsockname()[:2], reuse=True)


def test_connections_go_where_they_are_steered(server: socket.socket) -> None:
    """All of them, at once: to the first, until the second is said to be the one, and back."""
    shared = SharedSocket(server)
    shared.share()
    with contextlib.ExitStack() as stack:
        second = stack.enter_context(listen(server.family, server.getsockname()[:2], reuse=True))
        connect(server, stack)
        assert (accepted(server), accepted(second)) == (MANY, 0)
        shared.steer(SECOND)
        connect(server, stack)
        assert (accepted(server), accepted(second)) == (0, MANY)
        shared.steer(FIRST)
        connect(server, stack)
        assert (accepted(server), accepted(second)) == (MANY, 0)


def test_the_second_gets_all_where_the_first_has_gone(server: socket.socket) -> None:
    """Also without being told."""
    shared = SharedSocket(server)
    shared.share()
    shared.steer(SECOND)
    address = server.getsockname()[:2]
    with contextlib.ExitStack() as stack:
        second = stack.enter_context(listen(server.family, address, reuse=True))
        server.close()
        connect(second, stack)
        assert accepted(second) == MANY


def test_no_connection_is_lost_while_room_is_made(server: socket.socket) -> None:
    """Those that wait already, and those that come between the steps, are the server's."""
    shared = SharedSocket(server)
    with contextlib.ExitStack() as stack:
        connect(server, stack)
        shared.share()
        connect(server, stack)
        shared.unshare()
        connect(server, stack)
        assert accepted(server) == 3 * MANY


def test_it_is_as_it_was_afterwards(server: socket.socket) -> None:
    """The same options, and the same owner."""
    owner = os.fstat(server.fileno()).st_uid
    shared = SharedSocket(server)
    shared.share()
    shared.unshare()
    assert server.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    assert os.fstat(server.fileno()).st_uid == owner
    with pytest.raises(OSError, match="in use"):
        listen(server.family, server.getsockname()[:2], reuse=False)


SERVER = """
import os, socket, sys
if os.getuid() == 0:
    os.setuid(65534)
server = socket.create_server(("127.0.0.1", 0))
print(server.fileno(), server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a socket of another user's process")
def test_a_socket_of_another_users_process() -> None:
    """It is the same socket, not another one on the address, and can be shared although it is not root's."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, contextlib.ExitStack() as stack:
        descriptor, port = map(int, process.stdout.readline().split())
        taken = stack.enter_context(shared_socket.take(process.pid, descriptor))
        assert taken.getsockname() == ("127.0.0.1", port)
        assert os.fstat(taken.fileno()).st_uid == 65534
        assert not shared_socket.is_waited_for(taken)
        shared = SharedSocket(taken)
        shared.share()
        second = stack.enter_context(listen(socket.AF_INET, ("127.0.0.1", port), reuse=True))
        connect(second, stack)
        assert (accepted(taken), accepted(second)) == (MANY, 0)
        shared.unshare()
        assert os.fstat(taken.fileno()).st_uid == 65534


def test_a_process_that_has_gone() -> None:
    """It is an error of the system, which the caller expects."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(ProcessLookupError):
        shared_socket.take(process.pid, 0)


def test_unix_sockets_tell_who_waits(tmp_path) -> None:
    """As those of TCP do."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        assert not shared_socket.is_waited_for(server)
        client.connect(str(tmp_path / "socket"))
        assert shared_socket.is_waited_for(server)
