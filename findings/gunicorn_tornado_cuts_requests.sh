#!/usr/bin/env bash
# Gunicorn 27.0.1 with Tornado 6.5.2, worker class tornado: a worker that was asked to end (TERM, HUP, max_requests) cuts the
# requests that are under way after one to two seconds, whatever graceful_timeout says. The client gets no answer at all.
#
# Most people expect what graceful_timeout (30 s by default) says of each worker: that it has so long to finish what it is at.
# The class looks once a second whether it must end; the first time it stops listening, the second time it stops its loop.
#
# Output seen, with graceful_timeout 30 and a request that waits for 5 s:
#   asked to end after 0.5 s: no answer, and ended within 3 s
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/python -m pip --isolated --quiet --disable-pip-version-check install gunicorn==27.0.1 tornado==6.5.2

cat >app.py <<'PYTHON'
import asyncio

import tornado.web


class Page(tornado.web.RequestHandler):
    async def get(self):
        await asyncio.sleep(5)
        self.write("done")


application = tornado.web.Application([("/", Page)])
PYTHON

venv/bin/python -m gunicorn --worker-class tornado --bind unix:app.sock --graceful-timeout 30 app:application >log 2>&1 &
pid=$!
until grep --quiet 'Booting worker' log; do sleep 0.1; done
sleep 1
curl --silent --unix-socket app.sock http://localhost/ >answer &
client=$!
sleep 0.5
begin=$(date +%s)
kill -TERM "$pid"
wait "$client" || true
wait "$pid" || true
took=$(($(date +%s) - begin))
grep --quiet 'done' answer && seen="answer" || seen="no answer"
((took <= 3)) && seen+=", and ended within 3 s" || seen+=", and ended after more than 3 s"
echo "asked to end after 0.5 s: $seen"
[[ $seen == "no answer, and ended within 3 s" ]]
