# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the requests of a service cost, by the files in its runtime directory in which its workers count them.

The role's gunicorn.conf.py writes the files (gunicorn_hooks.py), in the layout of `CountersFormat`. Each worker has a
file of its own; file number 0 has the counts of the workers that have ended.
"""

from __future__ import annotations

import array
import glob
import os
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import read_tail
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.requests import Latency, Requests
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.counters_format import CountersFormat

_NANOSECONDS = 1e9
_BUCKET_UNIT = (1 << CountersFormat.UNIT_BITS) / _NANOSECONDS
# The mean of fewer requests says little about the next thousand.
ENOUGH = 100


class Counters(NamedTuple):
    """The words of a file without its version, and its histogram: see `CountersFormat`."""

    since: int
    requests: int
    time: int
    longest: int
    alone: int
    alone_time: int
    alone_cpu: int
    alone_delay: int
    histogram: tuple[int, ...]


def read_all(directory: str) -> list[Counters]:
    """Return what the workers of a service have counted in its runtime directory, one for each file."""
    found = (_read_counters(path) for path in glob.glob(os.path.join(glob.escape(directory), "requests-*")))
    return [counters for counters in found if counters]


def _read_counters(path: str) -> Counters | None:
    """Return what a worker counted in a file, None if it is no file of counters.

    The service's user may write it, so whatever it is, it must neither block nor end the module.
    """
    try:
        text, _begin = read_tail(path, CountersFormat.SIZE + 1)
    except OSError:
        return None
    if len(text) != CountersFormat.SIZE:
        return None
    numbers = array.array("Q", text)
    words = dict(zip(CountersFormat.WORDS, numbers))
    if words.pop("version") != CountersFormat.VERSION:
        return None
    return Counters(**words, histogram=tuple(numbers[-CountersFormat.BUCKETS :]))


def summarize(parts: list[Counters], now: float) -> Requests | None:
    """Return the requests of several workers together; None without any."""
    count = sum(part.requests for part in parts)
    if not count:
        return None
    since = float(min(part.since for part in parts))
    cpu, ratio = _cost(parts)
    return Requests(
        count=count,
        since=since,
        per_second=count / max(1.0, now - since),
        latency=_latency(parts, count),
        wait_ratio=ratio,
        cpu_per_request=cpu,
    )


def _latency(parts: list[Counters], count: int) -> Latency:
    histogram = [sum(column) for column in zip(*(part.histogram for part in parts))]
    longest = max(part.longest for part in parts) / _NANOSECONDS
    p50, p95, p99 = (min(quantile(histogram, part), longest) for part in (0.5, 0.95, 0.99))
    mean = sum(part.time for part in parts) / count / _NANOSECONDS
    return Latency(mean=mean, p50=p50, p95=p95, p99=p99, max=longest)


def _cost(parts: list[Counters]) -> tuple[float | None, float | None]:
    """Return the CPU seconds of a request, and how long it waits for each second that it computes."""
    alone = sum(part.alone for part in parts)
    cpu = sum(part.alone_cpu for part in parts)
    if alone < ENOUGH or not cpu:
        return None, None
    # Being ready to compute without a CPU is not waiting: more workers would not use that time.
    waited = sum(part.alone_time - part.alone_cpu - part.alone_delay for part in parts)
    return cpu / alone / _NANOSECONDS, round(max(waited, 0) / cpu, 3)


def quantile(histogram: list[int], part: float) -> float:
    """Return the time in seconds that this part of the requests did not exceed, to within a quarter."""
    wanted = part * sum(histogram)
    passed = 0
    for bucket, count in enumerate(histogram):
        if count and passed + count >= wanted:
            start, end = CountersFormat.bucket_start(bucket), CountersFormat.bucket_start(bucket + 1)
            return (start + (end - start) * max(wanted - passed, 0) / count) * _BUCKET_UNIT
        passed += count
    return 0.0
