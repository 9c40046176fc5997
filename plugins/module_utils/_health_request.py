# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health request from outside: what a visitor gets on one listening address."""

from __future__ import annotations

import io
import socket
import time
from typing import Any, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.health_answer import HealthAnswer

# The option of the modules that send the request
ARGUMENT = {
    "type": "dict",
    "required": True,
    "options": {
        "path": {"type": "str", "default": "/"},
        "host": {"type": "str", "default": "localhost"},
        "statuses": {"type": "list", "elements": "int", "default": []},
        "scheme": {"type": "str", "choices": ["http", "https", "tcp"], "default": "http"},
        "forwarded_proto": {"type": "str", "choices": ["http", "https"], "default": "http"},
        "protocols": {"type": "dict", "default": {}},
        "timeout": {"type": "int", "default": 30},
    },
}
# Bytes of an answer after which its rest is left alone: the status is known
_LONGEST_ANSWER = 1 << 20
# What a connection may speak, from the outside inwards
LAYERS = ("tcp", "tls", "proxy-v1", "proxy-v2", "h2", "uwsgi")
_OF_SCHEMES = {"http": (), "https": ("tls",), "tcp": ("tcp",)}


class HealthRequest(NamedTuple):
    """What is asked, how, and which statuses are accepted; see HealthAnswer for what is without statuses."""

    path: str
    host: str
    scheme: str  # that is spoken where `protocols` says nothing of the address
    statuses: tuple[int, ...]
    forwarded_proto: str = "http"  # the scheme that a web server in front would tell
    protocols: Mapping[str, list] = {}  # what is spoken, of LAYERS, by an address as Gunicorn's --bind takes it

    def layers(self, bind: Address) -> tuple[str, ...]:
        """What is spoken on this address. Without any, it is HTTP/1.1; with tcp, an open connection is enough."""
        given = self.protocols.get(bind.gunicorn_bind)
        return _OF_SCHEMES[self.scheme] if given is None else tuple(given)


def request_from(given: dict) -> HealthRequest:
    """The request that the option asks for."""
    statuses = tuple(given["statuses"])
    # An earlier version has noted a request with fewer values.
    proto, protocols = given.get("forwarded_proto", "http"), given.get("protocols") or {}
    return HealthRequest(given["path"], given["host"], given["scheme"], statuses, proto, protocols)


def problem(bind: Address, request: HealthRequest, timeout: float) -> str:
    """Ask on this address; return what is wrong, or an empty string.

    If the answer leads to https, the request is sent again as if it came by https, to the same address: an answer never
    says where to connect. The whole takes up to `timeout` seconds, however slowly the other end sends.
    """
    # Only here: most runs send no request, and these take a hundredth of a second.
    import http.client

    deadline = time.monotonic() + timeout
    try:
        answer = _ask(bind, request, deadline)
        if answer and answer.wants_https(request.statuses):
            answer = _ask(bind, request._replace(forwarded_proto="https"), deadline)
            if answer and answer.leads_to_itself() and not request.statuses:
                # Gunicorn may believe the header of others alone, such as a balancer (forwarded_allow_ips).
                return ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        # http.client quotes what the other end has sent.
        return f"no answer on {bind.gunicorn_bind}: {text.shown(str(error) or type(error).__name__)}"
    wrong = answer.problem(request.statuses) if answer else ""
    return wrong and ": ".join(filter(None, (f"{bind.gunicorn_bind} {wrong}", answer and answer.advice())))


