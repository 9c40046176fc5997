# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import (
    UNIX_PATH_MAX,
    Address,
    default_binds,
    parse_binds,
    parse_streams,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ports = st.integers(1, 65535)
# 3.13 writes addresses such as ::ffff:1.2.3.4 in another way than older versions
hosts = st.ip_addresses(v=4) | st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None)
tcp_binds = st.builds(lambda host, port: Address(host=str(host), port=port), hosts, ports)
paths = st.from_regex(r"(/[A-Za-z0-9_@+=,-]{1,8}){1,9}", fullmatch=True)
unix_binds = st.builds(lambda path: Address(path=path, owner="shop", group="www-data", mode="0660"), paths)


def parse(*values: object) -> list[Address]:
    """Parse for the user shop and the group www-data."""
    return parse_binds(list(values), "shop", "www-data")


class TestParseBinds:
    @given(bind=tcp_binds | unix_binds)
    def test_what_is_written_is_read_back(self, bind: Address) -> None:
        """Gunicorn's form of an address means the address that it was made from."""
        assert parse(bind.gunicorn_bind) == [bind]

    @pytest.mark.parametrize(
        ("value", "bind", "listen_stream", "gunicorn_bind"),
        [
            ("127.0.0.1:8000", Address(host="127.0.0.1", port=8000), "127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]:8000", Address(host="::1", port=8000), "[::1]:8000", "[::1]:8000"),
            ("0.0.0.0:1", Address(host="0.0.0.0", port=1), "0.0.0.0:1", "0.0.0.0:1"),
            ("[::]:65535", Address(host="::", port=65535), "[::]:65535", "[::]:65535"),
            ("[2001:DB8:0::7]:80", Address(host="2001:db8::7", port=80), "[2001:db8::7]:80", "[2001:db8::7]:80"),
            (
                "unix:/run/shop.sock",
                Address(path="/run/shop.sock", owner="shop", group="www-data", mode="0660"),
                "/run/shop.sock",
                "unix:/run/shop.sock",
            ),
            (
                {"path": "/run/shop/web", "owner": "root", "group": "nginx", "mode": "600"},
                Address(path="/run/shop/web", owner="root", group="nginx", mode="600"),
                "/run/shop/web",
                "unix:/run/shop/web",
            ),
            (
                {"path": "/run/shop.sock", "owner": None, "group": "", "mode": None},
                Address(path="/run/shop.sock", owner="shop", group="www-data", mode="0660"),
                "/run/shop.sock",
                "unix:/run/shop.sock",
            ),
        ],
    )
    def test_each_form(self, value: object, bind: Address, listen_stream: str, gunicorn_bind: str) -> None:
        """An address is known by one form, which systemd and Gunicorn each get in theirs."""
        (parsed,) = parse(value)
        assert parsed == bind
        assert (parsed.listen_stream, parsed.gunicorn_bind) == (listen_stream, gunicorn_bind)

    @pytest.mark.parametrize(
        ("value", "family"),
        [("127.0.0.1:1", socket.AF_INET), ("[::1]:1", socket.AF_INET6), ("unix:/run/a", socket.AF_UNIX)],
    )
    def test_the_family(self, value: str, family: int) -> None:
        """It is what a socket is made with."""
        assert parse(value)[0].family == family

    @pytest.mark.parametrize(
        ("value", "host"),
        [("0.0.0.0:1", "127.0.0.1"), ("[::]:1", "::1"), ("192.0.2.1:1", "192.0.2.1"), ("[::1]:1", "::1")],
    )
    def test_where_it_is_reached(self, value: str, host: str) -> None:
        """A wildcard is an address to listen on, not to connect to."""
        assert parse(value)[0].reached_at == host

    @pytest.mark.parametrize(
        "value",
        [
            *["", ":8000", ":8001", "8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http"],
            *["127.0.0.1:0", "127.0.0.1:08000", "127.0.0.1:65536", "127.0.0.1:99999999999"],
            *["127.0.0.1:+80", "127.0.0.1:-1", "127.0.0.1:8٠00", "127.0.0.1:٨٠"],
            *["127.0.0.1:80\n", "127.0.0.1:80 ", "127.0.0.1 :80", "127.0.0.1:8001\nUser=root"],
            *["127.1:80", "127.0.0.256:80", "01.2.3.4:80", "0:8000"],
            *["localhost:80", "localhost:8000", "localhost:8001"],
            *[
                "::1:8000",
                "::1:8001",
                "::1",
                "[::1]",
                "[127.0.0.1]:8000",
                "[fe80::1%eth0]:8000",
                "[::1:8000",
                "[]:8000",
            ],
            *["tcp://127.0.0.1:80", "fd://3"],
            # The path of a unix socket is checked as any other path: see test_checks.py.
            *["unix:", "unix:run/shop.sock", "unix:/run/../etc/shop.sock", "unix:/run//shop.sock"],
            *["unix:/run/shop sock", "unix:/run/%n.sock", "unix:/run/shop.sock\n"],
            f"unix:/{'a' * UNIX_PATH_MAX}",
            "unix:/run/a_path_that_is_longer_than_the_107_bytes_which_the_kernel_has_for_it"
            "/as_the_manual_unix_7_says/notes.sock",
            *[8000, True, None, ["127.0.0.1:80"], {}],
            *[{"path": None}, {"path": 5}, {"path": "/run/a", "user": "x"}, {"path": "/run/a", "port": 1}],
            *[{"path": "/run/a", "mode": "999"}, {"path": "/run/a", "mode": 0o660}, {"path": "/run/a", "mode": 0}],
            *[
                {"path": "/run/a", "owner": "a b"},
                {"path": "/run/a", "owner": "a:b"},
                {"path": "/run/a", "group": "%g"},
            ],
        ],
    )
    def test_what_is_no_address_is_refused(self, value: object) -> None:
        """The error names the variable and what is wrong: the value itself, or the part of the mapping."""
        with pytest.raises(InvalidValue) as caught:
            parse("127.0.0.1:1", value)
        assert caught.value.variable == "gunicorn_bind"
        assert str(caught.value.value) in str(value)

    def test_the_longest_unix_path(self) -> None:
        """The kernel takes 107 bytes, and so does the role."""
        path = f"/{'a' * (UNIX_PATH_MAX - 1)}"
        assert parse(f"unix:{path}")[0].path == path
        with socket.socket(socket.AF_UNIX) as probe, pytest.raises(OSError, match="AF_UNIX path too long"):
            probe.connect(path + "a")

    @pytest.mark.parametrize(
        "values",
        [
            ["127.0.0.1:80", "127.0.0.1:80"],
            ["127.0.0.1:8001", "127.0.0.1:8001"],
            ["[::1]:80", "[0:0::1]:80"],
            ["unix:/run/a", {"path": "/run/a"}],
            ["0.0.0.0:80", "127.0.0.1:80"],
            ["127.0.0.1:80", "0.0.0.0:80"],
            ["127.0.0.1:8001", "0.0.0.0:8001"],
            ["[2001:db8::1]:80", "[::]:80"],
        ],
    )
    def test_addresses_that_the_kernel_would_not_give_together(self, values: list[object]) -> None:
        """One of them would be "in use", and systemd would open none."""
        with pytest.raises(InvalidValue, match="each address once"):
            parse(*values)

    @pytest.mark.parametrize(
        "values",
        [
            ["127.0.0.1:80", "127.0.0.1:81"],
            ["127.0.0.1:80", "127.0.0.2:80"],
            ["0.0.0.0:80", "[::]:80"],
            ["0.0.0.0:80", "127.0.0.1:81"],
            ["[::]:80", "127.0.0.1:80"],
            ["unix:/run/a", "unix:/run/b", "127.0.0.1:80"],
        ],
    )
    def test_addresses_that_go_together(self, values: list[object]) -> None:
        """Other ports, other hosts, other families, in the order in which they were given."""
        assert [bind.gunicorn_bind for bind in parse(*values)] == values

    def test_unix_sockets_share_their_owner(self) -> None:
        """A socket unit has one SocketUser=, SocketGroup= and SocketMode=."""
        with pytest.raises(InvalidValue, match="the same owner, group and mode"):
            parse("unix:/run/a", {"path": "/run/b", "mode": "0600"})


