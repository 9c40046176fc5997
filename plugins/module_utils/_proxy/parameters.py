# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site of a web server in front of Gunicorn, worked out before anything is changed.

Source of the layout: the book "Deploying Django on a single Debian or Ubuntu server".
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import quoting, servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses, checks, text, worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

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
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class ProxyParameters(NamedTuple):
    """A site's parameters after their checks; sizes in bytes, times in seconds."""

    server: WebServer
    site: str
    upstreams: list[Address]
    trusted: object
    upstream_keepalive: int
    timeout: int
    max_body_size: int
    certificate: str
    key: str
    user: str
    directories: dict[str, str]


def check_server(given: dict) -> tuple[WebServer, str]:
    """Check what a site is found by, which is all that its removal needs; raises InvalidValue."""
    server = servers.SERVERS[given["server"]]
    # By default the site has the project's name, and the error is to name what is lacking.
    variable = "proxy_project" if not given["site"] else "proxy_site"
    if not _SITE.match(given["site"]) or given["site"] == server.default_site:
        expected = "a file's name for the site: letters, digits, '_', '-' and '.', and not that of the default site"
        raise InvalidValue(variable, given["site"], expected)
    return server, given["site"]


def check_parameters(given: dict, ipv6: bool) -> ProxyParameters:
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
    return ProxyParameters(
        server=server,
        site=site,
        upstreams=choose_upstreams(given["bind"], given["port"], ipv6),
        trusted=settings.get("forwarded_allow_ips", _TRUSTED),
        upstream_keepalive=upstream_keepalive(given["worker_class"], settings),
        timeout=response_timeout(given["timeout"], settings),
        max_body_size=checks.parse_size("proxy_max_body_size", given["max_body_size"], zero_allowed=True),
        certificate=_check_optional_path("proxy_tls_certificate", given["tls_certificate"]),
        key=_check_optional_path("proxy_tls_key", given["tls_key"]),
        user=checks.check_name("proxy_gunicorn['user']", given["user"]),
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
        quoting.checked(path)
    except ValueError:
        raise InvalidValue(variable, value, expected) from None
    if not path.startswith("/") or {"", ".", ".."} & set(path.split("/")[1:]):
        raise InvalidValue(variable, value, expected)
    return path


def _check_text(value: str) -> None:
    try:
        text.checked(value)
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


def choose_upstreams(values: list, port: str, ipv6: bool) -> list[Address]:
    """Which of Gunicorn's addresses the web server of the same host uses: the nearest of them.

    A unix socket is one; else it is the loopback addresses, those that Gunicorn trusts by default; else all.
    """
    try:
        # Who owns a socket is the role gunicorn's to say; whether the web server may open it is asked of the file.
        binds = addresses.parse_binds(values, "root", "root") if values else _default_binds(port, ipv6)
    except InvalidValue as error:
        key = error.variable.partition("_")[2]
        raise InvalidValue(f"proxy_gunicorn['{key}']", error.value, error.expected) from None
    sockets = [bind for bind in binds if bind.path is not None]
    if sockets:
        return sockets[:1]
    reached = [Address(host=_ANY.get(bind.host or "", bind.host), port=bind.port) for bind in binds]
    loopback = [bind for bind in reached if ipaddress.ip_address(bind.host or "").is_loopback]
    return list(dict.fromkeys(loopback or reached))


def _default_binds(port: str, ipv6: bool) -> list[Address]:
    if not re.match(r"[1-9][0-9]{0,4}\Z", port):
        raise InvalidValue("gunicorn_port", port, "a number from 1 to 65535")
    return addresses.default_binds(int(port), ipv6)


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
    worker_classes.check_worker_class("proxy_gunicorn['worker_class']", worker_class)
    if worker_classes.is_sync(worker_class):
        return 0
    return max(_whole(settings, "keepalive", _KEEPALIVE) - 1, 0)


def _whole(settings: dict, name: str, default: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidValue(f"proxy_gunicorn['settings']['{name}']", value, "a whole number of seconds")
    return value
