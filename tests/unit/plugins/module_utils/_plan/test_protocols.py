# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import protocols
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.protocols import Protocols
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

LOCAL, OUTER, UNIX = Address("127.0.0.1", 8000), Address("192.0.2.5", 80), Address(path="/run/shop.sock")
TLS = {"certfile": "/etc/x.crt", "keyfile": "/etc/x.key"}
H2C = {"http_protocols": "h2, h1", "http2_cleartext": "prior-knowledge"}


def spoken(
    settings: dict, binds: tuple = (LOCAL,), worker_class: str = "gthread", environment: dict | None = None
) -> Protocols:
    return protocols.of_service(settings, worker_class, "4", environment or {}, list(binds))


@pytest.mark.parametrize(
    "settings",
    [{}, {"timeout": 3}, {"proxy_protocol": "off"}, {"proxy_protocol": False}, {"protocol": None, "certfile": ""},
     {"http_protocols": "h1"}, {"http_protocols": "h2", "http2_cleartext": "upgrade"}, {"http_protocols": "h2"}],
)  # fmt: skip
def test_http_as_ever(settings: dict) -> None:
    """Nothing is said of an address on which HTTP/1.1 is answered."""
    assert spoken(settings) == Protocols({}, [])


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        (TLS, ["tls"]),
        ({"certfile": "/both.pem", "cert_reqs": 1}, ["tls"]),
        ({**TLS, "http_protocols": "h2,h1"}, ["tls", "h2"]),
        ({"proxy_protocol": True}, ["proxy-v1"]),
        ({"proxy_protocol": " Auto"}, ["proxy-v1"]),
        ({"proxy_protocol": "v2"}, ["proxy-v2"]),
        (H2C, ["h2"]),
        ({**H2C, "http2_cleartext": "both", "proxy_protocol": "v1"}, ["proxy-v1", "h2"]),
        ({"protocol": "uwsgi"}, ["uwsgi"]),
        ({**TLS, "protocol": "uwsgi", "http_protocols": "h2"}, ["tls", "uwsgi"]),
    ],
)
def test_what_is_spoken(settings: dict, layers: list) -> None:
    """What Gunicorn takes from this host, from the outside inwards, and nothing is left unproved."""
    assert spoken(settings) == Protocols({"127.0.0.1:8000": layers}, [])


@pytest.mark.parametrize(
    ("settings", "inside", "outside", "unproved"),
    [
        ({"proxy_protocol": "v1"}, ["proxy-v1"], None, "that the PROXY line of your balancer is accepted"),
        (H2C, ["h2"], None, "that HTTP/2 is answered"),
        ({"protocol": "uwsgi"}, ["uwsgi"], ["tcp"], "what visitors are answered"),
    ],
)
def test_those_who_are_not_believed(settings: dict, inside: list, outside: list | None, unproved: str) -> None:
    """From an address that Gunicorn does not believe, its answer to others is asked for, and a warning says so."""
    by_bind, warnings = spoken(settings, (LOCAL, OUTER, UNIX))
    assert by_bind.get("127.0.0.1:8000") == by_bind.get("unix:/run/shop.sock") == inside
    assert by_bind.get("192.0.2.5:80") == outside
    [warning] = warnings
    assert "from which the health request comes to 192.0.2.5:80. Not proved is " + unproved in warning
    name = {"protocol": "uwsgi_allow_ips", "proxy_protocol": "proxy_allow_ips"}
    allowing = name.get(next(iter(settings)), "forwarded_allow_ips")
    assert spoken({**settings, allowing: "*"}, (OUTER,)).warnings == []
    assert spoken({**settings, allowing: "198.51.100.1, 192.0.2.5"}, (OUTER,)).by_bind == {"192.0.2.5:80": inside}


def test_a_list_in_the_environment() -> None:
    """Gunicorn takes its default from there."""
    assert spoken(H2C, (OUTER,), environment={"FORWARDED_ALLOW_IPS": "192.0.2.0/24"}).by_bind == {
        "192.0.2.5:80": ["h2"]
    }
    assert spoken(H2C, (Address("0.0.0.0", 80),)).by_bind == {"0.0.0.0:80": ["h2"]}


def test_what_can_not_be_proved_at_all() -> None:
    """A certificate of each client; a PROXY line, which balancers send before TLS."""
    by_bind, [warning] = spoken({**TLS, "cert_reqs": 2})
    assert by_bind == {"127.0.0.1:8000": ["tcp"]}
    assert warning == (
        "gunicorn_settings['cert_reqs'] is 2: Gunicorn wants a certificate of each client, and the health request has "
        "none. Not proved is what visitors are answered, by TLS."
    )
    by_bind, [warning] = spoken({**TLS, "proxy_protocol": "v2"})
    assert by_bind == {"127.0.0.1:8000": ["tls", "proxy-v2"]}
    assert "Not proved is that your balancer is understood." in warning


@pytest.mark.parametrize(
    ("settings", "worker_class", "name", "expected"),
    [
        ({"keyfile": "/etc/x.key"}, "sync", "keyfile", "gunicorn_settings['certfile'] beside it"),
        ({"protocol": "fastcgi"}, "sync", "protocol", "http or uwsgi"),
        ({"proxy_protocol": "v3"}, "sync", "proxy_protocol", "off, v1, v2 or auto"),
        ({"proxy_protocol": "v1", "protocol": "uwsgi"}, "sync", "proxy_protocol", "uwsgi, which has no PROXY line"),
        ({"http2_cleartext": "both"}, "gthread", "http2_cleartext", "h2 in gunicorn_settings['http_protocols']"),
        ({"http2_cleartext": "yes"}, "gthread", "http2_cleartext", "off, prior-knowledge, upgrade or both"),
        ({"protocol": "uwsgi", "uwsgi_allow_ips": "10.0.0.0/8"}, "sync", "uwsgi_allow_ips", "nobody is ever in one"),
        ({"protocol": "uwsgi"}, "tornado", "protocol", "whose workers take HTTP/1.1 alone"),
        ({"proxy_protocol": "v1"}, "uvicorn_worker.UvicornWorker", "proxy_protocol", "no such setting with the class"),
        (H2C, "uvicorn.workers.UvicornWorker", "http_protocols", "gthread, gevent or asgi as gunicorn_worker_class"),
        ({**TLS, "http_protocols": "h2"}, "sync", "http_protocols", "'sync' does not speak HTTP/2"),
    ],
)
def test_what_could_serve_nobody(settings: dict, worker_class: str, name: str, expected: str) -> None:
    """One sentence names the setting, its value and what is expected."""
    with pytest.raises(InvalidValue) as caught:
        protocols.of_service(settings, worker_class, "1", {}, [LOCAL])
    assert caught.value.variable == f"gunicorn_settings['{name}']"
    assert caught.value.value == settings[name]
    assert expected in caught.value.expected


def test_sync_with_threads() -> None:
    """Gunicorn makes gthread of it, which speaks HTTP/2."""
    assert protocols.of_service(H2C, "sync", "4", {}, [LOCAL]).by_bind == {"127.0.0.1:8000": ["h2"]}