class TestDefaultBinds:
    def test_both_loopback_addresses(self) -> None:
        """::1 is there exactly where the host has IPv6."""
        assert [bind.listen_stream for bind in default_binds(8000, ipv6=True)] == ["127.0.0.1:8000", "[::1]:8000"]
        assert [bind.listen_stream for bind in default_binds(8000, ipv6=False)] == ["127.0.0.1:8000"]

    @given(port=ports, ipv6=st.booleans())
    def test_they_are_addresses_as_users_write_them(self, port: int, ipv6: bool) -> None:
        """Writing the defaults into gunicorn_bind changes nothing."""
        binds = default_binds(port, ipv6)
        assert parse(*(bind.gunicorn_bind for bind in binds)) == binds
        assert all(ipaddress.ip_address(bind.host).is_loopback for bind in binds)

    @pytest.mark.parametrize("port", [-1, 0, 65536, 10**9])
    def test_a_port_that_is_none_is_refused(self, port: int) -> None:
        """The error names the variable that it came from."""
        with pytest.raises(InvalidValue, match=f"gunicorn_port: {port} "):
            default_binds(port, ipv6=True)


def test_streams_of_a_socket_unit() -> None:
    """What systemd takes beyond addresses with a host is left out: somebody else's unit may have it."""
    streams = ["127.0.0.1:8000", "[::1]:8000", "/run/shop.sock", "8000", "@abstract", "vsock:2:80"]
    assert parse_streams(streams) == [
        Address("127.0.0.1", 8000),
        Address("::1", 8000),
        Address(path="/run/shop.sock"),
    ]
