# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses of Gunicorn that the web server uses: choose them, and check that it may connect and is trusted."""

from __future__ import annotations

import errno
import ipaddress
import os
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import listening as host_listening
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import WRITE, Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Gunicorn's own default, see its setting forwarded_allow_ips
TRUSTED = "127.0.0.1,::1"


def choose_upstreams(values: list, port: str, ipv6: bool) -> list[Address]:
    """The addresses of Gunicorn that the web server of the same host uses: the nearest ones.

    The first unix socket if there is one; else the loopback addresses, which Gunicorn trusts by default; else all.
    """
    try:
        # These owners do not matter: the role gunicorn sets them, and check_socket asks the file itself.
        binds = addresses.parse_binds(values, "root", "root") if values else _default_binds(port, ipv6)
    except InvalidValue as error:
        key = error.variable.partition("_")[2]
        raise InvalidValue(f"proxy_gunicorn['{key}']", error.value, error.expected) from None
    sockets = [bind for bind in binds if bind.path is not None]
    if sockets:
        return sockets[:1]
    reached = [Address(host=bind.reached_at, port=bind.port) for bind in binds]
    loopback = [bind for bind in reached if ipaddress.ip_address(bind.host or "").is_loopback]
    return list(dict.fromkeys(loopback or reached))


def _default_binds(port: str, ipv6: bool) -> list[Address]:
    if not re.match(r"[1-9][0-9]{0,4}\Z", port):
        raise InvalidValue("gunicorn_port", port, "a number from 1 to 65535")
    return addresses.default_binds(int(port), ipv6)


def check_upstreams(upstreams: list[Address], trusted: object, web_server: Account | None) -> None:
    """Raise InvalidValue where the web server can't connect, or where Gunicorn would not believe what it says."""
    path = upstreams[0].path
    if path is not None:
        # Gunicorn always trusts peers on a unix socket.
        if web_server is not None:
            check_socket(path, web_server)
        return
    # A connection to an address of this host comes from the same address. For an address of another host, the
    # variables of that host say what it sees.
    peers = [
        bind.host
        for bind in upstreams
        if bind.host and host_listening.bind_error(bind.family, bind.host, 0) != errno.EADDRNOTAVAIL
    ]
    check_trust(peers, trusted)


def check_socket(path: str, web_server: Account) -> None:
    """Raise InvalidValue where the web server's workers can't open a socket that is there."""
    try:
        status = os.stat(path)
    except OSError:
        return  # not there yet
    if not accounts.allows(status, web_server, WRITE):
        example = f"gunicorn_bind: [{{path: {path}, group: {servers.USER}}}]"
        raise InvalidValue("proxy_gunicorn['bind']", path, f"a unix socket that {servers.USER} may open ({example})")


def check_trust(peers: list[str], trusted: object) -> None:
    """Raise InvalidValue unless Gunicorn trusts the web server's addresses, and does not trust everybody."""
    variable = "proxy_gunicorn['settings']['forwarded_allow_ips']"
    listed = [item.strip() for item in str(trusted).split(",")]
    named = ",".join(peers)
    if "*" in listed:
        expected = f"{named} alone: anybody who reaches Gunicorn could claim to have come by https"
        raise InvalidValue(variable, trusted, expected)
    if not all(any(_covers(item, peer) for item in listed) for peer in peers):
        raise InvalidValue(variable, trusted, f"{named}, as which the web server comes")


def _covers(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
