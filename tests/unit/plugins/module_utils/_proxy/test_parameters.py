# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

GIVEN = {
    "state": "present",
    "server": "nginx",
    "site": "shop",
    "server_names": ["www.example.com"],
    "bind": [],
    "port": "8000",
    "user": "shop",
    "worker_class": "sync",
    "gunicorn_settings": {},
    "timeout": "auto",
    "max_body_size": "10M",
    "static_url": "/static/",
    "static_directory": "/var/cache/shop/static",
    "media_url": "/media/",
    "media_directory": "/var/opt/shop/media",
    "tls_certificate": "",
    "tls_key": "",
    "extra_config": "",
}
V4, V6 = Address(host="127.0.0.1", port=8000), Address(host="::1", port=8000)


def test_the_defaults_can_be_used() -> None:
    """What the role gives by default."""
    wanted = parameters.check_parameters(GIVEN, ipv6=True)
    assert wanted.upstreams == [V4, V6]
    assert (wanted.timeout, wanted.upstream_keepalive, wanted.max_body_size) == (60, 0, 10 << 20)
    assert wanted.directories == {
        "proxy_static_directory": "/var/cache/shop/static",
        "proxy_media_directory": "/var/opt/shop/media",
    }


@pytest.mark.parametrize(
    ("worker_class", "expected"),
    [("sync", False), ("gthread", False), ("asgi", True), ("tornado", True), ("uvicorn_worker.UvicornWorker", True)],
)
def test_websockets_are_passed_to_workers_that_may_speak_them(worker_class: str, expected: bool) -> None:
    """A WSGI application gets none, and a class that we don't know may."""
    assert parameters.check_parameters({**GIVEN, "worker_class": worker_class}, ipv6=True).websockets is expected


# One bad value for each parameter: what the message names, and what it says was expected. The hostile values that a
# check of another file refuses are in the tests of that file.
SITE = "a file's name for the site: letters, digits, '_', '-' and '.', and not that of the default site"
SERVER_NAME = "at least one host name that the site answers for, such as www.example.com, *.example.com or 192.0.2.1"
URL = "the beginning of a URL's path, with a slash at both ends, such as /static/"
PATH = "an absolute path without '.' and '..', control characters and any of $*?[]"
WIRING = [
    ({"site": "../shop"}, "proxy_site: '../shop'", SITE),
    ({"server_names": ["a b"]}, "proxy_server_names: 'a b'", SERVER_NAME),
    (
        {"bind": ["localhost:8000"]},
        "proxy_gunicorn['bind']: 'localhost:8000'",
        "an IPv4 address and a port (127.0.0.1:8000), an IPv6 address in brackets and a port ([::1]:8000), or a unix "
        "socket (unix:/run/project.sock, or a mapping with path, owner, group and mode)",
    ),
    ({"port": "http"}, "proxy_gunicorn['port']: 'http'", "a number from 1 to 65535"),
    (
        {"user": "a b"},
        "proxy_gunicorn['user']: 'a b'",
        "a user's or group's name: lower-case letters, digits, underscores and dashes, not a dash first",
    ),
    (
        {"worker_class": "no such"},
        "proxy_gunicorn['worker_class']: 'no such'",
        "one of sync, gthread, asgi, eventlet, gevent, gevent_pywsgi, gevent_wsgi, tornado, or the dotted path of a class",
    ),
    (
        {"gunicorn_settings": {"timeout": "long"}},
        "proxy_gunicorn['settings']['timeout']: 'long'",
        "a whole number of seconds",
    ),
    ({"timeout": "soon"}, "proxy_timeout: 'soon'", "auto or a number of seconds"),
    (
        {"max_body_size": "10"},
        "proxy_max_body_size: '10'",
        "a size of at least 1M, with its unit, such as 128M, 1.5G or 512MiB, or 0",
    ),
    ({"static_url": "/static"}, "proxy_static_url: '/static'", URL),
    ({"static_directory": "static"}, "proxy_static_directory: 'static'", PATH),
    ({"media_url": "media/"}, "proxy_media_url: 'media/'", URL),
    ({"media_directory": "/srv/$uri"}, "proxy_media_directory: '/srv/$uri'", PATH),
    ({"tls_certificate": "a.pem", "tls_key": "/a.key"}, "proxy_tls_certificate: 'a.pem'", PATH),
    ({"tls_certificate": "/a.pem", "tls_key": "a.key"}, "proxy_tls_key: 'a.key'", PATH),
    (
        {"extra_config": "a\0"},
        "proxy_extra_config: 'a\\x00'",
        "directives of the web server (a NUL character can't be passed to a process)",
    ),
]
# Their types are their checks.
UNCHECKED = {"state", "server"}


