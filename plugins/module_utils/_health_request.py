# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health request from outside: what a visitor gets on one listening address."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

# The option of the modules that send the request
ARGUMENT = {
    "type": "dict",
    "required": True,
    "options": {
        "path": {"type": "str", "default": "/"},
        "host": {"type": "str", "default": "localhost"},
        "statuses": {"type": "list", "elements": "int", "default": []},
        "scheme": {"type": "str", "choices": ["http", "https", "tcp"], "default": "http"},
        "timeout": {"type": "int", "default": 30},
    },
}


class HealthRequest(NamedTuple):
    """What is asked, how, and which statuses are accepted; without statuses, each below 500."""

    path: str
    host: str
    scheme: str
    statuses: tuple[int, ...]


def request_from(given: dict) -> HealthRequest:
    """The request that the option asks for."""
    return HealthRequest(given["path"], given["host"], given["scheme"], tuple(given["statuses"]))


def problem(bind: Address, request: HealthRequest, timeout: float) -> str:
    """Ask once on this address, for up to `timeout` seconds; return what is wrong, or an empty string."""
    try:
        status = _ask(bind, request, timeout)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on {bind.gunicorn_bind}: {error or type(error).__name__}"
    if status is None or (status in request.statuses if request.statuses else 100 <= status < 500):
        return ""
    return f"{bind.gunicorn_bind} answers {request.path} with status {status}"


def _ask(bind: Address, request: HealthRequest, timeout: float) -> int | None:
    connection = socket.socket(bind.family, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(timeout)
        connection.connect(bind.path or (bind.reached_at, bind.port))
        if request.scheme == "tcp":
            return None
        if request.scheme == "https":
            connection = _without_verification().wrap_socket(connection)
        with connection:
            # http.client writes and parses; it has no way to connect to a unix socket.
            client = http.client.HTTPConnection(request.host, timeout=timeout)
            client.sock = connection
            client.request("GET", request.path, headers={"User-Agent": "gunicorn-health", "Connection": "close"})
            answer = client.getresponse()
            answer.read()
            return answer.status


def _without_verification() -> ssl.SSLContext:
    """A context for our own service on this host, whose certificate has another name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
