# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses as values_addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

NO_UNIT = Unit(False, False, False, False, 0, False, "", ())
SERVICE = Unit(True, True, False, True, 0, False, "/etc/systemd/system/shop.service", ())
SOCKET = SERVICE._replace(path="/etc/systemd/system/shop.socket", listen=("127.0.0.1:8000", "[::1]:8000"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errno.EADDRINUSE, "a port that no other process listens on"),
        (errno.EADDRNOTAVAIL, "an address of this host"),
        (errno.EAFNOSUPPORT, "an address of this host"),
    ],
)
def test_what_would_end_the_start_is_found_before(
    host: SimpleNamespace, plan: Callable, error: int, expected: str
) -> None:
    """The error names the address."""
    host.refused["127.0.0.1:8000"] = error
    with pytest.raises(InvalidValue, match=f"gunicorn_bind: '127.0.0.1:8000'.*{expected}"):
        plan()


def test_another_process_on_the_port(host: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by the real probe, too."""
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as server:
        (bind,) = values_addresses.parse_binds([f"127.0.0.1:{server.getsockname()[1]}"], "shop", "shop")
        with pytest.raises(InvalidValue, match="no other process"):
            addresses.check_addresses("shop", [bind], NO_UNIT, NO_UNIT)
    addresses.check_addresses("shop", [bind], NO_UNIT, NO_UNIT)


@pytest.mark.parametrize(
    ("service", "sockets", "bind", "passes"),
    [
        pytest.param(SERVICE, SOCKET, "127.0.0.1:8000", True, id="held by our own socket"),
        pytest.param(NO_UNIT, SOCKET, "127.0.0.1:8000", True, id="held by our own socket, nothing behind it"),
        pytest.param(SERVICE, SOCKET, "0.0.0.0:8000", False, id="our socket stays open while somebody is served"),
        pytest.param(SERVICE, SOCKET, "127.0.0.1:8080", False, id="a running service does not own every port"),
        pytest.param(SERVICE, NO_UNIT, "127.0.0.1:8000", False, id="a service made by hand does not own every port"),
        pytest.param(NO_UNIT, SOCKET._replace(active=False), "127.0.0.1:8000", False, id="ours is not open"),
        pytest.param(NO_UNIT, NO_UNIT, "127.0.0.1:8000", False, id="nothing is ours"),
    ],
)
def test_whose_port_it_is(
    host: SimpleNamespace, plan: Callable, service: object, sockets: object, bind: str, passes: bool
) -> None:
    """A port in use is an error unless it is ours and will be given up."""
    host.refused[bind] = errno.EADDRINUSE
    host.units = {"shop.service": service, "shop.socket": sockets}
    if passes:
        plan(bind=[bind])
    else:
        with pytest.raises(InvalidValue, match="no other process"):
            plan(bind=[bind])


def test_a_service_made_by_hand_holds_it_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what its own process holds is its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        (bind,) = values_addresses.parse_binds([f"127.0.0.1:{server.getsockname()[1]}"], "shop", "shop")
        addresses.check_addresses("shop", [bind], SERVICE._replace(main_pid=os.getpid()), NO_UNIT)
        with pytest.raises(InvalidValue, match="no other process"):
            addresses.check_addresses("shop", [bind], SERVICE._replace(main_pid=os.getppid()), NO_UNIT)


def test_a_unix_socket_is_not_tried(plan: Callable) -> None:
    """systemd replaces the file that an ended service left."""
    plan(bind=["unix:/run/shop.sock"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("file", "at which nothing else is"),
        ("folder", "at which nothing else is"),
        ("file/a", "a path in a directory"),
    ],
)
def test_what_is_at_the_path_of_a_unix_socket_is_safe(
    host: SimpleNamespace, plan: Callable, path: str, expected: str
) -> None:
    """systemd would remove it to make room for the socket."""
    (host.root / "file").touch()
    (host.root / "folder").mkdir()
    with pytest.raises(InvalidValue, match=expected):
        plan(bind=[f"unix:{host.root}/{path}"])


def test_a_unix_socket_of_another_server_stays_its_own(host: SimpleNamespace, plan: Callable) -> None:
    """One that nobody listens on any more is only a leftover."""
    path = f"{host.root}/s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)
        with pytest.raises(InvalidValue, match="no other process listens on"):
            plan(bind=[f"unix:{path}"])
    assert plan(bind=[f"unix:{path}"])["binds"] == [f"unix:{path}"]


class TestSocketDirectory:
    """systemd gives the socket away by its path, where somebody who may write there could have put a link."""

    @pytest.fixture(autouse=True)
    def account(self, host: SimpleNamespace) -> None:
        """The user is there, and has a directory."""
        host.accounts["shop"] = Account(4242, 4242, (4242,))
        for name in ("theirs", "ours"):
            (host.root / name).mkdir()
        os.chown(host.root / "theirs", 4242, 4242)

    def test_one_in_which_root_alone_may_write(self, host: SimpleNamespace, plan: Callable) -> None:
        """Whether it exists or systemd makes it."""
        for name in ("ours/s", "ours/missing/s"):
            plan(bind=[f"unix:{host.root}/{name}"])

    def test_one_of_the_services_user(self, host: SimpleNamespace, plan: Callable) -> None:
        """So is any below it, also where a link leads there; and one that the run would give to the user."""
        (host.root / "ours/link").symlink_to("../theirs")
        for name, found in (("theirs/s", "theirs"), ("theirs/a/b/s", "theirs"), ("ours/link/s", "theirs")):
            expected = f"such as /run/shop.sock: shop may in {host.root}/{found}$"
            with pytest.raises(InvalidValue, match=f"gunicorn_bind: '{host.root}/{name}' .*{expected}"):
                plan(bind=[f"unix:{host.root}/{name}"])
        with pytest.raises(InvalidValue, match=f"shop may in {host.root}/var/shop$"):
            plan(bind=[f"unix:{host.root}/var/shop/run/s"])

    def test_one_in_which_everybody_may_write(self, host: SimpleNamespace, plan: Callable) -> None:
        """As /tmp."""
        (host.root / "ours").chmod(0o1777)
        with pytest.raises(InvalidValue, match=f"shop may in {host.root}/ours"):
            plan(bind=[f"unix:{host.root}/ours/s"])

    def test_one_of_those_to_whom_the_socket_is_given(self, host: SimpleNamespace, plan: Callable) -> None:
        """They can write to what a link of theirs leads to."""
        host.accounts.update(web=Account(4343, 4343, (4343,)), root=Account(0, 0, (0,)))
        os.chown(host.root / "ours", 4343, 0)
        path = f"{host.root}/ours/s"
        plan(bind=[f"unix:{path}"])
        with pytest.raises(InvalidValue, match=f"web may in {host.root}/ours"):
            plan(bind=[{"path": path, "owner": "web"}])
        os.chown(host.root / "ours", 0, 0)
        for owner in ("web", "root"):
            plan(bind=[{"path": path, "owner": owner}])

    @pytest.mark.parametrize(
        "path", ["/run/gunicorn/shop/s", "/var/run/gunicorn/shop-standin/s", "/run/gunicorn/x/y/s"]
    )
    def test_one_that_a_restart_removes(self, plan: Callable, path: str) -> None:
        """Nobody could connect any more."""
        with pytest.raises(InvalidValue, match=f"such as /run/shop.sock: {os.path.dirname(path)} is removed when"):
            plan(bind=[f"unix:{path}"])

    def test_one_of_a_service_made_by_hand(self, host: SimpleNamespace, plan: Callable) -> None:
        """The error says how the service can be taken over at the path that it has."""
        theirs = f"{host.root}/theirs"
        host.units["shop.service"] = SERVICE
        with pytest.raises(InvalidValue, match=f"shop may in {theirs}; to keep this path, chown root {theirs} and"):
            plan(bind=[f"unix:{theirs}/s"])
        os.chown(theirs, 0, -1)
        plan(bind=[f"unix:{theirs}/s"])

    def test_one_of_a_service_that_serves(self, host: SimpleNamespace, plan: Callable) -> None:
        """An open socket is no reason to trust its directory."""
        path = f"{host.root}/theirs/s"
        host.units = {"shop.service": SERVICE, "shop.socket": SOCKET._replace(listen=(path,))}
        with pytest.raises(InvalidValue, match=f"shop may in {host.root}/theirs$"):
            plan(bind=[f"unix:{path}"])


@pytest.mark.parametrize(
    ("binds", "directives"),
    [
        (["127.0.0.1:80"], {"ListenStream": ["127.0.0.1:80"]}),
        (["[::]:80"], {"ListenStream": ["[::]:80"]}),
        (["0.0.0.0:80", "[::]:80"], {"ListenStream": ["0.0.0.0:80", "[::]:80"], "BindIPv6Only": "ipv6-only"}),
        (
            ["unix:/run/a", "127.0.0.1:80"],
            {
                "ListenStream": ["/run/a", "127.0.0.1:80"],
                "SocketUser": "shop",
                "SocketGroup": "shop",
                "SocketMode": "0660",
            },
        ),
    ],
)
def test_the_directives_follow_from_the_addresses(binds: list[str], directives: dict) -> None:
    """[::] includes IPv4, as it does elsewhere, unless IPv4 has addresses of its own."""
    assert addresses.socket_directives(values_addresses.parse_binds(binds, "shop", "shop")) == directives
