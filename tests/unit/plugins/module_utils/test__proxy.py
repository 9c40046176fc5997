# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _hoststate, _proxy, _web_servers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._binds import Bind
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

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
V4, V6 = Bind(host="127.0.0.1", port=8000), Bind(host="::1", port=8000)
# Somebody who is neither the owner of what the tests make nor in its group
STRANGER = _hoststate.Account(os.getuid() + 1, os.getgid() + 1, (os.getgid() + 1,))
OWNER = _hoststate.Account(os.getuid(), os.getgid(), (os.getgid(),))


def test_the_defaults_can_be_used() -> None:
    """What the role gives by default."""
    wanted = _proxy.check_parameters(GIVEN, ipv6=True)
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
        _proxy.check_parameters({**GIVEN, **changed}, ipv6=True)
    assert caught.value.variable == variable


@pytest.mark.parametrize(
    "name", ["www.example.com", "localhost", "192.0.2.1", "xn--bcher-kva.example", "a_b.example.com"]
)
def test_server_names_that_can_be_used(name: str) -> None:
    """Names and IPv4 addresses, and after the first also patterns."""
    _proxy.check_parameters({**GIVEN, "server_names": [name, "*.example.com"]}, ipv6=True)


@pytest.mark.parametrize(
    ("binds", "upstreams"),
    [
        ([], [V4, V6]),
        (
            ["127.0.0.1:8000", "unix:/run/shop.sock"],
            [Bind(path="/run/shop.sock", owner="root", group="root", mode="0660")],
        ),
        (["192.0.2.1:8000", "127.0.0.1:8000"], [V4]),
        (["0.0.0.0:8000", "[::]:8000"], [V4, V6]),
        (["192.0.2.1:8000"], [Bind(host="192.0.2.1", port=8000)]),
    ],
)
def test_the_nearest_address_is_used(binds: list, upstreams: list) -> None:
    """A unix socket, else the loopback addresses, else what there is."""
    assert _proxy.choose_upstreams(binds, "8000", ipv6=True) == upstreams


def test_a_host_without_ipv6() -> None:
    """It has no ::1 to connect to."""
    assert _proxy.choose_upstreams([], "8000", ipv6=False) == [V4]


@pytest.mark.parametrize("trusted", ["127.0.0.1,::1", "127.0.0.0/8, ::1", "::1,127.0.0.1,192.0.2.1"])
def test_gunicorn_trusts_the_web_server(trusted: str) -> None:
    """By addresses or networks."""
    _proxy.check_trust(["127.0.0.1", "::1"], trusted)


@pytest.mark.parametrize("trusted", ["*", "127.0.0.1,*", "127.0.0.1", "", "192.0.2.1", None, "localhost"])
def test_gunicorn_trusts_everybody_or_not_the_web_server(trusted: object) -> None:
    """Then Django would take a client's word for the scheme, or not see it at all."""
    with pytest.raises(InvalidValue, match="forwarded_allow_ips.*127.0.0.1,::1"):
        _proxy.check_trust(["127.0.0.1", "::1"], trusted)


@pytest.mark.parametrize(
    ("given", "settings", "seconds"),
    [
        ("auto", {}, 60),
        ("auto", {"timeout": 120}, 150),
        ("auto", {"timeout": "120", "graceful_timeout": 10}, 130),
        ("auto", {"timeout": 0}, 86400),
        ("45", {"timeout": 120}, 45),
    ],
)
def test_gunicorn_is_the_first_to_give_up(given: str, settings: dict, seconds: int) -> None:
    """Unless the user wants it otherwise."""
    assert _proxy.response_timeout(given, settings) == seconds


@pytest.mark.parametrize(
    ("worker_class", "settings", "seconds"),
    [
        ("sync", {"keepalive": 75}, 0),
        ("gunicorn.workers.sync.SyncWorker", {}, 0),
        ("gthread", {}, 1),
        ("gthread", {"keepalive": 75}, 74),
        ("gevent", {"keepalive": 1}, 0),
        ("gthread", {"keepalive": 0}, 0),
    ],
)
def test_idle_connections_are_closed_before_gunicorn_does(worker_class: str, settings: dict, seconds: int) -> None:
    """And never kept where the worker class does not."""
    assert _proxy.upstream_keepalive(worker_class, settings) == seconds


# What is there


def key_and_certificate(folder: Path, name: str, passphrase: bytes | None = None) -> tuple[str, str]:
    """Files of a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    certificate = builder.serial_number(1).not_valid_before(now).not_valid_after(now.replace(year=2027))
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(encoding))
    paths[1].write_bytes(key.private_bytes(encoding, private, encryption))
    return str(paths[0]), str(paths[1])


def test_a_certificate_needs_its_own_key(tmp_path: Path) -> None:
    """A file that is not there, another's key, one with a passphrase and no certificate at all are refused."""
    certificate, key = key_and_certificate(tmp_path, "shop")
    _another, others_key = key_and_certificate(tmp_path, "another")
    locked, locked_key = key_and_certificate(tmp_path, "locked", b"secret")
    _proxy.check_certificate(certificate, key)
    for pair, variable in {
        (certificate, others_key): "proxy_tls_certificate",
        (locked, locked_key): "proxy_tls_certificate",
        (key, key): "proxy_tls_certificate",
        (certificate, f"{key}.gone"): "proxy_tls_key",
        (str(tmp_path), key): "proxy_tls_certificate",
    }.items():
        with pytest.raises(InvalidValue) as caught:
            _proxy.check_certificate(*pair)
        assert caught.value.variable == variable


def test_a_socket_that_the_web_server_can_not_open(tmp_path: Path) -> None:
    """One that is not there yet may become one that it can."""
    path = tmp_path / "shop.sock"
    _proxy.check_socket(str(path), STRANGER)
    path.touch(mode=0o660)
    _proxy.check_socket(str(path), OWNER)
    with pytest.raises(InvalidValue, match="group: www-data"):
        _proxy.check_socket(str(path), STRANGER)


def server_in(folder: Path) -> _web_servers.WebServer:
    """An nginx whose sites stand elsewhere."""
    for name in ("sites-available", "sites-enabled"):
        (folder / name).mkdir()
    return _web_servers.SERVERS["nginx"]._replace(folder=str(folder))


def test_a_site_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    """Nor a file where a link would be; one that the role made is its own."""
    server = server_in(tmp_path)
    _proxy.check_site_file(server, "shop")
    file, link = Path(server.site_file("shop")), Path(server.site_link("shop"))
    file.write_text(f"{_proxy.MARK}: what is changed here is lost.\n")
    link.symlink_to("../sites-available/shop")
    _proxy.check_site_file(server, "shop")
    link.unlink()
    link.write_text("server {}\n")
    with pytest.raises(InvalidValue, match="sites-enabled/shop was not made by this role"):
        _proxy.check_site_file(server, "shop")
    file.write_text("server {}\n")
    with pytest.raises(InvalidValue, match="sites-available/shop was not made by this role"):
        _proxy.check_site_file(server, "shop")


def test_the_mark_is_the_first_line_of_the_templates() -> None:
    """By it the role knows its own files."""
    templates = Path(__file__).parents[4] / "roles/proxy/templates"
    assert all(path.read_text().startswith(_proxy.MARK) for path in templates.glob("*.j2"))
