# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check a site against the host, and say what is to be done for it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import ssl
import stat

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import ports as host_ports
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.parameters import ProxyParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_BIND = "proxy_gunicorn['bind']"


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


# What is there


def make_plan(wanted: ProxyParameters, runner: Runner, checking: bool) -> dict:
    """Read the host and say what is missing; raises InvalidValue where the two can't meet.

    In check mode files may be missing that an earlier task would have brought.
    """
    check_site_file(wanted.server, wanted.site)
    unit = units.read_units([wanted.server.unit], runner)[wanted.server.unit]
    _check_unit(wanted.server, unit, [80, 443] if wanted.certificate else [80])
    if wanted.certificate and not (checking and not os.path.exists(wanted.certificate)):
        check_certificate(wanted.certificate, wanted.key)
    account = accounts.read_account(servers.USER)
    _check_upstreams(wanted, account)
    return {
        "packages": [] if os.path.exists(wanted.server.program) else [wanted.server.package],
        "directories": wanted_directories(wanted, account),
        "upstreams": [bind.gunicorn_bind for bind in wanted.upstreams],
        "upstream_keepalive": wanted.upstream_keepalive,
        "timeout": wanted.timeout,
        "max_body_size": wanted.max_body_size,
    }


def _check_unit(server: WebServer, unit: Unit, ports: list[int]) -> None:
    """Find out now what the server's own check does not see, and what would end a running Apache: a port is taken."""
    if unit.masked:
        raise InvalidValue("proxy_server", server.title, f"a unit that is not masked (systemctl unmask {server.unit})")
    listening = (sockets.read_listening(unit.main_pid) if unit.main_pid else None) or []
    ours = {address.rpartition(":")[2] for address in listening}
    for port in ports:
        taken = host_ports.bind_error(socket.AF_INET, "0.0.0.0", port) == errno.EADDRINUSE
        if taken and str(port) not in ours:
            expected = f"port {port} free for it: another process listens there"
            raise InvalidValue("proxy_server", server.title, expected)


MARK = "# Managed by Ansible (role pyweb.gunicorn.proxy)"


def check_site_file(server: WebServer, site: str) -> None:
    """Raise InvalidValue where the site's name is somebody else's."""
    path, link = server.site_file(site), server.site_link(site)
    expected = "a name that is free: {} was not made by this role; move it away, or choose another proxy_site"
    if os.path.lexists(path):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                ours = file.readline().startswith(MARK)
        except OSError:
            ours = False
        if not ours:
            raise InvalidValue("proxy_site", site, expected.format(path))
    if os.path.lexists(link) and not os.path.islink(link):
        raise InvalidValue("proxy_site", site, expected.format(link))


def check_certificate(certificate: str, key: str) -> None:
    """Raise InvalidValue unless both are files of one pair. Apache's own check would not see that, and Apache ends."""
    for variable, path in (("proxy_tls_certificate", certificate), ("proxy_tls_key", key)):
        if not os.path.isfile(path):
            raise InvalidValue(variable, path, "a file on the host: bring it before this role")
    try:
        # The empty passphrase: without any, OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        expected = f"a certificate in PEM, and in {key} its key without a passphrase"
        raise InvalidValue("proxy_tls_certificate", certificate, f"{expected} ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)


def _check_upstreams(wanted: ProxyParameters, account: Account | None) -> None:
    path = wanted.upstreams[0].path
    if path is not None:
        # Peers on a unix socket are always trusted.
        if account is not None:
            check_socket(path, account)
        return
    # A connection to an address of the host comes from that address; what another host sees, its own variables say.
    peers = [
        bind.host
        for bind in wanted.upstreams
        if bind.host and host_ports.bind_error(bind.family, bind.host, 0) != errno.EADDRNOTAVAIL
    ]
    check_trust(peers, wanted.trusted)


def check_socket(path: str, account: Account) -> None:
    """Raise InvalidValue where the web server's workers can't open a socket that is there."""
    try:
        status = os.stat(path)
    except OSError:
        return  # not there yet
    if not _allows(status, account, 0o2):
        example = f"gunicorn_bind: [{{path: {path}, group: {servers.USER}}}]"
        raise InvalidValue(_BIND, path, f"a unix socket that {servers.USER} may open ({example})")


def _allows(status: os.stat_result, account: Account, wanted: int) -> bool:
    """Whether the mode gives an account these permissions: 4 to read, 2 to write, 1 to enter or execute."""
    if status.st_uid == account.uid:
        wanted <<= 6
    elif status.st_gid in account.groups:
        wanted <<= 3
    return stat.S_IMODE(status.st_mode) & wanted == wanted


def wanted_directories(wanted: ProxyParameters, account: Account | None) -> list[dict]:
    """The directories of static and media files to make, and those above to let the web server through.

    Static files are root's, who collects them. Media are the service's, in the web server's group by the setgid bit:
    the service's umask keeps others out, and the group of the service stays its own.
    """
    result: list[dict] = []
    service = accounts.read_account(wanted.user)
    for variable, path in wanted.directories.items():
        above = path
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        if not os.path.isdir(above):
            raise InvalidValue(variable, path, f"a path in a directory: {above} is none")
        if account is not None:
            for item in _opened(variable, path, above, account, service):
                if item not in result:
                    result.append(item)
        if above == path:
            continue
        media = variable == "proxy_media_directory" and service is not None
        owner, group, mode = (wanted.user, servers.USER, "2750") if media else ("root", "root", "0755")
        result += [item for item in _missing_parents(path, above) if item not in result]
        result.append({"path": path, "owner": owner, "group": group, "mode": mode})
    return result


def _missing_parents(path: str, above: str) -> list[dict]:
    parents: list[dict] = []
    while (path := os.path.dirname(path)) != above:
        parents.insert(0, {"path": path, "owner": "root", "group": "root", "mode": "0755"})
    return parents


def _opened(
    variable: str,
    path: str,
    innermost: str,
    account: Account,
    service: Account | None,
) -> list[dict]:
    """Existing directories on the way that the web server can't enter; those of the service are opened for it."""
    result = []
    for folder in _ancestors(innermost):
        status = os.stat(folder)
        wanted = 0o5 if folder == path else 0o1
        if _allows(status, account, wanted):
            continue
        if service is None or status.st_uid != service.uid or folder == path:
            action = "read" if folder == path else "enter"
            raise InvalidValue(
                variable, path, f"a directory that {servers.USER} can {action}: {folder} does not let it"
            )
        # To enter, not to list.
        enter = 0o010 if status.st_gid in account.groups else 0o001
        result.append({"path": folder, "mode": f"{stat.S_IMODE(status.st_mode) | enter:04o}"})
    return result


def _ancestors(path: str) -> list[str]:
    """A directory and those above it, the root first."""
    folders = [path]
    while folders[0] != os.path.dirname(folders[0]):
        folders.insert(0, os.path.dirname(folders[0]))
    return folders
