"""Settings that change the protocol: the health request speaks it, or a warning says what is not proved.

The tests build on each other: each one finds the host as the one before left it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hosts import connect
from playbook_run import PlaybookRun

SITE = Path(__file__).parent.parent / "site.yml"
TLS = {"certfile": "/etc/opt/kinds/tls.crt", "keyfile": "/etc/opt/kinds/tls.key"}
H2 = {"http_protocols": "h2,h1"}
CURL = "curl --silent --show-error --insecure --max-time 10"


@pytest.fixture(scope="module")
def host():
    """The host."""
    return connect("kinds-bookworm")


def deploy(settings: dict) -> PlaybookRun:
    """Deploy with these settings; gthread, since sync does not speak HTTP/2."""
    return PlaybookRun(SITE, variables={"gunicorn_worker_class": "gthread", "gunicorn_settings": settings})


@pytest.mark.parametrize(
    ("settings", "request_of_visitor", "said"),
    [
        ({**TLS, **H2}, "--http2 https://127.0.0.1:8000/", "https HTTP/2"),
        ({**H2, "http2_cleartext": "prior-knowledge"}, "--http2-prior-knowledge http://127.0.0.1:8000/", "http HTTP/2"),
        ({"proxy_protocol": "v1"}, "--haproxy-protocol http://127.0.0.1:8000/", "http HTTP/1.1 127.0.0.1"),
        ({"proxy_protocol": "v2"}, "http://127.0.0.1:8000/", "http HTTP/1.1"),
    ],
)
def test_what_gunicorn_takes_is_spoken(host, settings: dict, request_of_visitor: str, said: str) -> None:
    """The run proves it without a warning, and visitors who speak it are answered."""
    run = deploy(settings)
    assert (run.code, run.warnings()) == (0, []), run.output
    assert host.check_output(f"{CURL} {request_of_visitor}").startswith(said)


@pytest.mark.parametrize(
    ("settings", "unproved"),
    [
        ({"protocol": "uwsgi"}, None),
        ({"protocol": "uwsgi", "uwsgi_allow_ips": "192.0.2.1"}, "what visitors are answered"),
        ({"proxy_protocol": "v1", "proxy_allow_ips": "192.0.2.1"}, "that the PROXY line of your balancer is accepted"),
        ({**TLS, "cert_reqs": 2, "ca_certs": TLS["certfile"]}, "what visitors are answered, by TLS"),
    ],
)
def test_what_can_not_be_proved_is_said(settings: dict, unproved: str | None) -> None:
    """In one warning; the run does not fail for it."""
    run = deploy(settings)
    assert run.code == 0, run.output
    assert [f"Not proved is {unproved}" in warning for warning in run.warnings()] == ([True] if unproved else [])


def test_a_certificate_that_does_not_load_never_goes_live(host) -> None:
    """Gunicorn would refuse each visitor, and not end."""
    assert deploy(TLS).code == 0
    host.check_output("echo nothing >/etc/opt/kinds/broken.crt")
    error = deploy({**TLS, "certfile": "/etc/opt/kinds/broken.crt"}).error()
    assert "TLS with the certificate /etc/opt/kinds/broken.crt does not work: " in error
    assert "The live service was not touched" in error
    assert host.check_output(f"{CURL} https://127.0.0.1:8000/").startswith("https HTTP/1.1")
