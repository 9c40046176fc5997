# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests as a web server in front of Gunicorn sends them, if it does not speak HTTP/1.1: as bytes, and back."""

from __future__ import annotations

import struct
from typing import Iterator, Mapping

# A visitor on this host: 127.0.0.1, from port 1 to port 80
PROXY_LINES = {
    "proxy-v1": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 80\r\n",
    "proxy-v2": b"\r\n\r\n\x00\r\nQUIT\n" + struct.pack(">BBH4s4sHH", 0x21, 0x11, 12, *[b"\x7f\0\0\1"] * 2, 1, 80),
}
# RFC 9113
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 0x1
_END_HEADERS, _PADDED, _PRIORITY = 0x4, 0x8, 0x20
_LARGEST_FRAME = 1 << 14
_LARGEST_WINDOW = (1 << 31) - 1
_INITIAL_WINDOW_SIZE = 4
# RFC 7541, appendix A: the entries 8 to 14 of the static table
_STATUSES = dict(zip(range(8, 15), (200, 204, 206, 304, 400, 404, 500)))
# Appendix B: the codes of the digits; 0 to 2 have five bits, the others six.
_DIGITS = {**{f"{n:05b}": str(n) for n in range(3)}, **{f"{n + 22:06b}": str(n) for n in range(3, 10)}}


def uwsgi_packet(path: str, host: str, headers: Mapping[str, str], is_https: bool) -> bytes:
    """The request as uwsgi_pass of nginx sends it. Its answer is one of HTTP/1.1."""
    script, _mark, query = path.partition("?")
    variables = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": path,
        "PATH_INFO": script,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "1",
        "SERVER_NAME": host,
        "SERVER_PORT": "443" if is_https else "80",
        "HTTP_HOST": host,
        **({"HTTPS": "on"} if is_https else {}),
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()},
    }
    parts = [part.encode("latin-1") for pair in variables.items() for part in pair]
    block = b"".join(struct.pack("<H", len(part)) + part for part in parts)
    return struct.pack("<BHB", 0, len(block), 0) + block


def http2_request(path: str, host: str, headers: Mapping[str, str], is_https: bool) -> bytes:
    """The beginning of a connection of HTTP/2, with the request on its first stream."""
    # GET, and the scheme: each is in the static table. Other values are sent as they are.
    block = b"\x82" + (b"\x87" if is_https else b"\x86") + b"\x04" + _string(path) + b"\x01" + _string(host)
    block += b"".join(b"\x00" + _string(name.lower()) + _string(value) for name, value in headers.items())
    # The answer never has to wait for more room.
    settings = struct.pack(">HI", _INITIAL_WINDOW_SIZE, _LARGEST_WINDOW)
    window = struct.pack(">I", _LARGEST_WINDOW - 65535)
    return b"".join(
        [
            _PREFACE,
            _frame(_SETTINGS, 0, 0, settings),
            _frame(_WINDOW_UPDATE, 0, 0, window),
            _frame(_HEADERS, _END_HEADERS | _END_STREAM, 1, block),
        ]
    )


class Http2Answer:
    """What came back on a request of HTTP/2, of which only the status is read. Raises ValueError for what is none."""

    def __init__(self) -> None:
        self.status = 0
        self.body_length = 0
        self.is_complete = False

    def take(self, header: bytes, payload: bytes) -> bytes:
        """Take a frame; return what must be sent for it."""
        kind, flags, stream = _frame_header(header)[1:]
        if kind == _GOAWAY or (kind == _RST_STREAM and stream == 1):
            raise ValueError("HTTP/2: the request was refused")
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            return _frame(kind, _ACK, 0, payload if kind == _PING else b"")
        if stream == 1 and kind == _HEADERS:
            if not self.status:
                status = _status(_unpadded(flags, payload))
                # The others say that there is more to come.
                self.status = status if status >= 200 else 0
            self.is_complete = bool(flags & _END_STREAM)
        elif stream == 1 and kind == _DATA:
            self.body_length += len(payload)
            self.is_complete = bool(flags & _END_STREAM)
        return b""

    @staticmethod
    def payload_length(header: bytes) -> int:
        """How much follows these nine bytes."""
        length = _frame_header(header)[0]
        if length > _LARGEST_FRAME:
            raise ValueError("no HTTP/2")
        return length


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _frame_header(header: bytes) -> tuple[int, int, int, int]:
    """The payload's length, the kind, the flags and the stream."""
    if len(header) != 9:
        raise ValueError("HTTP/2: the connection was closed")
    kind, flags, stream = struct.unpack(">BBI", header[3:])
    return int.from_bytes(header[:3], "big"), kind, flags, stream & _LARGEST_WINDOW


def _string(value: str) -> bytes:
    data = value.encode("latin-1")
    return _integer(len(data)) + data


def _integer(value: int) -> bytes:
    """RFC 7541, 5.1, with a prefix of seven bits."""
    if value < 127:
        return bytes([value])
    parts, value = [127], value - 127
    while value >= 128:
        parts.append(value % 128 + 128)
        value //= 128
    return bytes([*parts, value])


def _unpadded(flags: int, payload: bytes) -> bytes:
    skipped = (1 if flags & _PADDED else 0) + (5 if flags & _PRIORITY else 0)
    return payload[skipped:]


def _status(block: bytes) -> int:
    """The value of the field :status, which is the first one."""
    # A change of the table's size may come before it.
    while block and block[0] & 0xE0 == 0x20:
        block = block[1:]
    if len(block) > 1 and not block[0] & 0x80:
        index, length = block[0] & (0x3F if block[0] & 0x40 else 0x0F), block[1]
        value = block[2 : 2 + (length & 0x7F)]
        if index in _STATUSES:
            digits = "".join(_huffman_digits(value)) if length & 0x80 else value.decode("latin-1")
            if len(digits) == 3 and digits.isdigit():
                return int(digits)
    elif block and block[0] & 0x7F in _STATUSES:
        return _STATUSES[block[0] & 0x7F]
    raise ValueError("HTTP/2: an answer without a status")


def _huffman_digits(value: bytes) -> Iterator[str]:
    code = ""
    for bit in "".join(f"{byte:08b}" for byte in value):
        code += bit
        if code in _DIGITS:
            yield _DIGITS[code]
            code = ""
