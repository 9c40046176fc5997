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
    ("changed", "variable"),
    [
        ({"site": ""}, "proxy_project"),
        ({"site": "../shop"}, "proxy_site"),
        ({"site": "shop\n"}, "proxy_site"),
        ({"site": "default"}, "proxy_site"),
        ({"server": "apache", "site": "000-default"}, "proxy_site"),
        ({"server_names": []}, "proxy_server_names"),
        ({"server_names": ["www.example.com;"]}, "proxy_server_names"),
        ({"server_names": ["a b"]}, "proxy_server_names"),
        ({"server_names": ["a\nServerAlias b"]}, "proxy_server_names"),
        ({"server_names": ["~^evil"]}, "proxy_server_names"),
        ({"server_names": ["*.example.com"]}, "proxy_server_names"),
        ({"server_names": ["www.example.com", "www.*.com"]}, "proxy_server_names"),
        ({"bind": ["localhost:8000"]}, "proxy_gunicorn['bind']"),
        ({"port": "0"}, "proxy_gunicorn['port']"),
        ({"port": "http"}, "proxy_gunicorn['port']"),
        ({"user": "a b"}, "proxy_gunicorn['user']"),
        ({"worker_class": "no such"}, "proxy_gunicorn['worker_class']"),
        ({"timeout": "soon"}, "proxy_timeout"),
        ({"timeout": "0"}, "proxy_timeout"),
        ({"timeout": "60s; deny all"}, "proxy_timeout"),
        ({"max_body_size": "10"}, "proxy_max_body_size"),
        ({"max_body_size": "10M; deny all"}, "proxy_max_body_size"),
        ({"static_url": "/static"}, "proxy_static_url"),
        ({"static_url": "static/"}, "proxy_static_url"),
        ({"static_url": "/"}, "proxy_static_url"),
        ({"static_url": "/a/../b/"}, "proxy_static_url"),
        ({"static_url": "/a {/"}, "proxy_static_url"),
        ({"media_url": "/static/"}, "proxy_media_url"),
        ({"static_directory": "static"}, "proxy_static_directory"),
        ({"static_directory": "/"}, "proxy_static_directory"),
        ({"static_directory": "/srv/../etc"}, "proxy_static_directory"),
        ({"media_directory": "/srv/$uri"}, "proxy_media_directory"),
        ({"media_directory": "/srv/a\nb"}, "proxy_media_directory"),
        ({"tls_certificate": "/etc/ssl/a.pem"}, "proxy_tls_key"),
        ({"tls_key": "/etc/ssl/a.key"}, "proxy_tls_certificate"),
        ({"tls_certificate": "a.pem", "tls_key": "/a.key"}, "proxy_tls_certificate"),
        ({"extra_config": "a\0"}, "proxy_extra_config"),
        ({"gunicorn_settings": {"timeout": "long"}}, "proxy_gunicorn['settings']['timeout']"),
        ({"gunicorn_settings": {"graceful_timeout": -1}}, "proxy_gunicorn['settings']['graceful_timeout']"),
        ({"gunicorn_settings": {"certfile": "/a.pem"}}, "proxy_gunicorn['settings']['certfile']"),
        ({"gunicorn_settings": {"proxy_protocol": True}}, "proxy_gunicorn['settings']['proxy_protocol']"),
        ({"gunicorn_settings": {"protocol": "uwsgi"}}, "proxy_gunicorn['settings']['protocol']"),
    ],
)
def test_what_can_not_be_used_is_named(changed: dict, variable: str) -> None:
    """One error, which names the role's variable."""
    with pytest.raises(InvalidValue) as caught:
        parameters.check_parameters({**GIVEN, **changed}, ipv6=True)
    assert caught.value.variable == variable


@pytest.mark.parametrize(
    "name", ["www.example.com", "localhost", "192.0.2.1", "xn--bcher-kva.example", "a_b.example.com"]
)
def test_server_names_that_can_be_used(name: str) -> None:
    """Names and IPv4 addresses, and after the first also patterns."""
    parameters.check_parameters({**GIVEN, "server_names": [name, "*.example.com"]}, ipv6=True)
