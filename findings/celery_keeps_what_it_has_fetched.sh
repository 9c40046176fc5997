#!/usr/bin/env bash
# Celery 5.7.0 with Redis 7.0.15: a worker that was asked to end (TERM, a "warm shutdown") keeps the tasks that it has fetched and
# not begun until its last task is done. Another worker, which has nothing to do, does not get them.
#
# A worker fetches up to worker_prefetch_multiplier (4 by default) times its processes in advance. When it is asked to end,
# it begins none of them any more. It gives them back to the queue when its connection ends, which is after the last task.
#
# Most people expect that they are given back at once, since the worker has decided not to do them. With tasks of an hour,
# short ones wait an hour at each deployment, while new workers stand idle. worker_prefetch_multiplier = 1 (with acks_late)
# leaves them in the queue.
#
# The server is Debian 12's, unpacked into a temporary folder.
#
# Output seen:
#   multiplier 4: another worker did 0 of 3 while the first one was at its last task, and 3 of 3 afterwards
#   multiplier 1: another worker did 3 of 3 while the first one was at its last task, and 3 of 3 afterwards
#
# Exits with 1 if that has changed.

set -euo pipefail
shopt -s inherit_errexit
script=$(realpath "$0")
work=$(mktemp --directory)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/python -m pip --isolated --quiet --disable-pip-version-check install 'celery[redis]==5.7.0' redis==8.1.0
# redis-check-rdb is the server under another name; the package redis-server has a link alone.
apt-get download --quiet=2 redis-tools libatomic1 libjemalloc2 liblzf1
for package in ./*.deb; do dpkg-deb --extract "$package" root; done
LD_LIBRARY_PATH=$(find "$PWD/root" -name '*.so*' -printf '%h\n' | sort --unique | paste --serial --delimiters=:)
cp --dereference "$(find root -name redis-check-rdb)" redis-server
LD_LIBRARY_PATH=$LD_LIBRARY_PATH ./redis-server --port 0 --unixsocket "$PWD/redis.sock" --save '' --dir . >redis.log &
until test -S redis.sock; do sleep 0.1; done

cat >tasks.py <<'PYTHON'
import os
import time
from pathlib import Path

from celery import Celery

app = Celery("tasks", broker=f"redis+socket://{os.getcwd()}/redis.sock")
app.conf.task_acks_late = True


@app.task
def long():
    Path("begun").touch()
    while not Path("go-on").exists():
        time.sleep(0.1)


@app.task
def short(number):
    Path(f"done-{number}").touch()
PYTHON

worker() {
  PYTHONPATH=. venv/bin/celery --app tasks worker --concurrency 1 --prefetch-multiplier "$1" --hostname "$2@%h" \
    --without-mingle --without-gossip >"$2.log" 2>&1 &
}

# order TASK...: put tasks into the queue
order() {
  PYTHONPATH=. venv/bin/python -c "import tasks; $1"
}

done_ones() {
  find . -maxdepth 1 -name 'done-*' | wc --lines
}

seen=$(
  for multiplier in 4 1; do
    rm -f begun go-on done-*
    worker "$multiplier" first
    first=$!
    order 'tasks.long.delay()'
    until test -e begun; do sleep 0.1; done
    order '[tasks.short.delay(number) for number in range(3)]'
    sleep 2
    kill -TERM "$first"
    worker "$multiplier" second
    second=$!
    sleep 8
    meanwhile=$(done_ones)
    touch go-on
    wait "$first" || true
    sleep 5
    kill -TERM "$second"
    wait "$second" || true
    echo "multiplier $multiplier: another worker did $meanwhile of 3 while the first one was at its last task," \
      "and $(done_ones) of 3 afterwards"
  done
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$script") <(printf '%s\n' "$seen")
