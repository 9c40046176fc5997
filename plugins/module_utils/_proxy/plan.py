# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a site will find and need on its host, worked out before anything is changed.

Source of the layout: the book "Deploying Django on a single Debian or Ubuntu server".
"""

from __future__ import annotations

import errno
import os
import socket

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import listening as host_listening
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import (
    certificate,
    directories,
    names_hash,
    servers,
    upstreams,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.parameters import ProxyParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def make_plan(wanted: ProxyParameters, runner: Runner, checking: bool) -> dict:
    """Read the host and say what is missing; raises InvalidValue where the site does not fit the host.

    In check mode the certificate may be missing: an earlier task would have brought it.
    """
    check_site_file(wanted.server, wanted.site)
    names_hash.check_names(wanted.server, wanted.site, wanted.server_names)
    unit = units.read_units([wanted.server.unit], runner)[wanted.server.unit]
    _check_unit(wanted.server, unit, [80, 443] if wanted.certificate else [80])
    if wanted.certificate and not (checking and not os.path.exists(wanted.certificate)):
        certificate.check_owners(wanted.certificate, wanted.key, wanted.user)
        certificate.check_certificate(wanted.certificate, wanted.key)
    web_server = accounts.read_account(servers.USER)
    upstreams.check_upstreams(wanted.upstreams, wanted.trusted, web_server)
    return {
        "packages": [] if os.path.exists(wanted.server.program) else [wanted.server.package],
        "directories": directories.wanted_directories(wanted, web_server),
        "media_links_from": directories.media_links_from(wanted),
        "upstreams": [bind.gunicorn_bind for bind in wanted.upstreams],
        "upstream_keepalive": wanted.upstream_keepalive,
        "websockets": wanted.websockets,
        "timeout": wanted.timeout,
        "max_body_size": wanted.max_body_size,
    }


def check_site_file(server: WebServer, site: str) -> None:
    """Raise InvalidValue where a file of the site's name was not made by the role."""
    path, link = server.site_file(site), server.site_link(site)
    expected = "a name that is free: {} was not made by this role; move it away, or choose another proxy_site"
    if os.path.lexists(path):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                ours = file.readline().startswith(servers.MARK)
        except OSError:
            ours = False
        if not ours:
            raise InvalidValue("proxy_site", site, expected.format(path))
    if os.path.lexists(link) and not os.path.islink(link):
        raise InvalidValue("proxy_site", site, expected.format(link))


def _check_unit(server: WebServer, unit: Unit, ports: list[int]) -> None:
    """Raise InvalidValue for a masked unit, and for a port that is taken.

    The server's own check does not see a taken port, which would end a running Apache.
    """
    if unit.masked:
        raise InvalidValue("proxy_server", server.title, f"a unit that is not masked (systemctl unmask {server.unit})")
    listening = (sockets.read_listening(unit.main_pid) if unit.main_pid else None) or []
    ours = {address.rpartition(":")[2] for address in listening}
    for port in ports:
        taken = host_listening.bind_error(socket.AF_INET, "0.0.0.0", port) == errno.EADDRINUSE
        if taken and str(port) not in ours:
            expected = f"port {port} free for it: another process listens there"
            raise InvalidValue("proxy_server", server.title, expected)
