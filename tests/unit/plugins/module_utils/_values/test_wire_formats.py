# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import wire_formats
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.wire_formats import Http2Answer

# What Gunicorn 27.0.1 with h2 4.4.1 sent for 200 and ten bytes
CAPTURED = bytes.fromhex(
    "00001804000000000000030000006400040000ffff00050000400000060001000000002a0400000000000001000010000002"
    "0000000000040000ffff00050000400000080000000000030000006400060001000000000004010000000000009601040000"
    "0001885f92497ca589d34d1f6a1271d882a60b532acf7f408bf2b4b60e92ac7ad263d48f84bf834f3f5c82083f4090f2b10f"
    "524b52564faacab1eb498f523f85a8e8a8d2cb408bb0b296cb0b62d59e8313d78840e92ac7b0d31aaf4092258742163d8698"
    "d52c7acb516c5ab3d0627a8840e92ac7b0d31aaf76869ada8c43d9576196dc34fd282794d27eea080271403d7196ee01e531"
    "68df00000a00000000000168656c6c6f2032303036000000000100000001"
)
# :status as hpack 4.2.0 encodes it
STATUSES = {103: "48820819", 200: "88", 302: "48826402", 403: "4883680cff", 404: "8d", 503: "48836c0cff",
            678: "488371d7bf", 915: "48837c2dff"}  # fmt: skip


def frames(data: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of frames, with their payloads."""
    found = []
    while data:
        end = 9 + Http2Answer.payload_length(data[:9])
        found.append((data[:9], data[9:end]))
        data = data[end:]
    return found


def headers(block: bytes, flags: int = 0x4 | 0x1) -> tuple[bytes, bytes]:
    """A frame of headers on the first stream."""
    return struct.pack(">I", len(block))[1:] + struct.pack(">BBI", 1, flags, 1), block


def test_an_answer_of_gunicorn() -> None:
    """Its status and length are read, and its settings are acknowledged."""
    answer = Http2Answer()
    replies = [answer.take(*frame) for frame in frames(CAPTURED)]
    assert (answer.status, answer.body_length, answer.is_complete) == (200, 10, True)
    assert list(filter(None, replies)) == [b"\0\0\0\x04\x01\0\0\0\0"] * 2


@pytest.mark.parametrize(("status", "block"), STATUSES.items())
def test_each_status(status: int, block: str) -> None:
    """Those of the static table, and those that are spelled; one below 200 comes before the answer."""
    answer = Http2Answer()
    answer.take(*headers(bytes.fromhex(block)))
    assert answer.status == (status if status >= 200 else 0)


def test_a_status_that_is_not_compressed() -> None:
    """Each form of a field is read, after a change of the table's size, too."""
    for form in (b"\x48", b"\x08", b"\x18", b"\x3f\x48"[1:], b"\x20\x48"):
        answer = Http2Answer()
        answer.take(*headers(form + b"\x03503"))
        assert answer.status == 503


@pytest.mark.parametrize("block", [b"", b"\x82", b"\x48", b"\x48\x03ab1", b"\x48\x8288", b"\x5f\x01x"])
def test_an_answer_without_a_status(block: bytes) -> None:
    """It is none, whatever it has instead."""
    with pytest.raises(ValueError, match="without a status"):
        Http2Answer().take(*headers(block))


def test_what_is_no_http2() -> None:
    """HTTP/1.1 in place of frames, a closed connection, a refusal: each is said."""
    with pytest.raises(ValueError, match="no HTTP/2"):
        Http2Answer.payload_length(b"HTTP/1.1 ")
    with pytest.raises(ValueError, match="closed"):
        Http2Answer.payload_length(b"")
    for kind, stream in ((7, 0), (3, 1)):
        with pytest.raises(ValueError, match="refused"):
            Http2Answer().take(b"\0\0\0" + struct.pack(">BBI", kind, 0, stream), b"")


def test_a_ping_is_answered() -> None:
    """With what it has; an answered one is left."""
    ping = b"\0\0\x08\x06\0\0\0\0\0"
    assert Http2Answer().take(ping, b"12345678") == b"\0\0\x08\x06\x01\0\0\0\x0012345678"
    assert Http2Answer().take(ping[:4] + b"\x01" + ping[5:], b"12345678") == b""


def test_a_request_by_http2() -> None:
    """It has the path, the host and the headers; long ones, too."""
    path = "/" + "x" * 300
    sent = wire_formats.http2_request(path, "shop.example.com", {"User-Agent": "me"}, True)
    assert sent.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    _header, block = frames(sent[24:])[-1]
    # GET, https, and 301 as 127 + 46 + 128
    assert block == b"\x82\x87\x04\x7f\xae\x01" + path.encode() + b"\x01\x10shop.example.com\0\x0auser-agent\x02me"


def test_a_packet_of_uwsgi() -> None:
    """Its length, and pairs of names and values with theirs."""
    packet = wire_formats.uwsgi_packet("/up?full=1", "shop.example.com", {"X-Forwarded-Proto": "https"}, True)
    modifier, length, other = struct.unpack("<BHB", packet[:4])
    assert (modifier, length, other) == (0, len(packet) - 4, 0)
    parts, rest = [], packet[4:]
    while rest:
        end = 2 + struct.unpack("<H", rest[:2])[0]
        parts.append(rest[2:end].decode())
        rest = rest[end:]
    variables = dict(zip(parts[::2], parts[1::2]))
    assert variables["PATH_INFO"] == "/up"
    assert variables["QUERY_STRING"] == "full=1"
    assert variables["HTTP_HOST"] == "shop.example.com"
    assert variables["HTTP_X_FORWARDED_PROTO"] == variables["HTTPS"].replace("on", "https") == "https"


def test_proxy_lines() -> None:
    """A visitor on this host, in both versions."""
    assert wire_formats.PROXY_LINES["proxy-v1"].split() == b"PROXY TCP4 127.0.0.1 127.0.0.1 1 80".split()
    second = wire_formats.PROXY_LINES["proxy-v2"]
    assert second[:12] == b"\r\n\r\n\0\r\nQUIT\n"
    assert second[12:] == b"\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x50"
