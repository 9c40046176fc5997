#!/usr/bin/env bash
# Gunicorn 27.0.1 with certfile and keyfile, sync worker: the files are read for each connection. A renewed certificate is in
# use at once, without a reload. That a file holds no certificate is noticed by no start and no --check-config: Gunicorn says
# that it listens on https, and each connection fails.
#
# Most people expect what nginx and Apache do: the certificate is read at the start and at a reload, which refuse a broken one.
#
# Output seen:
#   without a reload, the certificate is: second
#   a start with a file that holds none: Listening at: https
#   --check-config with such a file: 0
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/python -m pip --isolated --quiet --disable-pip-version-check install gunicorn==27.0.1

cat >app.py <<'PYTHON'
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
PYTHON

make_certificate() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout key.pem -out cert.pem 2>/dev/null
}

# start LOG PORT: run it in the background until it says where it listens.
start() {
  venv/bin/python -m gunicorn --bind "127.0.0.1:$2" --certfile cert.pem --keyfile key.pem app:application >"$1" 2>&1 &
  for _try in {1..100}; do
    grep --quiet --no-messages 'Booting worker' "$1" && break
    sleep 0.1
  done
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
make_certificate first
start log "$port"
sleep 1
make_certificate second
name=$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -subject | sed 's/.*CN *= *//')
echo "without a reload, the certificate is: $name"
kill %1
wait %1 2>/dev/null || true

echo "no certificate" >cert.pem
start broken "$port"
listens=$(grep --only-matching 'Listening at: https' broken || true)
echo "a start with a file that holds none: ${listens:-refused}"
code=0
venv/bin/python -m gunicorn --check-config --certfile cert.pem --keyfile key.pem app:application >/dev/null 2>&1 || code=$?
echo "--check-config with such a file: $code"
[[ $name == second && -n $listens && $code == 0 ]]
