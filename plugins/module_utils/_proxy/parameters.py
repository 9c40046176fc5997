# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the values that a site is given, one by one and against each other."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import quoting, servers, timeouts, upstreams
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks, sizes, text, worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_SERVER_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*\Z")
_NAME_MAX = 253  # of a name in the DNS, see RFC 1035
_URL_PREFIX = re.compile(r"(/[A-Za-z0-9_.~-]+)+/\Z")


class ProxyParameters(NamedTuple):
    """A site's parameters after their checks; sizes in bytes, times in seconds."""

    server: WebServer
    site: str
    server_names: list[str]
    upstreams: list[Address]
    trusted: object
    upstream_keepalive: int
    websockets: bool
    timeout: int
    max_body_size: int
    certificate: str
    key: str
    user: str
    directories: dict[str, str]


def check_parameters(given: dict, ipv6: bool) -> ProxyParameters:
    """Check every parameter that needs more than a type; raises InvalidValue for the first that can't be used."""
    server, site = check_server(given)
    _check_server_names(given["server_names"])
    settings = given["gunicorn_settings"]
    _check_settings(settings)
    _check_urls(given["static_url"], given["media_url"])
    _check_pair(given["tls_certificate"], given["tls_key"])
    _check_text(given["extra_config"])
    return ProxyParameters(
        server=server,
        site=site,
        server_names=given["server_names"],
        upstreams=upstreams.choose_upstreams(given["bind"], given["port"], ipv6),
        trusted=settings.get("forwarded_allow_ips", upstreams.TRUSTED),
        upstream_keepalive=timeouts.upstream_keepalive(given["worker_class"], settings),
        websockets=worker_classes.is_async(given["worker_class"]),
        timeout=timeouts.response_timeout(given["timeout"], settings),
        max_body_size=sizes.parse_size("proxy_max_body_size", given["max_body_size"], zero_allowed=True),
        certificate=_check_optional_path("proxy_tls_certificate", given["tls_certificate"]),
        key=_check_optional_path("proxy_tls_key", given["tls_key"]),
        user=checks.check_name("proxy_gunicorn['user']", given["user"]),
        directories={
            f"proxy_{kind}_directory": path
            for kind in ("static", "media")
            if (path := _check_optional_path(f"proxy_{kind}_directory", given[f"{kind}_directory"]))
        },
    )


def check_server(given: dict) -> tuple[WebServer, str]:
    """Check the web server and the site's name, which is all that a removal needs; raises InvalidValue."""
    server = servers.SERVERS[given["server"]]
    # By default the site has the project's name: an empty one means that proxy_project is missing.
    variable = "proxy_project" if not given["site"] else "proxy_site"
    if not _SITE.match(given["site"]) or given["site"] == server.default_site:
        expected = "a file's name for the site: letters, digits, '_', '-' and '.', and not that of the default site"
        raise InvalidValue(variable, given["site"], expected)
    return server, given["site"]


def _check_server_names(names: list[str]) -> None:
    expected = "at least one host name that the site answers for, such as www.example.com, *.example.com or 192.0.2.1"
    if not names:
        raise InvalidValue("proxy_server_names", names, expected)
    for name in names:
        if not _SERVER_NAME.match(name) or len(name) > _NAME_MAX:
            raise InvalidValue("proxy_server_names", name, expected)
    if names[0].startswith("*"):
        raise InvalidValue("proxy_server_names", names[0], "a name without an asterisk first, which is the site's own")


def _check_settings(settings: dict) -> None:
    """Refuse settings with which Gunicorn would not speak plain HTTP."""
    for name in ("certfile", "proxy_protocol"):
        if settings.get(name) not in (None, "", False, "off"):
            expected = "no such setting, as the web server speaks plain HTTP to Gunicorn"
            raise InvalidValue(f"proxy_gunicorn['settings']['{name}']", settings[name], expected)
    if settings.get("protocol", "http") != "http":
        raise InvalidValue(
            "proxy_gunicorn['settings']['protocol']", settings["protocol"], "http, which the web server speaks"
        )


def _check_urls(static: str, media: str) -> None:
    _check_url_prefix("proxy_static_url", static)
    _check_url_prefix("proxy_media_url", media)
    if static == media:
        raise InvalidValue("proxy_media_url", media, "another URL than proxy_static_url")


def _check_url_prefix(variable: str, value: str) -> None:
    # Without the last slash, a location would let "/static../" out of the directory.
    if not _URL_PREFIX.match(value) or {".", ".."} & set(value.split("/")):
        raise InvalidValue(
            variable, value, "the beginning of a URL's path, with a slash at both ends, such as /static/"
        )


def _check_pair(certificate: str, key: str) -> None:
    if bool(certificate) != bool(key):
        missing = "proxy_tls_key" if certificate else "proxy_tls_certificate"
        raise InvalidValue(missing, "", "a file's path, as the other of the two is given")


def _check_text(value: str) -> None:
    try:
        text.checked(value)
    except ValueError as error:
        raise InvalidValue("proxy_extra_config", value, f"directives of the web server ({error})") from None


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
