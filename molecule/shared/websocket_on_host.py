"""A websocket that a test host opens to itself; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

# What a client hears at a change, as it is seen in what came: a close frame has the code 1012 as its first two bytes.
SERVICE_RESTART = r"\x03\xf4"
# Opens the URL by 127.0.0.1 as a page of an origin does, sends "hello", and prints what comes until it ends.
CLIENT = r"""
import socket, ssl, sys, urllib.parse
url, origin = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2]
peer = socket.create_connection(("127.0.0.1", url.port or {"ws": 80, "wss": 443}[url.scheme]))
if url.scheme == "wss":
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    peer = context.wrap_socket(peer, server_hostname=url.hostname)
lines = [f"GET {url.path} HTTP/1.1", f"Host: {url.netloc}", f"Origin: {origin}", "Upgrade: websocket",
         "Connection: Upgrade", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13", "", ""]
peer.sendall("\r\n".join(lines).encode())
print(peer.recv(4096), flush=True)
peer.sendall(b"\x81\x85" + bytes(4) + b"hello")
while text := peer.recv(4096):
    print(text, flush=True)
"""


def open_websocket(host, name: str, url: str, origin: str = ""):
    """Open a websocket as a page of an origin does, by default the URL's own; return the file that has what comes."""
    scheme, _colon, rest = url.partition("://")
    origin = origin or f"{scheme.replace('ws', 'http')}://{rest.partition('/')[0]}"
    unit = f"systemd-run --quiet --collect --unit=websocket-{name} --property=StandardOutput=file:/tmp/websocket-{name}"
    host.check_output(f"{unit} python3 -c %s %s %s", CLIENT, url, origin)
    return host.file(f"/tmp/websocket-{name}")
