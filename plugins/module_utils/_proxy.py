# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site of a web server in front of Gunicorn, worked out before anything is changed.

Source of the layout: the book "Deploying Django on a single Debian or Ubuntu server".
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import ssl
import stat
from typing import Callable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils import (
    _binds,
    _hoststate,
    _quoting,
    _sizing,
    _sockets,
    _validation,
    _web_quoting,
    _web_servers,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_SERVER_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*\Z")
_URL_PREFIX = re.compile(r"(/[A-Za-z0-9_.~-]+)+/\Z")
# Gunicorn's own defaults, see its settings timeout, graceful_timeout, keepalive and forwarded_allow_ips
_TIMEOUT = _GRACEFUL_TIMEOUT = 30
_KEEPALIVE = 2
_TRUSTED = "127.0.0.1,::1"
# Where Gunicorn never gives up, neither side shall.
_NEVER = 86400
_BIND = "proxy_gunicorn['bind']"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Wanted(NamedTuple):
    """A site's parameters after their checks; sizes in bytes, times in seconds."""

    server: _web_servers.WebServer
    site: str
    upstreams: list[_binds.Bind]
    trusted: object
    upstream_keepalive: int
    timeout: int
    max_body_size: int
    certificate: str
    key: str
    user: str
    directories: dict[str, str]


def check_server(given: dict) -> tuple[_web_servers.WebServer, str]:
    """Check what a site is found by, which is all that its removal needs; raises InvalidValue."""
    server = _web_servers.SERVERS[given["server"]]
    # By default the site has the project's name, and the error is to name what is lacking.
    variable = "proxy_project" if not given["site"] else "proxy_site"
    if not _SITE.match(given["site"]) or given["site"] == server.default_site:
        expected = "a file's name for the site: letters, digits, '_', '-' and '.', and not that of the default site"
        raise InvalidValue(variable, given["site"], expected)
    return server, given["site"]


def check_parameters(given: dict, ipv6: bool) -> Wanted:
    """Check every parameter that needs more than a type; raises InvalidValue for the first that can't be used."""
    server, site = check_server(given)
    _check_server_names(given["server_names"])
    settings = given["gunicorn_settings"]
    _check_settings(settings)
    urls = {}
    for kind in ("static", "media"):
        urls[f"proxy_{kind}_url"] = check_url_prefix(f"proxy_{kind}_url", given[f"{kind}_url"])
    if len(set(urls.values())) < len(urls):
        raise InvalidValue("proxy_media_url", given["media_url"], "another URL than proxy_static_url")
    if bool(given["tls_certificate"]) != bool(given["tls_key"]):
        missing = "proxy_tls_key" if given["tls_certificate"] else "proxy_tls_certificate"
        raise InvalidValue(missing, "", "a file's path, as the other of the two is given")
    _check_text(given["extra_config"])
    return Wanted(
        server=server,
        site=site,
        upstreams=choose_upstreams(given["bind"], given["port"], ipv6),
        trusted=settings.get("forwarded_allow_ips", _TRUSTED),
        upstream_keepalive=upstream_keepalive(given["worker_class"], settings),
        timeout=response_timeout(given["timeout"], settings),
        max_body_size=_sizing.parse_size("proxy_max_body_size", given["max_body_size"], zero_allowed=True),
        certificate=_check_optional_path("proxy_tls_certificate", given["tls_certificate"]),
        key=_check_optional_path("proxy_tls_key", given["tls_key"]),
        user=_validation.check_name("proxy_gunicorn['user']", given["user"]),
        directories={
            f"proxy_{kind}_directory": path
            for kind in ("static", "media")
            if (path := _check_optional_path(f"proxy_{kind}_directory", given[f"{kind}_directory"]))
        },
    )


def _check_server_names(names: list[str]) -> None:
    expected = "at least one host name that the site answers for, such as www.example.com, *.example.com or 192.0.2.1"
    if not names:
        raise InvalidValue("proxy_server_names", names, expected)
    for name in names:
        if not _SERVER_NAME.match(name):
            raise InvalidValue("proxy_server_names", name, expected)
    if names[0].startswith("*"):
        raise InvalidValue("proxy_server_names", names[0], "a name without an asterisk first, which is the site's own")


def check_url_prefix(variable: str, value: str) -> str:
    """The beginning of URLs: a location without its last slash would let "/static../" out of the directory."""
    if not _URL_PREFIX.match(value) or {".", ".."} & set(value.split("/")):
        raise InvalidValue(
            variable, value, "the beginning of a URL's path, with a slash at both ends, such as /static/"
        )
    return value


def _check_optional_path(variable: str, value: str) -> str:
    if not value:
        return ""
    path = value.rstrip("/")
    expected = "an absolute path without '.' and '..', control characters and any of $*?[]"
    try:
        _web_quoting.checked(path)
    except ValueError:
        raise InvalidValue(variable, value, expected) from None
    if not path.startswith("/") or {"", ".", ".."} & set(path.split("/")[1:]):
        raise InvalidValue(variable, value, expected)
    return path


def _check_text(value: str) -> None:
    try:
        _quoting.checked(value)
    except ValueError as error:
        raise InvalidValue("proxy_extra_config", value, f"directives of the web server ({error})") from None


def _check_settings(settings: dict) -> None:
    """Refuse what makes Gunicorn speak something else than plain HTTP."""
    for name in ("certfile", "proxy_protocol"):
        if settings.get(name) not in (None, "", False, "off"):
            expected = "no such setting, as the web server speaks plain HTTP to Gunicorn"
            raise InvalidValue(f"proxy_gunicorn['settings']['{name}']", settings[name], expected)
    if settings.get("protocol", "http") != "http":
        raise InvalidValue(
            "proxy_gunicorn['settings']['protocol']", settings["protocol"], "http, which the web server speaks"
        )


def choose_upstreams(values: list, port: str, ipv6: bool) -> list[_binds.Bind]:
    """Which of Gunicorn's addresses the web server of the same host uses: the nearest of them.

    A unix socket is one; else it is the loopback addresses, those that Gunicorn trusts by default; else all.
    """
    try:
        # Who owns a socket is the role gunicorn's to say; whether the web server may open it is asked of the file.
        binds = _binds.parse_binds(values, "root", "root") if values else _default_binds(port, ipv6)
    except InvalidValue as error:
        key = error.variable.partition("_")[2]
        raise InvalidValue(f"proxy_gunicorn['{key}']", error.value, error.expected) from None
    sockets = [bind for bind in binds if bind.path is not None]
    if sockets:
        return sockets[:1]
    reached = [_binds.Bind(host=_ANY.get(bind.host or "", bind.host), port=bind.port) for bind in binds]
    loopback = [bind for bind in reached if ipaddress.ip_address(bind.host or "").is_loopback]
    return list(dict.fromkeys(loopback or reached))


def _default_binds(port: str, ipv6: bool) -> list[_binds.Bind]:
    if not re.match(r"[1-9][0-9]{0,4}\Z", port):
        raise InvalidValue("gunicorn_port", port, "a number from 1 to 65535")
    return _binds.default_binds(int(port), ipv6)


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


def response_timeout(given: str, settings: dict) -> int:
    """Seconds that the web server waits for an answer.

    Gunicorn shall be the first to give up, as it ends the worker and says why: a request may wait for one that is
    being finished, for graceful_timeout, before it has its own timeout.
    """
    if given != "auto":
        if not re.match(r"[1-9][0-9]{0,6}\Z", given):
            raise InvalidValue("proxy_timeout", given, "auto or a number of seconds")
        return int(given)
    timeout = _whole(settings, "timeout", _TIMEOUT)
    return timeout + _whole(settings, "graceful_timeout", _GRACEFUL_TIMEOUT) if timeout else _NEVER


def upstream_keepalive(worker_class: str, settings: dict) -> int:
    """Seconds for which an idle connection to Gunicorn is kept, 0 for none.

    The web server has to be the first to close it, or its next request would meet Gunicorn's closing.
    """
    _sizing.check_worker_class("proxy_gunicorn['worker_class']", worker_class)
    if _sizing.is_sync(worker_class):
        return 0
    return max(_whole(settings, "keepalive", _KEEPALIVE) - 1, 0)


def _whole(settings: dict, name: str, default: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidValue(f"proxy_gunicorn['settings']['{name}']", value, "a whole number of seconds")
    return value


# What is there


def make_plan(wanted: Wanted, run: Callable[[list[str]], str], checking: bool) -> dict:
    """Read the host and say what is missing; raises InvalidValue where the two can't meet.

    In check mode files may be missing that an earlier task would have brought.
    """
    check_site_file(wanted.server, wanted.site)
    unit = _hoststate.read_units([wanted.server.unit], run)[wanted.server.unit]
    _check_unit(wanted.server, unit, [80, 443] if wanted.certificate else [80])
    if wanted.certificate and not (checking and not os.path.exists(wanted.certificate)):
        check_certificate(wanted.certificate, wanted.key)
    account = _hoststate.read_account(_web_servers.USER)
    _check_upstreams(wanted, account)
    return {
        "packages": [] if os.path.exists(wanted.server.program) else [wanted.server.package],
        "directories": wanted_directories(wanted, account),
        "upstreams": [bind.gunicorn_bind for bind in wanted.upstreams],
        "upstream_keepalive": wanted.upstream_keepalive,
        "timeout": wanted.timeout,
        "max_body_size": wanted.max_body_size,
    }


def _check_unit(server: _web_servers.WebServer, unit: _hoststate.Unit, ports: list[int]) -> None:
    """Find out now what the server's own check does not see, and what would end a running Apache: a port is taken."""
    if unit.masked:
        raise InvalidValue("proxy_server", server.title, f"a unit that is not masked (systemctl unmask {server.unit})")
    listening = (_sockets.read_listening(unit.main_pid) if unit.main_pid else None) or []
    ours = {address.rpartition(":")[2] for address in listening}
    for port in ports:
        taken = _hoststate.bind_error(socket.AF_INET, "0.0.0.0", port) == errno.EADDRINUSE
        if taken and str(port) not in ours:
            expected = f"port {port} free for it: another process listens there"
            raise InvalidValue("proxy_server", server.title, expected)


MARK = "# Managed by Ansible (role pyweb.gunicorn.proxy)"


def check_site_file(server: _web_servers.WebServer, site: str) -> None:
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


def _check_upstreams(wanted: Wanted, account: _hoststate.Account | None) -> None:
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
        if bind.host and _hoststate.bind_error(bind.family, bind.host, 0) != errno.EADDRNOTAVAIL
    ]
    check_trust(peers, wanted.trusted)


def check_socket(path: str, account: _hoststate.Account) -> None:
    """Raise InvalidValue where the web server's workers can't open a socket that is there."""
    try:
        status = os.stat(path)
    except OSError:
        return  # not there yet
    if not _allows(status, account, 0o2):
        example = f"gunicorn_bind: [{{path: {path}, group: {_web_servers.USER}}}]"
        raise InvalidValue(_BIND, path, f"a unix socket that {_web_servers.USER} may open ({example})")


def _allows(status: os.stat_result, account: _hoststate.Account, wanted: int) -> bool:
    """Whether the mode gives an account these permissions: 4 to read, 2 to write, 1 to enter or execute."""
    if status.st_uid == account.uid:
        wanted <<= 6
    elif status.st_gid in account.groups:
        wanted <<= 3
    return stat.S_IMODE(status.st_mode) & wanted == wanted


def wanted_directories(wanted: Wanted, account: _hoststate.Account | None) -> list[dict]:
    """The directories of static and media files to make, and those above to let the web server through.

    Static files are root's, who collects them. Media are the service's, in the web server's group by the setgid bit:
    the service's umask keeps others out, and the group of the service stays its own.
    """
    result: list[dict] = []
    service = _hoststate.read_account(wanted.user)
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
        owner, group, mode = (wanted.user, _web_servers.USER, "2750") if media else ("root", "root", "0755")
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
    account: _hoststate.Account,
    service: _hoststate.Account | None,
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
                variable, path, f"a directory that {_web_servers.USER} can {action}: {folder} does not let it"
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
