# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import upstreams
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

V4, V6 = Address(host="127.0.0.1", port=8000), Address(host="::1", port=8000)
# Neither the owner of the files that the tests make nor in their group
STRANGER = Account(os.getuid() + 1, os.getgid() + 1, (os.getgid() + 1,))
OWNER = Account(os.getuid(), os.getgid(), (os.getgid(),))


@pytest.mark.parametrize(
    ("binds", "chosen"),
    [
        ([], [V4, V6]),
        (
            ["127.0.0.1:8000", "unix:/run/shop.sock"],
            [Address(path="/run/shop.sock", owner="root", group="root", mode="0660")],
        ),
        (["192.0.2.1:8000", "127.0.0.1:8000"], [V4]),
        (["0.0.0.0:8000", "[::]:8000"], [V4, V6]),
        (["192.0.2.1:8000"], [Address(host="192.0.2.1", port=8000)]),
    ],
)
def test_the_nearest_address_is_used(binds: list, chosen: list) -> None:
    """A unix socket, else the loopback addresses, else what there is."""
    assert upstreams.choose_upstreams(binds, "8000", ipv6=True) == chosen


def test_a_host_without_ipv6() -> None:
    """It has no ::1 to connect to."""
    assert upstreams.choose_upstreams([], "8000", ipv6=False) == [V4]


@pytest.mark.parametrize("port", ["0", "http", "65536"])
def test_a_port_that_can_not_be_used(port: str) -> None:
    """The error names the part of the variable."""
    with pytest.raises(InvalidValue, match=rf"proxy_gunicorn\['port'\]: '?{port}'? can't be used"):
        upstreams.choose_upstreams([], port, ipv6=True)


def test_a_socket_that_the_web_server_can_not_open(tmp_path: Path) -> None:
    """One that is not there yet may become one that it can."""
    path = tmp_path / "shop.sock"
    upstreams.check_socket(str(path), STRANGER)
    path.touch(mode=0o660)
    upstreams.check_socket(str(path), OWNER)
    with pytest.raises(InvalidValue, match="group: www-data"):
        upstreams.check_socket(str(path), STRANGER)


@pytest.mark.parametrize("trusted", ["127.0.0.1,::1", "127.0.0.0/8, ::1", "::1,127.0.0.1,192.0.2.1"])
def test_gunicorn_trusts_the_web_server(trusted: str) -> None:
    """By addresses or networks."""
    upstreams.check_trust(["127.0.0.1", "::1"], trusted)


@pytest.mark.parametrize("trusted", ["*", "127.0.0.1,*", "127.0.0.1", "", "192.0.2.1", None, "localhost"])
def test_gunicorn_trusts_everybody_or_not_the_web_server(trusted: object) -> None:
    """Then Django would take a client's word for the scheme, or not see it at all."""
    with pytest.raises(InvalidValue, match="forwarded_allow_ips.*127.0.0.1,::1"):
        upstreams.check_trust(["127.0.0.1", "::1"], trusted)
