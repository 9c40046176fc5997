# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a server out of a load balancer once it is idle, and put it back once it answers."""

from __future__ import annotations

import itertools
import time
from contextlib import AbstractContextManager
from typing import Sequence

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import (
    DRAINED,
    MAINTENANCE,
    READY,
    Balancer,
    BalancerError,
    Server,
    wait_until,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.haproxy import HAProxy
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.nginx import Nginx
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Seconds. Runs that change one balancer wait for each other, and each takes far less than a second.
LOCK_TIMEOUT = 120.0
# For a balancer that does not watch its servers: a connection is enough, since their release may be an older one.
_CONNECTION = HealthRequest("/", "localhost", "tcp", ())
_CONNECTION_TIMEOUT = 2.0


def change(given: dict, runner: Runner, check_mode: bool) -> list[Server]:
    """Do what the module's arguments ask for, or in check mode only look; returns the servers that are changed.

    Raises InvalidValue while nothing was changed, and BalancerError or TimeoutError.
    """
    balancer = HAProxy(given["socket"]) if given["type"] == "haproxy" else Nginx(given["config_file"], runner)
    name, group, minimum, timeout = given["server"], given["group"], given["minimum"], given["timeout"]
    if given["state"] == DRAINED:
        if check_mode:
            return leaving(balancer, name, group, minimum)
        return take_out(balancer, name, group, minimum, timeout)
    if check_mode:
        return returning(balancer, name, group)
    request = _health_request.request_from(given["health"]) if given["health"] else None
    return put_back(balancer, name, group, request, timeout)


def take_out(balancer: Balancer, name: str, group: str, minimum: int, timeout: float) -> list[Server]:
    """Send the server no new requests, and wait until its connections are gone; returns the servers that changed.

    Raises BalancerError if fewer than `minimum` others would go on serving. If connections remain after `timeout`
    seconds, the server is put back.
    """
    with _locked(balancer):
        changed = leaving(balancer, name, group, minimum)
        servers = _ours(balancer, name, group)
        balancer.set_state(servers, DRAINED)
    if wait_until(lambda: balancer.connections(servers) == 0, timeout):
        return changed
    left = balancer.connections(servers)
    with _locked(balancer):
        balancer.set_state(changed, READY)
    labels = ", ".join(server.label for server in servers)
    state = f"is in {balancer.name} again" if changed else f"stays out of {balancer.name}"
    raise BalancerError(f"{labels}: {left} connections did not end within {timeout:g} s. The server {state}.")


def put_back(balancer: Balancer, name: str, group: str, request: HealthRequest | None, timeout: float) -> list[Server]:
    """Wait until the server answers at the address that the balancer has, and send it requests again.

    Returns the servers that changed. A server that does not answer within `timeout` seconds stays as it is.
    """
    deadline = time.monotonic() + timeout
    for server in _ours(balancer, name, group):
        if request is not None:
            _wait_for_answer(balancer, server, request, deadline)
    with _locked(balancer):
        changed = returning(balancer, name, group)
        balancer.set_state(_ours(balancer, name, group), READY)

    def is_served() -> bool:
        return all(server.serving for server in _ours(balancer, name, group))

    # The balancer's own check may see the answer a moment later.
    if not wait_until(is_served, timeout):
        raise BalancerError(f"{name}: {balancer.name} itself does not find it up within {timeout:g} s.")
    return changed


def leaving(balancer: Balancer, name: str, group: str, minimum: int) -> list[Server]:
    """The servers that would change if they were taken out.

    Raises BalancerError if fewer than `minimum` others would go on serving.
    """
    servers = [server for server in select(balancer, name, group) if server.state == READY]
    _check_the_others(balancer, servers, minimum)
    return servers


def returning(balancer: Balancer, name: str, group: str) -> list[Server]:
    """The servers that would change if they were put back."""
    return [server for server in select(balancer, name, group) if server.state == DRAINED]


def select(balancer: Balancer, name: str, group: str) -> list[Server]:
    """The servers of that name, only in one group if that is named; raises InvalidValue if there is none."""
    known = [server for server in balancer.servers() if group in ("", server.group)]
    found = [server for server in known if server.name == name]
    if not found:
        where = f"{balancer.name} has in {group}" if group else f"{balancer.name} has"
        labels = ", ".join(sorted(server.label for server in known)) or "none"
        raise InvalidValue("server", name, f"one that {where}: {labels}")
    if any(server.address is None for server in found):
        raise InvalidValue("server", name, "a host and a port that this balancer can reach")
    return found


def _ours(balancer: Balancer, name: str, group: str) -> list[Server]:
    """The servers that no administrator took out."""
    return [server for server in select(balancer, name, group) if server.state != MAINTENANCE]


def _check_the_others(balancer: Balancer, servers: Sequence[Server], minimum: int) -> None:
    """Without the lock, two servers that leave at the same time would each count the other one."""
    known = balancer.servers()
    for server in servers:
        neighbours = (other for other in known if other.group == server.group and other.name != server.name)
        serving = (other for other in neighbours if _counts(balancer, other))
        # No more are asked than are needed.
        others = len(list(itertools.islice(serving, minimum)))
        # A server that is down may always leave.
        if server.serving and others < minimum:
            raise BalancerError(
                f"{server.label}: without it, {others} servers would be left to serve in {balancer.name}, and at least "
                f"{minimum} must be. Take smaller batches (rolling_update_serial), or allow for fewer "
                "(rolling_update_minimum). The server was left in."
            )


def _counts(balancer: Balancer, server: Server) -> bool:
    """Whether the server takes requests now and will go on doing so."""
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


def _locked(balancer: Balancer) -> AbstractContextManager[None]:
    """One change of a balancer at a time; raises TimeoutError."""
    return lock.held(f"balancer-{balancer.name}", LOCK_TIMEOUT)
