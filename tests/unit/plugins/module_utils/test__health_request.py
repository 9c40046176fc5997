# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from certificates import key_and_certificate

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

REQUEST = HealthRequest("/up?full=1", "shop.example.com", "http", ())


class Server:
    """Gives the same answer to each request, or another one to those by https, and keeps what was asked."""

    def __init__(self, listener: socket.socket, answer: bytes, by_https: bytes = b"") -> None:
        self.asked: list[bytes] = []
        self._listener = listener
        self._answer = answer
        self._by_https = by_https or answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65536))
                secure = b"\r\nX-Forwarded-Proto: https\r\n" in self.asked[-1]
                connection.sendall(self._by_https if secure else self._answer)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable]:
    """Start a server on a family of addresses; returns it and its address."""
    listeners = []

    def start(family: int, answer: bytes, by_https: bytes = b"") -> tuple[Server, Address]:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listeners.append(listener)
        if family == socket.AF_UNIX:
            listener.bind(str(tmp_path / "sock"))
            bind = Address(path=str(tmp_path / "sock"))
        else:
            listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
            host, port = listener.getsockname()[:2]
            bind = Address(host, port)
        listener.listen()
        return Server(listener, answer, by_https), bind

    yield start
    for listener in listeners:
        listener.close()


def status(code: int, location: str = "") -> bytes:
    more = f"Location: {location}\r\n".encode() if location else b""
    return b"HTTP/1.1 %d X\r\n%sContent-Length: 2\r\n\r\nok" % (code, more)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_each_kind_of_address_is_asked(serve: Callable, family: int) -> None:
    """The path and the host are in the request."""
    server, bind = serve(family, status(200))
    assert _health_request.problem(bind, REQUEST, 5) == ""
    assert server.asked[0].startswith(b"GET /up?full=1 HTTP/1.1\r\nHost: shop.example.com\r\n")


@pytest.mark.parametrize(
    ("code", "statuses", "accepted"),
    [(200, (), True), (404, (), True), (499, (), True), (500, (), False), (200, (204,), False), (503, (503,), True)],
)
def test_the_status_decides(serve: Callable, code: int, statuses: tuple, accepted: bool) -> None:
    """Below 500 without a list, but 400, else what the list says."""
    _server, bind = serve(socket.AF_INET, status(code))
    problem = _health_request.problem(bind, REQUEST._replace(statuses=statuses), 5)
    assert problem == ("" if accepted else f"{bind.gunicorn_bind} answers /up?full=1 with status {code}")


@pytest.mark.parametrize("statuses", [(), (200,)])
def test_a_refused_host_name(serve: Callable, statuses: tuple) -> None:
    """The answer says what to set, unless 400 is wanted."""
    _server, bind = serve(socket.AF_INET, status(400))
    problem = _health_request.problem(bind, REQUEST._replace(statuses=statuses), 5)
    text = "status 400: if it refuses the host name 'shop.example.com', set gunicorn_health_host to one that it accepts"
    assert problem == f"{bind.gunicorn_bind} answers /up?full=1 with {text}"
    assert _health_request.problem(bind, REQUEST._replace(statuses=(400,)), 5) == ""


HERE = "https://shop.example.com/up?full=1"


@pytest.mark.parametrize(
    ("by_https", "statuses", "problem"),
    [
        (status(200), (), ""),
        (status(200), (200,), ""),
        (status(500), (), "with status 500"),
        (status(500), (301,), ""),
        (status(302, "/login"), (), ""),
        # A balancer may be the only one whose header Gunicorn believes.
        (status(301, HERE), (), ""),
        (status(301, HERE), (200,), "with status 301: it sends a visitor to the same address again"),
    ],
)
def test_a_redirect_to_https_is_followed(serve: Callable, by_https: bytes, statuses: tuple, problem: str) -> None:
    """The same is asked again, as the web server in front passes it on, and the answer to that counts."""
    server, bind = serve(socket.AF_INET, status(301, HERE), by_https)
    said = _health_request.problem(bind, REQUEST._replace(statuses=statuses), 5)
    assert (problem in said) if problem else said == ""
    assert {asked.split(b"\r\n")[0] for asked in server.asked} == {b"GET /up?full=1 HTTP/1.1"}
    assert len(server.asked) == (1 if statuses == (301,) else 2)


