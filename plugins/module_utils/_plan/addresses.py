# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the addresses that a service is to listen on."""

from __future__ import annotations

import errno
import socket

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import ports as host_ports
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def socket_directives(binds: list[Address]) -> dict:
    """Directives of the socket unit that depend on the addresses, see systemd.socket(5)."""
    wanted: dict = {"ListenStream": [bind.listen_stream for bind in binds]}
    families = {bind.family for bind in binds}
    if {socket.AF_INET, socket.AF_INET6} <= families:
        # else [::]:8000 takes the IPv4 port too, and 0.0.0.0:8000 next to it is "in use"
        wanted["BindIPv6Only"] = "ipv6-only"
    for bind in binds:
        if bind.family == socket.AF_UNIX:
            wanted.update(SocketUser=bind.owner, SocketGroup=bind.group, SocketMode=bind.mode)
    return wanted


def check_addresses(name: str, binds: list[Address], service: Unit, sockets: Unit) -> None:
    """Find out now what would else end the start: an address that the host lacks, or that another process holds."""
    ours = sockets.listen if sockets.active else ()
    ports = {address.rpartition(":")[2] for address in ours}
    held: set = set()
    if service.active and not sockets.active:
        # The host would read and compile all of that in vain at each run.
        # A service that was made by hand and holds its addresses itself hands them over, or gives them up when it goes.
        held = {one.bind.port or one.bind.path for one in unit_processes.read_held(f"{name}.service", service.main_pid)}
    for bind in binds:
        if bind.listen_stream in ours:
            continue
        if bind.path is not None:
            _check_unix(bind.path, bind.path in held)
            continue
        error = host_ports.bind_error(bind.family, bind.host or "", bind.port or 0)
        # Our own socket, open with another address of the same port, stays open for as long as somebody is served.
        if error == errno.EADDRINUSE and bind.port not in held:
            expected = "a port that no other process listens on"
            if str(bind.port) in ports:
                supervised = sockets.path.startswith(programs.PROGRAMS)
                stop = f"supervisorctl stop {name}" if supervised else f"systemctl stop {name}.socket"
                expected += f", or first {stop}, which is open on {', '.join(ours)}"
            raise InvalidValue(addresses.VARIABLE, bind.listen_stream, expected)
        if error in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise InvalidValue(addresses.VARIABLE, bind.listen_stream, "an address of this host")


def _check_unix(path: str, yields: bool) -> None:
    directories.check_parent(addresses.VARIABLE, path)
    error = host_ports.unix_error(path)
    if error == errno.EEXIST:
        raise InvalidValue(addresses.VARIABLE, path, "a path for a unix socket at which nothing else is")
    if error == errno.EADDRINUSE and not yields:
        raise InvalidValue(addresses.VARIABLE, path, "a unix socket that no other process listens on")
