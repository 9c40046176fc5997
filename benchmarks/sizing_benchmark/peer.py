#!/usr/bin/env python3
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A slow service: it answers each request after 50 ms.

peer.py 127.0.0.1:9000
"""

from __future__ import annotations

import asyncio
import sys

DELAY = 0.05
BODY = b'{"answer": 42}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


class Peer(asyncio.Protocol):
    """One connection, with one request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._request = b""

    def data_received(self, data: bytes) -> None:
        self._request += data
        if self._request.endswith(b"\r\n\r\n"):
            asyncio.get_running_loop().call_later(DELAY, self._answer)

    def _answer(self) -> None:
        self._transport.write(ANSWER)
        self._transport.close()


async def serve(host: str, port: int) -> None:
    """Serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(Peer, host, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    address, _, port = sys.argv[1].rpartition(":")
    asyncio.run(serve(address, int(port)))