def _ask(bind: Address, request: HealthRequest, deadline: float) -> HealthAnswer | None:
    layers = request.layers(bind)
    connection = socket.socket(bind.family, socket.SOCK_STREAM)
    with connection:
        _limit(connection, deadline)
        connection.connect(bind.path or (bind.reached_at, bind.port))
        if "tcp" in layers:
            return None
        if "tls" in layers:
            # The handshake as a whole has the time-out of its socket.
            connection = encrypted = _with_tls(connection, "h2" in layers)
            if encrypted.selected_alpn_protocol() != "h2":
                layers = tuple(layer for layer in layers if layer != "h2")
        headers = {"User-Agent": "gunicorn-health"}
        if request.forwarded_proto == "https":
            headers["X-Forwarded-Proto"] = "https"
        with connection:
            timed = _Timed(connection, deadline)
            _introduce(timed, layers)
            exchange = _by_http2 if "h2" in layers else _by_uwsgi if "uwsgi" in layers else _by_http
            scheme = "https" if "tls" in layers or request.forwarded_proto == "https" else "http"
            status, location = exchange(timed, request, headers, scheme)
            return HealthAnswer(scheme, request.host, request.path, status, location)


def _introduce(connection: _Timed, layers: tuple[str, ...]) -> None:
    """Say who the visitor is, where Gunicorn expects that of a balancer."""
    for layer in layers:
        if layer.startswith("proxy-"):
            from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import wire_formats

            connection.sendall(wire_formats.PROXY_LINES[layer])


def _by_http(connection: _Timed, request: HealthRequest, headers: dict, _scheme: str) -> tuple[int, str]:
    """Return the status, and where a redirect leads, of what HTTP/1.1 answers."""
    import http.client

    # http.client writes and parses; it has no way to connect to a unix socket, and no deadline.
    client = http.client.HTTPConnection(request.host)
    client.sock = connection  # type: ignore[assignment]
    client.request("GET", request.path, headers={**headers, "Connection": "close"})
    return _read_answer(client.getresponse())


def _by_uwsgi(connection: _Timed, request: HealthRequest, headers: dict, scheme: str) -> tuple[int, str]:
    import http.client

    from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import wire_formats

    connection.sendall(wire_formats.uwsgi_packet(request.path, request.host, headers, scheme == "https"))
    # It takes no more of a socket than its makefile.
    answer = http.client.HTTPResponse(connection, method="GET")  # type: ignore[arg-type]
    answer.begin()
    return _read_answer(answer)


def _read_answer(answer: Any) -> tuple[int, str]:
    import http.client

    body = answer.read(_LONGEST_ANSWER)
    if answer.length and len(body) < _LONGEST_ANSWER:
        # Asked for a part, http.client does not say that the rest is missing.
        raise http.client.IncompleteRead(body, answer.length)
    return answer.status, answer.getheader("Location") or ""


def _by_http2(connection: _Timed, request: HealthRequest, headers: dict, scheme: str) -> tuple[int, str]:
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import wire_formats

    connection.sendall(wire_formats.http2_request(request.path, request.host, headers, scheme == "https"))
    answer, stream = wire_formats.Http2Answer(), connection.makefile("rb")
    while not answer.is_complete and answer.body_length < _LONGEST_ANSWER:
        header = stream.read(9)
        payload = stream.read(answer.payload_length(header))
        reply = answer.take(header, payload)
        if reply:
            connection.sendall(reply)
    # Where a redirect leads is not read. A server that has ended TLS speaks HTTP/2: ask as by https.
    leads = scheme == "http" and answer.status in (301, 302, 303, 307, 308)
    return answer.status, f"https://{request.host}{request.path}" if leads else ""


def _limit(connection: socket.socket, deadline: float) -> None:
    """Let the next operation take no longer than until the deadline; raises TimeoutError when that is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    connection.settimeout(left)


class _Timed:
    """What http.client needs of a socket, with a deadline for all of it."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        _limit(self._connection, self._deadline)
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._connection, self._deadline))

    def close(self) -> None:
        """The caller closes the socket."""


class _Reader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        _limit(self._connection, self._deadline)
        return self._connection.recv_into(buffer)


def _with_tls(connection: socket.socket, offer_http2: bool) -> Any:
    """Speak TLS with our own service on this host, whose certificate has another name."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if offer_http2:
        context.set_alpn_protocols(["h2", "http/1.1"])
    return context.wrap_socket(connection)
