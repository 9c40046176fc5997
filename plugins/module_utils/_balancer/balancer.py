# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a server out of a load balancer once nobody is on it any more, and put it back once it answers.

Runs on the balancer. What differs between HAProxy and nginx stands in _haproxy and _nginx.
"""

from __future__ import annotations

import itertools
import os
import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

READY, DRAINED, MAINTENANCE = "ready", "drained", "maintenance"
# Changes of one balancer that wait for each other take far less than a second each.
LOCK_TIMEOUT = 120.0
INTERVAL = 0.1
# A server that nobody else watches is asked for a connection, no more: its release may be an older one.
_CONNECTION = HealthRequest("/", "localhost", "tcp", ())
_CONNECTION_TIMEOUT = 2.0


class BalancerError(Exception):
    """The balancer can't do what it is asked for; the message says why, and how it was left."""


class Server(t.NamedTuple):
    """A server as its balancer has it.

    `state` is READY, DRAINED (by us) or MAINTENANCE (by an administrator, whose wish it is); it is `serving` if it
    gets new requests at this moment, those of a `backup` only while all others are gone. `address` is None where the
    balancer's name for it can't be resolved.
    """

    group: str
    name: str
    address: Address | None
    state: str
    serving: bool
    backup: bool = False

    @property
    def label(self) -> str:
        return f"{self.group}/{self.name}"


class Balancer(t.Protocol):
    """A balancer that runs on this host."""

    name: str
    # Whether it sends nothing to a server that is down, and says so in `serving`
    knows_health: bool

    def servers(self) -> list[Server]:
        """Every server that it knows."""

    def set_state(self, servers: t.Sequence[Server], state: str) -> None:
        """Make these READY or DRAINED; where that fails, they are what they were."""

    def connections(self, servers: t.Sequence[Server]) -> int:
        """How many connections it has to these."""


def select(balancer: Balancer, name: str, group: str) -> list[Server]:
    """The servers of that name; of one group, if one is named. InvalidValue where there is none."""
    known = [server for server in balancer.servers() if group in ("", server.group)]
    found = [server for server in known if server.name == name]
    if not found:
        where = f"{balancer.name} has in {group}" if group else f"{balancer.name} has"
        labels = ", ".join(sorted(server.label for server in known)) or "none"
        raise InvalidValue("server", name, f"one that {where}: {labels}")
    if any(server.address is None for server in found):
        raise InvalidValue("server", name, "a host and a port that this balancer can reach")
    return found


def take_out(balancer: Balancer, name: str, group: str, minimum: int, timeout: float) -> list[Server]:
    """Let the server get no new request, and wait until it has no connection left; returns where that was a change.

    Refused where fewer than `minimum` others would be left to serve. Who does not leave within `timeout` seconds has
    the server put back.
    """
    with _Lock(balancer):
        leaving = leaves(balancer, name, group, minimum)
        servers = _ours(balancer, name, group)
        balancer.set_state(servers, DRAINED)
    if wait_until(lambda: balancer.connections(servers) == 0, timeout):
        return leaving
    left = balancer.connections(servers)
    with _Lock(balancer):
        balancer.set_state(leaving, READY)
    state = f"is in {balancer.name} again" if leaving else f"stays out of {balancer.name}"
    raise BalancerError(f"{_labels(servers)}: {left} connections did not end within {timeout:g} s. The server {state}.")


def put_back(balancer: Balancer, name: str, group: str, request: HealthRequest | None, timeout: float) -> list[Server]:
    """Wait until the server answers at the address that the balancer has of it, and let it get requests again.

    Returns where that was a change. One that does not answer within `timeout` seconds stays as it is.
    """
    deadline = time.monotonic() + timeout
    for server in _ours(balancer, name, group):
        if request is not None:
            _wait_for_answer(balancer, server, request, deadline)
    with _Lock(balancer):
        returning = returns(balancer, name, group)
        balancer.set_state(_ours(balancer, name, group), READY)

    def is_served() -> bool:
        return all(server.serving for server in _ours(balancer, name, group))

    # The balancer's own check may need a moment to see what was just seen here.
    if not wait_until(is_served, timeout):
        raise BalancerError(f"{name}: {balancer.name} itself does not find it up within {timeout:g} s.")
    return returning


def leaves(balancer: Balancer, name: str, group: str, minimum: int) -> list[Server]:
    """Where taking the server out is a change; BalancerError where fewer than `minimum` others would be left."""
    leaving = [server for server in select(balancer, name, group) if server.state == READY]
    _check_the_others(balancer, leaving, minimum)
    return leaving


def returns(balancer: Balancer, name: str, group: str) -> list[Server]:
    """Where putting the server back is a change."""
    return [server for server in select(balancer, name, group) if server.state == DRAINED]


def _ours(balancer: Balancer, name: str, group: str) -> list[Server]:
    """The servers that no administrator took out."""
    return [server for server in select(balancer, name, group) if server.state != MAINTENANCE]


def wait_until(condition: t.Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(INTERVAL)
    return True


def _check_the_others(balancer: Balancer, leaving: t.Sequence[Server], minimum: int) -> None:
    """Without the lock, two that leave at once would each count on the other."""
    servers = balancer.servers()
    for server in leaving:
        neighbours = (other for other in servers if other.group == server.group and other.name != server.name)
        serving = (other for other in neighbours if _counts(balancer, other))
        # No more are asked than are needed.
        others = len(list(itertools.islice(serving, minimum)))
        # Nobody misses one that is down.
        if server.serving and others < minimum:
            raise BalancerError(
                f"{server.label}: without it, {others} servers would be left to serve in {balancer.name}, and at least "
                f"{minimum} shall. Take smaller batches (rolling_update_serial), or allow for fewer "
                "(rolling_update_minimum). The server was left in."
            )


def _counts(balancer: Balancer, server: Server) -> bool:
    """Whether it is there for those who come, now and in the next moment."""
    if not server.serving or server.backup or server.address is None:
        return False
    return balancer.knows_health or not _health_request.problem(server.address, _CONNECTION, _CONNECTION_TIMEOUT)


def _wait_for_answer(balancer: Balancer, server: Server, request: HealthRequest, deadline: float) -> None:
    problem = ""

    def answers() -> bool:
        nonlocal problem
        problem = _health_request.problem(server.address, request, max(1.0, deadline - time.monotonic()))
        return not problem

    if not wait_until(answers, deadline - time.monotonic()):
        state = "stays out of" if server.state == DRAINED else "is still in"
        raise BalancerError(f"{server.label}: {problem}. The server {state} {balancer.name}.")


def _labels(servers: t.Sequence[Server]) -> str:
    return ", ".join(server.label for server in servers)


class _Lock:
    """One change of a balancer at a time, whoever asks for it."""

    def __init__(self, balancer: Balancer) -> None:
        self._name = f"balancer-{balancer.name}"

    def __enter__(self) -> None:
        self._descriptor = lock.take(self._name, LOCK_TIMEOUT)

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)
