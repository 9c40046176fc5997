#!/usr/bin/env bash
# Gunicorn 27.0.1, worker class asgi: an open websocket keeps a worker that was asked to end (TERM, or HUP for the master) up
# to graceful_timeout. Then its connection ends without a close frame, and the application's lifespan.shutdown never runs.
#
# Most people expect what Uvicorn does: a close frame with the code 1012 ("Service Restart") at once, on which clients connect
# again, and the application's shutdown. Here, each deployment takes graceful_timeout (30 s by default) as long as one browser
# has a page with a websocket open, and what the application does at its shutdown is left out.
#
# Output seen, with graceful_timeout 3:
#   with an open websocket: ended after 3 s or more, no close frame, no lifespan.shutdown
#   without: ended before 3 s, lifespan.shutdown
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/python -m pip --isolated --quiet --disable-pip-version-check install gunicorn==27.0.1

cat >app.py <<'PYTHON'
async def application(scope, receive, send):
    while True:
        message = await receive()
        kind = message["type"]
        if kind == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif kind in ("lifespan.startup", "lifespan.shutdown"):
            print(kind, flush=True)
            await send({"type": f"{kind}.complete"})
        if kind in ("lifespan.shutdown", "websocket.disconnect"):
            return
PYTHON

cat >client.py <<'PYTHON'
import socket
peer = socket.socket(socket.AF_UNIX)
peer.connect("app.sock")
lines = ["GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
         "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13", "", ""]
peer.sendall("\r\n".join(lines).encode())
assert peer.recv(4096).startswith(b"HTTP/1.1 101")
print("open", flush=True)
rest = b"".join(iter(lambda: peer.recv(4096), b""))
print("closed" if rest[:1] == b"\x88" else "dropped", flush=True)
PYTHON

# end_of [CLIENT]: start Gunicorn, ask it to end, and print how that went.
end_of() {
  local pid begin seconds
  venv/bin/python -m gunicorn --worker-class asgi --bind unix:app.sock --graceful-timeout 3 app:application >log 2>&1 &
  pid=$!
  until grep --quiet 'ASGI server listening' log; do sleep 0.1; done
  : >told
  if (($#)); then
    python3 client.py >told &
    until grep --quiet open told; do sleep 0.1; done
  fi
  begin=$(date +%s%N)
  kill -TERM "$pid"
  wait "$pid" || true
  seconds=$((($(date +%s%N) - begin) / 1000000000))
  ((seconds >= 3)) && echo -n "ended after 3 s or more" || echo -n "ended before 3 s"
  (($# == 0)) || { until grep --quiet 'closed\|dropped' told; do sleep 0.1; done; }
  (($# == 0)) || { grep --quiet closed told && echo -n ", close frame" || echo -n ", no close frame"; }
  grep --quiet lifespan.shutdown log && echo ", lifespan.shutdown" || echo ", no lifespan.shutdown"
}

seen="with an open websocket: $(end_of client)
without: $(end_of)"
echo "$seen"
[[ $seen == "with an open websocket: ended after 3 s or more, no close frame, no lifespan.shutdown
without: ended before 3 s, lifespan.shutdown" ]]