def test_visitors_that_come_by_https(serve: Callable) -> None:
    """The first request comes as theirs, and is the only one: a redirect to itself would send them in circles."""
    server, bind = serve(socket.AF_INET, status(500), status(200))
    by_https = REQUEST._replace(forwarded_proto="https")
    assert _health_request.problem(bind, by_https, 5) == ""
    server, bind = serve(socket.AF_INET, status(301, HERE))
    assert "it sends a visitor to the same address again" in _health_request.problem(bind, by_https, 5)
    assert len(server.asked) == 1


def test_wildcards_are_reached_on_the_loopback_address(serve: Callable) -> None:
    """0.0.0.0 is an address to listen on, not to connect to."""
    _server, bind = serve(socket.AF_INET, status(200))
    assert _health_request.problem(bind._replace(host="0.0.0.0"), REQUEST, 5) == ""


@pytest.mark.parametrize("answer", [b"", b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"])
def test_half_an_answer_is_none(serve: Callable, answer: bytes) -> None:
    """Closed, garbled, cut off: each is a problem that names the address."""
    _server, bind = serve(socket.AF_INET, answer)
    assert _health_request.problem(bind, REQUEST, 5).startswith(f"no answer on {bind.gunicorn_bind}: ")


def test_refused_and_silent(tmp_path: Path) -> None:
    """Nothing listens there, or a server says nothing."""
    assert "no answer on unix:" in _health_request.problem(Address(path=str(tmp_path / "none")), REQUEST, 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bind = Address("127.0.0.1", silent.getsockname()[1])
        began = time.monotonic()
        assert "timed out" in _health_request.problem(bind, REQUEST, 0.2)
        assert time.monotonic() - began < 5
        assert _health_request.problem(bind, REQUEST._replace(scheme="tcp"), 0.2) == ""


def test_a_plain_answer_is_none_of_tls(serve: Callable) -> None:
    """Where Gunicorn has a certificate, it is spoken to with TLS."""
    _server, bind = serve(socket.AF_INET, status(200))
    assert "no answer on" in _health_request.problem(bind, REQUEST._replace(scheme="https"), 5)


@pytest.fixture
def drip(serve: Callable) -> Iterator[Callable]:
    """Start a server that sends the beginning of an answer, and then a byte every 50 ms for ever."""
    over = threading.Event()

    class Dripping(Server):
        def _serve(self) -> None:
            connection, _peer = self._listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(self._answer)
                while not over.wait(0.05):
                    connection.sendall(b"x")

    def start(beginning: bytes) -> Address:
        listener = socket.create_server(("127.0.0.1", 0))
        Dripping(listener, beginning)
        return Address("127.0.0.1", listener.getsockname()[1])

    yield start
    over.set()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_drips_ends_with_the_time(drip: Callable, beginning: bytes, scheme: str) -> None:
    """Each byte is in time, and the whole is not: in the status, in the headers, and in the body."""
    began = time.monotonic()
    problem = _health_request.problem(drip(beginning), REQUEST._replace(scheme=scheme), 0.4)
    assert problem.startswith("no answer on 127.0.0.1:")
    assert time.monotonic() - began < 5


def test_an_answer_may_take_nearly_the_whole_time(drip: Callable) -> None:
    """No smaller limit than the one that was given applies to a single request."""
    bind = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
    assert _health_request.problem(bind, REQUEST, 20) == ""


def test_without_time_nothing_is_asked(serve: Callable) -> None:
    """What is left after the other addresses may be nothing."""
    server, bind = serve(socket.AF_INET, status(200))
    assert "timed out" in _health_request.problem(bind, REQUEST, -1)
    assert server.asked == []


def test_the_rest_of_a_long_answer_is_left_alone(drip: Callable) -> None:
    """The status is known, and root keeps no more of the body than a part."""
    bind = drip(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(_health_request._LONGEST_ANSWER))
    assert _health_request.problem(bind, REQUEST, 20) == ""


def test_what_the_other_end_sends_is_quoted_cleanly(serve: Callable) -> None:
    """No control sequence reaches the terminal, and no line is long."""
    _server, bind = serve(socket.AF_INET, b"HTTP/1.1 \x1b[31mred" + b"x" * 1000 + b"\r\n\r\n")
    problem = _health_request.problem(bind, REQUEST, 5)
    assert "\x1b" not in problem
    assert "HTTP/1.1 redx" in problem
    assert len(problem) < 400


CAPTURED_BY_H2 = bytes.fromhex("0000000400000000000000010104000000018d000000000100000001")


@pytest.mark.parametrize(
    ("layers", "answer", "sent"),
    [
        (["proxy-v1"], status(404), b"PROXY TCP4 127.0.0.1 127.0.0.1 1 80\r\n"),
        (["proxy-v2"], status(404), b"\r\n\r\n\0\r\nQUIT\n"),
        (["uwsgi"], status(404), b"\0"),
        (["h2"], CAPTURED_BY_H2, b"PRI * HTTP/2.0\r\n"),
    ],
)
def test_other_protocols(serve: Callable, layers: list, answer: bytes, sent: bytes) -> None:
    """What an address speaks is spoken, and the status of its answer decides."""
    server, bind = serve(socket.AF_INET, answer)
    request = REQUEST._replace(protocols={bind.gunicorn_bind: layers})
    assert _health_request.problem(bind, request, 5) == ""
    assert server.asked[0].startswith(sent)
    problem = _health_request.problem(bind, request._replace(statuses=(200,)), 5)
    assert problem == f"{bind.gunicorn_bind} answers /up?full=1 with status 404"


class EncryptedServer(Server):
    """Speaks TLS, and one of these protocols within it; answers in HTTP/2 if that was agreed upon."""

    def __init__(self, listener: socket.socket, certificate: tuple[str, str], protocols: list[str]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._context.set_alpn_protocols(protocols)
        super().__init__(listener, b"")

    def _serve(self) -> None:
        connection, _peer = self._listener.accept()
        with self._context.wrap_socket(connection, server_side=True) as encrypted:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += encrypted.recv(65536)
            self.asked.append(asked)
            encrypted.sendall(CAPTURED_BY_H2 if encrypted.selected_alpn_protocol() == "h2" else status(404))


@pytest.mark.parametrize(
    ("layers", "spoken", "sent"),
    [
        (["tls"], ["h2", "http/1.1"], b"GET /up?full=1 HTTP/1.1\r\n"),
        (["tls", "h2"], ["h2", "http/1.1"], b"PRI * HTTP/2.0\r\n"),
        # The other end may agree to HTTP/1.1 alone.
        (["tls", "h2"], ["http/1.1"], b"GET /up?full=1 HTTP/1.1\r\n"),
        (["tls", "proxy-v1"], ["http/1.1"], b"PROXY TCP4 127.0.0.1 127.0.0.1 1 80\r\n"),
    ],
)
def test_protocols_within_tls(tmp_path: Path, layers: list, spoken: list, sent: bytes) -> None:
    """HTTP/2 is offered, and spoken if the other end agrees; the certificate may be of any name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = EncryptedServer(listener, key_and_certificate(tmp_path, "another"), spoken)
        bind = Address("127.0.0.1", listener.getsockname()[1])
        request = REQUEST._replace(protocols={bind.gunicorn_bind: layers}, statuses=(404,))
        assert _health_request.problem(bind, request, 5) == ""
    assert server.asked[0].startswith(sent)


@pytest.mark.parametrize("answer", [status(400), status(200), b"", b"\0\0\0\x07\0\0\0\0\0"])
def test_an_answer_in_another_protocol_is_none(serve: Callable, answer: bytes) -> None:
    """Not even where its status would be accepted."""
    _server, bind = serve(socket.AF_INET, answer)
    request = REQUEST._replace(protocols={bind.gunicorn_bind: ["h2"]}, statuses=(200, 400))
    assert _health_request.problem(bind, request, 5).startswith(f"no answer on {bind.gunicorn_bind}: ")


def test_a_redirect_by_http2_is_followed_by_https(serve: Callable) -> None:
    """Where it leads is not read; the second answer counts as it is."""
    server, bind = serve(socket.AF_INET, CAPTURED_BY_H2[:9] + bytes.fromhex("00000401050000000148826402"))
    request = REQUEST._replace(protocols={bind.gunicorn_bind: ["h2"]})
    assert _health_request.problem(bind, request, 5) == ""
    assert len(server.asked) == 2
    assert b"x-forwarded-proto" in server.asked[1]


def test_an_address_without_protocols(serve: Callable) -> None:
    """It is asked by the scheme, and a note of an earlier version has no protocols."""
    server, bind = serve(socket.AF_INET, status(200))
    assert _health_request.problem(bind, REQUEST._replace(protocols={"[::1]:1": ["tls"]}), 5) == ""
    assert server.asked[0].startswith(b"GET ")
    noted = {"path": "/", "host": "localhost", "scheme": "https", "statuses": []}
    assert _health_request.request_from(noted).layers(bind) == ("tls",)