@pytest.mark.parametrize(("changed", "named", "expected"), WIRING, ids=[next(iter(row[0])) for row in WIRING])
def test_a_bad_value_is_refused_by_its_variable(changed: dict, named: str, expected: str) -> None:
    """One error: the role's variable, the value as it was given, and what was expected."""
    with pytest.raises(InvalidValue) as caught:
        parameters.check_parameters({**GIVEN, **changed}, ipv6=True)
    assert str(caught.value) == f"{named} can't be used: expected {expected}"


def test_every_parameter_has_its_check() -> None:
    """A new parameter needs a row here, or a reason above."""
    assert {name for changed, _named, _expected in WIRING for name in changed} == set(GIVEN) - UNCHECKED


@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"site": ""}, "proxy_project"),
        ({"site": "shop\n"}, "proxy_site"),
        ({"site": "default"}, "proxy_site"),
        ({"server": "apache", "site": "000-default"}, "proxy_site"),
        ({"server_names": []}, "proxy_server_names"),
        ({"server_names": ["www.example.com;"]}, "proxy_server_names"),
        ({"server_names": ["a." * 126 + "com"]}, "proxy_server_names"),
        ({"server_names": ["a\nServerAlias b"]}, "proxy_server_names"),
        ({"server_names": ["~^evil"]}, "proxy_server_names"),
        ({"server_names": ["*.example.com"]}, "proxy_server_names"),
        ({"server_names": ["www.example.com", "www.*.com"]}, "proxy_server_names"),
        ({"static_url": "static/"}, "proxy_static_url"),
        ({"static_url": "/"}, "proxy_static_url"),
        ({"static_url": "/a/../b/"}, "proxy_static_url"),
        ({"static_url": "/a {/"}, "proxy_static_url"),
        ({"media_url": "/static/"}, "proxy_media_url"),
        ({"static_directory": "/"}, "proxy_static_directory"),
        ({"static_directory": "/srv/../etc"}, "proxy_static_directory"),
        ({"media_directory": "/srv/a\nb"}, "proxy_media_directory"),
        ({"tls_certificate": "/etc/ssl/a.pem"}, "proxy_tls_key"),
        ({"tls_key": "/etc/ssl/a.key"}, "proxy_tls_certificate"),
        ({"gunicorn_settings": {"certfile": "/a.pem"}}, "proxy_gunicorn['settings']['certfile']"),
        ({"gunicorn_settings": {"proxy_protocol": True}}, "proxy_gunicorn['settings']['proxy_protocol']"),
        ({"gunicorn_settings": {"protocol": "uwsgi"}}, "proxy_gunicorn['settings']['protocol']"),
    ],
)
def test_what_else_can_not_be_used_is_named(changed: dict, variable: str) -> None:
    """Hostile values, and values that do not go together."""
    with pytest.raises(InvalidValue) as caught:
        parameters.check_parameters({**GIVEN, **changed}, ipv6=True)
    assert caught.value.variable == variable


@pytest.mark.parametrize(
    "name", ["www.example.com", "localhost", "192.0.2.1", "xn--bcher-kva.example", "a_b.example.com"]
)
def test_server_names_that_can_be_used(name: str) -> None:
    """Names and IPv4 addresses, and after the first also patterns."""
    parameters.check_parameters({**GIVEN, "server_names": [name, "*.example.com"]}, ipv6=True)
