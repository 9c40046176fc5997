# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HAProxy as a balancer, controlled by its admin socket.

Source: HAProxy's Management Guide, 9.1 (CSV format of "show stat") and 9.3 ("set server", "show servers state").
"""

from __future__ import annotations

import csv
import socket
from typing import Collection, Sequence

from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import (
    DRAINED,
    MAINTENANCE,
    READY,
    BalancerError,
    Server,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

ANSWER_TIMEOUT = 10.0  # seconds
# srv_admin_state: maintenance that is forced, inherited, configured, or due to a name that can't be resolved
_MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20
_FORCED_DRAIN = 0x08
_ANY_DRAIN = _FORCED_DRAIN | 0x10
# srv_op_state: starting (slowly) or running
_UP = ("1", "2")


class HAProxy:
    """The HAProxy with this admin socket."""

    name = "HAProxy"
    knows_health = True

    def __init__(self, path: str) -> None:
        self._path = path

    def servers(self) -> list[Server]:
        """Every server of every backend."""
        return parse_servers(self._ask("show servers state"))

    def set_state(self, servers: Sequence[Server], state: str) -> None:
        """Send them new requests, or only those that a cookie binds to them."""
        for server in servers:
            answer = self._ask(f"set server {server.label} state {'drain' if state == DRAINED else 'ready'}")
            if answer.strip():
                raise BalancerError(
                    f"{self.name} on {self._path} says to 'set server {server.label}': {answer.strip()}"
                )

    def connections(self, servers: Sequence[Server]) -> int:
        """The sessions of the servers, and the requests that wait for them."""
        return count_sessions(self._ask("show stat"), {(server.group, server.name) for server in servers})

    def _ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_TIMEOUT)
                connection.connect(self._path)
                connection.sendall(f"{command}\n".encode())
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode("utf-8", "replace")
        except OSError as error:
            raise BalancerError(
                f"socket: {self._path} can't be asked ({error}): expected HAProxy's socket, as 'stats socket "
                f"{self._path} level admin' makes it"
            ) from None


def parse_servers(printed: str) -> list[Server]:
    """Read what "show servers state" prints: the format's version, a commented heading, and a line for each server."""
    lines = printed.splitlines()
    headings = [line for line in lines if line.startswith("# ")]
    if not headings:
        raise BalancerError(f"HAProxy does not list its servers, but says: {printed.strip() or 'nothing'}")
    names = headings[0][2:].split()
    rows = [dict(zip(names, line.split())) for line in lines[lines.index(headings[0]) + 1 :] if line]
    return [_server(row) for row in rows]


def _server(row: dict[str, str]) -> Server:
    admin = int(row["srv_admin_state"])
    if admin & _MAINTENANCE:
        state = MAINTENANCE
    elif admin & _FORCED_DRAIN:
        state = DRAINED
    else:
        state = READY
    serving = not admin & (_MAINTENANCE | _ANY_DRAIN) and row["srv_op_state"] in _UP
    address = Address(host=row["srv_addr"], port=int(row["srv_port"]))
    return Server(row["be_name"], row["srv_name"], address, state, serving)


def count_sessions(printed: str, servers: Collection[tuple[str, str]]) -> int:
    """Add up the current and the waiting sessions of some servers in what "show stat" prints."""
    rows = csv.DictReader(printed.lstrip("# ").splitlines())
    chosen = [row for row in rows if (row["pxname"], row["svname"]) in servers]
    return sum(int(row[column] or 0) for row in chosen for column in ("scur", "qcur"))
