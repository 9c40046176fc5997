# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the addresses of a service against the host, and write them as directives of its socket unit."""

from __future__ import annotations

import errno
import os
import socket

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import listening as host_listening
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import directories as plan_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# The parent of the RuntimeDirectory= of every service
_RUNTIME = "/run/gunicorn"


def check_addresses(name: str, binds: list[Address], service: Unit, sockets: Unit) -> None:
    """Raise InvalidValue for an address that a start would fail on: the host lacks it, or another process holds it."""
    ours = sockets.listen if sockets.active else ()
    held: set = set()
    if service.active and not sockets.active:
        # Only here: to read this in each run would cost time for nothing.
        # A service that was made by hand holds its addresses itself. It hands them over, or gives them up at its end.
        held = {one.bind.port or one.bind.path for one in unit_processes.read_held(f"{name}.service", service.main_pid)}
    for bind in binds:
        if bind.listen_stream in ours:
            continue
        if bind.path is not None:
            _check_unix(bind.path, bind.path in held)
        else:
            _check_tcp(bind, bind.port in held, _how_to_free(name, bind, sockets))


def _check_tcp(bind: Address, yields: bool, how_to_free: str) -> None:
    error = host_listening.bind_error(bind.family, bind.host or "", bind.port or 0)
    if error == errno.EADDRINUSE and not yields:
        expected = f"a port that no other process listens on{how_to_free}"
        raise InvalidValue(addresses.VARIABLE, bind.listen_stream, expected)
    if error in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        raise InvalidValue(addresses.VARIABLE, bind.listen_stream, "an address of this host")


def _how_to_free(name: str, bind: Address, sockets: Unit) -> str:
    """What to stop where the service's own socket has another address of the same port.

    That socket stays open as long as anybody is served.
    """
    ours = sockets.listen if sockets.active else ()
    if str(bind.port) not in {address.rpartition(":")[2] for address in ours}:
        return ""
    supervised = sockets.path.startswith(programs.PROGRAMS)
    stop = f"supervisorctl stop {name}" if supervised else f"systemctl stop {name}.socket"
    return f", or first {stop}, which is open on {', '.join(ours)}"


def _check_unix(path: str, yields: bool) -> None:
    directories.check_parent(addresses.VARIABLE, path)
    error = host_listening.unix_error(path)
    if error == errno.EEXIST:
        raise InvalidValue(addresses.VARIABLE, path, "a path for a unix socket at which nothing else is")
    if error == errno.EADDRINUSE and not yields:
        raise InvalidValue(addresses.VARIABLE, path, "a unix socket that no other process listens on")


def check_socket_directories(wanted: DeploymentParameters, made_by_hand: bool) -> None:
    """Raise InvalidValue for a unix socket in a directory that the service's user, or the socket's owner, can change.

    systemd gives the socket away by its path, where a link could be by then. The path of a running service that was
    made by hand is refused as well: systemd opens another socket beside its own.
    """
    for bind in wanted.binds:
        if bind.path is None:
            continue
        directory = os.path.dirname(bind.path)
        fit = f"a path in a directory in which root alone may write, such as /run/{wanted.service}.sock"
        if os.path.realpath(directory).startswith(f"{_RUNTIME}/"):
            expected = f"{fit}: {directory} is removed when its service stops"
            raise InvalidValue(addresses.VARIABLE, bind.path, expected)
        found = plan_directories.changeable_by_service(directory, wanted)
        who = wanted.user
        if not found and bind.owner and bind.group:
            found, who = accounts.changeable_by(directory, accounts.service_account(bind.owner, bind.group)), bind.owner
        if found:
            by_hand = f"; to keep this path, chown root {found} and chmod go-w {found} while the service runs"
            expected = f"{fit}: {who} may in {found}{by_hand if made_by_hand else ''}"
            raise InvalidValue(addresses.VARIABLE, bind.path, expected)


def socket_directives(binds: list[Address]) -> dict:
    """The directives of the socket unit that follow from the addresses, see systemd.socket(5)."""
    wanted: dict = {"ListenStream": [bind.listen_stream for bind in binds]}
    families = {bind.family for bind in binds}
    if {socket.AF_INET, socket.AF_INET6} <= families:
        # Without it [::]:8000 takes the IPv4 port, too, and 0.0.0.0:8000 beside it is "in use".
        wanted["BindIPv6Only"] = "ipv6-only"
    for bind in binds:
        if bind.family == socket.AF_UNIX:
            wanted.update(SocketUser=bind.owner, SocketGroup=bind.group, SocketMode=bind.mode)
    return wanted
