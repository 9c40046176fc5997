# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses that Gunicorn listens on: what users write, as plain values."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.checks import check_mode, check_name, check_path
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_bind"
_EXPECTED = (
    "an IPv4 address and a port (127.0.0.1:8000), an IPv6 address in brackets and a port ([::1]:8000), "
    "or a unix socket (unix:/run/project.sock, or a mapping with path, owner, group and mode)"
)
UNIX_PATH_MAX = 107  # sockaddr_un.sun_path without its final NUL, see unix(7)
_UNIX_KEYS = {"path", "owner", "group", "mode"}
# Wildcards, and the address at which a server on the same host reaches them
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_PORT = re.compile(r"[1-9][0-9]{0,4}\Z")


class Address(NamedTuple):
    """One listening address. TCP: `host` and `port`; unix: `path` and who may connect."""

    host: str | None = None
    port: int | None = None
    path: str | None = None
    owner: str | None = None
    group: str | None = None
    mode: str | None = None

    @property
    def family(self) -> int:
        """The address family that a socket is made with."""
        if self.path is not None:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in (self.host or "") else socket.AF_INET

    @property
    def reached_at(self) -> str:
        """The host to connect to from the same host: a wildcard is only an address to listen on."""
        return _LOOPBACK.get(self.host or "", self.host or "")

    @property
    def listen_stream(self) -> str:
        """The address as ListenStream= of a socket unit takes it."""
        if self.path is not None:
            return self.path
        return f"[{self.host}]:{self.port}" if self.family == socket.AF_INET6 else f"{self.host}:{self.port}"

    @property
    def gunicorn_bind(self) -> str:
        """The address as Gunicorn's --bind takes it."""
        return self.listen_stream if self.path is None else f"unix:{self.path}"


def default_binds(port: int, ipv6: bool) -> list[Address]:
    """Both loopback addresses, the IPv6 one only where the host has IPv6."""
    if not 1 <= port <= 65535:
        raise InvalidValue("gunicorn_port", port, "a number from 1 to 65535")
    return [Address(host="127.0.0.1", port=port)] + ([Address(host="::1", port=port)] if ipv6 else [])


def parse_binds(values: list, default_owner: str, default_group: str) -> list[Address]:
    """Parse the values of gunicorn_bind; raises InvalidValue for the first that can't be used."""
    binds = [_parse(value, default_owner, default_group) for value in values]
    for number, bind in enumerate(binds):
        if any(_overlap(bind, other) for other in binds[:number]):
            raise InvalidValue(VARIABLE, bind.listen_stream, "each address once, and none next to 0.0.0.0 or [::]")
    unix = {(bind.owner, bind.group, bind.mode) for bind in binds if bind.path is not None}
    if len(unix) > 1:
        raise InvalidValue(VARIABLE, values, "the same owner, group and mode for all unix sockets of one service")
    return binds


def parse_streams(values: list[str]) -> list[Address]:
    """Parse values of ListenStream=; leaves out other kinds of addresses. Unix sockets come without their owners."""
    binds = []
    for value in values:
        try:
            binds.append(Address(path=value) if value.startswith("/") else _parse_tcp(value))
        except InvalidValue:
            continue
    return binds


def _parse(value: object, owner: str, group: str) -> Address:
    if isinstance(value, dict):
        return _parse_unix(value, owner, group)
    if not isinstance(value, str):
        raise InvalidValue(VARIABLE, value, _EXPECTED)
    if value.startswith("unix:"):
        return _parse_unix({"path": value[len("unix:") :]}, owner, group)
    return _parse_tcp(value)


def _parse_tcp(value: str) -> Address:
    host, colon, port = value.rpartition(":")
    if not colon or not _PORT.match(port) or int(port) > 65535:
        raise InvalidValue(VARIABLE, value, f"{_EXPECTED}, with a port from 1 to 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise InvalidValue(VARIABLE, value, _EXPECTED) from None
    if bracketed != (address.version == 6) or "%" in host:
        raise InvalidValue(VARIABLE, value, _EXPECTED)
    return Address(host=str(address), port=int(port))


def _parse_unix(value: dict, owner: str, group: str) -> Address:
    if not set(value) <= _UNIX_KEYS or "path" not in value:
        raise InvalidValue(VARIABLE, value, f"a mapping with the keys {', '.join(sorted(_UNIX_KEYS))}")
    path = check_path(VARIABLE, value["path"])
    if len(path.encode()) > UNIX_PATH_MAX:
        raise InvalidValue(VARIABLE, path, f"a path of at most {UNIX_PATH_MAX} bytes, as the kernel allows")
    return Address(
        path=path,
        owner=check_name(VARIABLE, value.get("owner") or owner),
        group=check_name(VARIABLE, value.get("group") or group),
        mode=check_mode(VARIABLE, "0660" if value.get("mode") in (None, "") else value["mode"]),
    )


def _overlap(one: Address, other: Address) -> bool:
    """Whether the kernel would refuse to listen on both."""
    if one.family != other.family or one.port != other.port or one.path != other.path:
        return False
    hosts = {one.host, other.host}
    return len(hosts) == 1 or not hosts.isdisjoint(_LOOPBACK)
