# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Sequence

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer import rotation
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import (
    DRAINED,
    MAINTENANCE,
    READY,
    BalancerError,
    Server,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

NOBODY = Address("127.0.0.1", 1)
REQUEST = HealthRequest("/", "localhost", "tcp", ())


class InMemory:
    """A balancer that only remembers states; it has each number of `connections` in turn."""

    def __init__(self, name: str, servers: Sequence[Server], connections: Sequence[int] = (0,)) -> None:
        self.name, self.knows_health = name, True
        self.known = {server.label: server for server in servers}
        self._connections = list(connections)

    def servers(self) -> list[Server]:
        return list(self.known.values())

    def set_state(self, servers: Sequence[Server], state: str) -> None:
        for server in servers:
            self.known[server.label] = self.known[server.label]._replace(state=state, serving=state == READY)

    def connections(self, _servers: Sequence[Server]) -> int:
        return self._connections.pop(0) if len(self._connections) > 1 else self._connections[0]

    def states(self) -> dict[str, str]:
        return {label: server.state for label, server in self.known.items()}


def server(label: str, state: str = READY, serving: bool = True, address: Address = NOBODY) -> Server:
    group, name = label.split("/")
    return Server(group, name, address, state, serving and state == READY)


@pytest.fixture
def balancer() -> InMemory:
    """It has two groups, and one server is in both."""
    servers = [server("shop/web1"), server("shop/web2"), server("blog/web1"), server("blog/web3")]
    return InMemory("unit-tests", servers)


def test_a_server_is_taken_out_wherever_it_is(balancer: InMemory) -> None:
    """A second time is no change."""
    assert [one.label for one in rotation.take_out(balancer, "web1", "", 1, 1)] == ["shop/web1", "blog/web1"]
    assert balancer.states() == {"shop/web1": DRAINED, "shop/web2": READY, "blog/web1": DRAINED, "blog/web3": READY}
    assert rotation.take_out(balancer, "web1", "", 1, 1) == []
    assert [one.label for one in rotation.put_back(balancer, "web1", "", None, 1)] == [
        "shop/web1",
        "blog/web1",
    ]
    assert set(balancer.states().values()) == {READY}
    assert rotation.put_back(balancer, "web1", "", None, 1) == []


def test_a_group_can_be_named(balancer: InMemory) -> None:
    """The others are left alone."""
    rotation.take_out(balancer, "web1", "blog", 1, 1)
    assert balancer.states()["shop/web1"] == READY


@pytest.mark.parametrize(("name", "group"), [("web9", ""), ("web3", "shop"), ("web1", "news")])
def test_an_unknown_server_is_refused(balancer: InMemory, name: str, group: str) -> None:
    """The error lists the servers that there are."""
    with pytest.raises(InvalidValue, match=f"server: '{name}' can't be used: expected one that"):
        rotation.take_out(balancer, name, group, 0, 1)


def test_a_server_stays_if_too_few_others_serve(balancer: InMemory) -> None:
    """Unless fewer are allowed, or it does not serve anyway."""
    balancer.known["shop/web2"] = server("shop/web2", serving=False)
    with pytest.raises(BalancerError, match="shop/web1: without it, 0 servers would be left"):
        rotation.take_out(balancer, "web1", "", 1, 1)
    assert set(balancer.states().values()) == {READY}
    assert len(rotation.take_out(balancer, "web2", "", 2, 1)) == 1
    assert len(rotation.take_out(balancer, "web1", "", 0, 1)) == 2


def test_a_server_that_nobody_watches_is_asked_for_a_connection(balancer: InMemory) -> None:
    """nginx does not know which servers serve. A server that is not there, or is a backup, does not count."""
    balancer.knows_health = False
    with pytest.raises(BalancerError, match="shop/web1: without it, 0 servers would be left"):
        rotation.leaving(balancer, "web1", "shop", 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = Address(host="127.0.0.1", port=listening.getsockname()[1])
        balancer.known["shop/web2"] = server("shop/web2", address=there)
        assert len(rotation.leaving(balancer, "web1", "shop", 1)) == 1
        balancer.known["shop/web2"] = server("shop/web2", address=there)._replace(backup=True)
        with pytest.raises(BalancerError, match="0 servers would be left"):
            rotation.leaving(balancer, "web1", "shop", 1)


def test_a_server_without_an_address_does_not_keep_others_from_leaving(balancer: InMemory) -> None:
    """It may be a unix socket, or a name that can't be resolved now."""
    balancer.known["blog/web3"] = server("blog/web3")._replace(address=None)
    assert len(rotation.take_out(balancer, "web1", "shop", 1, 1)) == 1
    with pytest.raises(InvalidValue, match="server: 'web3' can't be used: expected a host and a port"):
        rotation.take_out(balancer, "web3", "", 0, 1)


def test_connections_are_waited_for(balancer: InMemory) -> None:
    """Until there are none."""
    waiting = InMemory(balancer.name, balancer.servers(), connections=[3, 1, 0])
    assert len(rotation.take_out(waiting, "web1", "", 1, 30)) == 2


def test_a_server_with_lasting_connections_is_put_back(balancer: InMemory) -> None:
    """The error counts them, and nothing stays changed."""
    staying = InMemory(balancer.name, balancer.servers(), connections=[2])
    with pytest.raises(BalancerError, match="2 connections did not end within 0.2 s. The server is in .* again"):
        rotation.take_out(staying, "web1", "", 1, 0.2)
    assert set(staying.states().values()) == {READY}
    staying.known["shop/web1"] = server("shop/web1", DRAINED)
    with pytest.raises(BalancerError, match="The server stays out of unit-tests"):
        rotation.take_out(staying, "web1", "shop", 1, 0.2)


def test_a_server_that_does_not_answer_stays_out(balancer: InMemory) -> None:
    """A server that answers is put back."""
    rotation.take_out(balancer, "web1", "shop", 1, 1)
    with pytest.raises(BalancerError, match="shop/web1: no answer on 127.0.0.1:1.*stays out of"):
        rotation.put_back(balancer, "web1", "shop", REQUEST, 0.2)
    assert balancer.states()["shop/web1"] == DRAINED
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address("127.0.0.1", listener.getsockname()[1])
        balancer.known["shop/web1"] = balancer.known["shop/web1"]._replace(address=address)
        assert len(rotation.put_back(balancer, "web1", "shop", REQUEST, 5)) == 1


def test_maintenance_is_the_administrators(balancer: InMemory) -> None:
    """It is not ended, and the server is not asked for an answer."""
    balancer.known["shop/web1"] = server("shop/web1", MAINTENANCE)
    assert rotation.take_out(balancer, "web1", "shop", 1, 1) == []
    assert rotation.put_back(balancer, "web1", "shop", REQUEST, 1) == []
    assert balancer.states()["shop/web1"] == MAINTENANCE


def test_two_at_once_do_not_count_on_each_other(balancer: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """If two are taken out at the same time, one of them stays in."""
    outcomes: list[str] = []
    both_have_looked = threading.Barrier(2)
    change = balancer.set_state

    def change_when_both_have_looked(servers: Sequence[Server], state: str) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_looked.wait(timeout=0.3)
        change(servers, state)

    def leave(name: str) -> None:
        try:
            rotation.take_out(balancer, name, "shop", 1, 1)
            outcomes.append("out")
        except BalancerError:
            outcomes.append("in")

    monkeypatch.setattr(balancer, "set_state", change_when_both_have_looked)
    threads = [threading.Thread(target=leave, args=(name,)) for name in ("web1", "web2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in", "out"]


class TestChange:
    """What the module's arguments ask for."""

    GIVEN = {
        "type": "nginx",
        "socket": "/run/haproxy/admin.sock",
        "config_file": "/etc/nginx/conf.d/shop.conf",
        "server": "web1",
        "group": "shop",
        "minimum": 1,
        "timeout": 1,
        "health": None,
    }

    @pytest.fixture(autouse=True)
    def _nginx(self, balancer: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
        """nginx is that balancer."""
        monkeypatch.setattr(rotation, "Nginx", lambda _config_file, _runner: balancer)

    def change(self, state: str, check_mode: bool = False, **changes: object) -> list[str]:
        """The labels of the servers that change."""
        given = {**self.GIVEN, "state": state, **changes}
        return [server.label for server in rotation.change(given, Runner(lambda _command: (0, "", "")), check_mode)]

    def test_a_server_leaves_and_returns(self, balancer: InMemory) -> None:
        """In check mode, it is only said that it would."""
        for state in (DRAINED, READY):
            before = balancer.states()
            assert self.change(state, check_mode=True) == ["shop/web1"]
            assert balancer.states() == before
            assert self.change(state) == ["shop/web1"]
            assert balancer.states()["shop/web1"] == state
            assert self.change(state, check_mode=True) == self.change(state) == []

    def test_a_health_request_is_sent_before_a_server_returns(self, balancer: InMemory) -> None:
        """If there is one."""
        self.change(DRAINED)
        health = {"path": "/", "host": "localhost", "scheme": "tcp", "statuses": []}
        with pytest.raises(BalancerError, match="shop/web1: no answer"):
            self.change(READY, health=health, timeout=0.1)
        assert balancer.states()["shop/web1"] == DRAINED

    def test_haproxy_is_asked_on_its_socket(self) -> None:
        """As the type says."""
        with pytest.raises(BalancerError, match=r"socket: /run/none\.sock can't be asked"):
            self.change(DRAINED, type="haproxy", socket="/run/none.sock")
