# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HAProxy and nginx have in common: servers with a state."""

from __future__ import annotations

import time
from typing import Callable, NamedTuple, Protocol, Sequence

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

# Of a server: it is in use, we took it out, or an administrator took it out
READY, DRAINED, MAINTENANCE = "ready", "drained", "maintenance"
INTERVAL = 0.1  # seconds


class BalancerError(Exception):
    """The balancer can't do what it is told; the message says why, and how it was left."""


class Server(NamedTuple):
    """A server as its balancer has it."""

    group: str
    name: str
    address: Address | None  # None if the balancer's name for it can't be resolved
    state: str
    serving: bool  # whether it gets new requests now; a backup gets some only while all others are gone
    backup: bool = False

    @property
    def label(self) -> str:
        """The name with its group, as HAProxy writes it."""
        return f"{self.group}/{self.name}"


class Balancer(Protocol):
    """A balancer that runs on this host."""

    name: str
    knows_health: bool  # whether it sends nothing to a server that is down, and says so in `serving`

    def servers(self) -> list[Server]:
        """Every server that it knows."""

    def set_state(self, servers: Sequence[Server], state: str) -> None:
        """Make these READY or DRAINED. If that fails, they have their earlier state."""

    def connections(self, servers: Sequence[Server]) -> int:
        """How many connections it has to these."""


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; returns whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(INTERVAL)
    return True
