# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer import balancer, haproxy
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import BalancerError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.haproxy import HAProxy

FIXTURES = Path(__file__).parents[4] / "fixtures" / "haproxy"


def captured(name: str) -> str:
    """What a real HAProxy printed, see the README there."""
    return (FIXTURES / name).read_text(encoding="utf-8")


def test_states_are_read() -> None:
    """As HAProxy 2.6 printed them for servers that were brought into these states."""
    servers = {server.name: server for server in haproxy.parse_servers(captured("show-servers-state.txt"))}
    assert {name: (server.state, server.serving) for name, server in servers.items()} == {
        "ready": (balancer.READY, True),
        "drained": (balancer.DRAINED, False),
        "drained-and-down": (balancer.DRAINED, False),
        "maintenance": (balancer.MAINTENANCE, False),
        "disabled": (balancer.MAINTENANCE, False),
        "down": (balancer.READY, False),
        "unchecked": (balancer.READY, True),
        "six": (balancer.READY, True),
    }
    assert servers["ready"].label == "shop/ready"
    assert servers["ready"].address.gunicorn_bind == "127.0.0.1:8000"
    assert servers["six"].address.gunicorn_bind == "[::1]:8000"


def test_sessions_are_counted() -> None:
    """Of the servers that are asked for, with the requests that wait for them."""
    stat = captured("show-stat.txt")
    assert haproxy.count_sessions(stat, {("shop", "ready")}) == 1
    assert haproxy.count_sessions(stat, {("shop", "drained"), ("shop", "down")}) == 0


def test_an_answer_without_servers_is_in_the_error() -> None:
    """A socket without the level admin gives one."""
    with pytest.raises(BalancerError, match="Permission denied"):
        haproxy.parse_servers("Permission denied\n")


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    """The error has the line of HAProxy's configuration that makes it."""
    with pytest.raises(BalancerError, match=r"socket: .*none.*'stats socket .*level admin'"):
        HAProxy(str(tmp_path / "none")).servers()
