# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service under a CPU quota, as the kernel enforces it, event by event.

In each period the service may compute on as many cores as there are, until together they have used up the quota. Then
all of its threads are stopped until the next period. See the kernel's Documentation/scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import collections
import heapq
import random

PERIOD = 0.1
# Inaccuracy of floats, in seconds
TINY = 1e-9


class LimitedService:
    """Workers whose threads compute and wait for random times with these means, in seconds, one request after another.

    One thread of a worker computes at a time, as in CPython.
    """

    def __init__(self, workers: int, threads: int, compute: float, wait: float, quota: float, cores: int) -> None:
        self._random = random.Random(1)
        self._compute, self._wait, self._quota, self._cores = compute, wait, quota * PERIOD, cores
        # A worker, and how long its request computes: those that are ready to, in order, and those that do
        self._ready = collections.deque(
            (worker, self._time(compute)) for worker in range(workers) for _ in range(threads)
        )
        self._computing: dict[int, float] = {}
        # When a request of a worker will have waited
        self._waiting: list[tuple[float, int]] = []
        self._now, self._refilled, self._left = 0.0, 0.0, self._quota
        self.used = 0.0

    def run(self, periods: int) -> float:
        """Go on for so many periods, and return the part of the quota that was used in them."""
        begun, until = self.used, self._refilled + periods * PERIOD
        while self._now < until - TINY:
            self._begin_to_compute()
            self._advance()
            self._end_what_is_done()
        return (self.used - begun) / (periods * self._quota)

    def _begin_to_compute(self) -> None:
        behind = []
        while self._ready and len(self._computing) < self._cores:
            worker, seconds = self._ready.popleft()
            if worker in self._computing:
                behind.append((worker, seconds))
            else:
                self._computing[worker] = seconds
        self._ready.extendleft(reversed(behind))

    def _advance(self) -> None:
        """Let the time pass until something changes."""
        running = len(self._computing) if self._left > TINY else 0
        changes = [self._refilled + PERIOD, *(time for time, _worker in self._waiting[:1])]
        if running:
            changes += [self._now + min(self._computing.values()), self._now + self._left / running]
        passed = max(0.0, min(changes) - self._now)
        self._now += passed
        if running:
            self._computing = {worker: seconds - passed for worker, seconds in self._computing.items()}
            self._left -= running * passed
            self.used += running * passed

    def _end_what_is_done(self) -> None:
        if self._now >= self._refilled + PERIOD - TINY:
            self._refilled, self._left = self._refilled + PERIOD, self._quota
        while self._waiting and self._waiting[0][0] <= self._now + TINY:
            _time, worker = heapq.heappop(self._waiting)
            self._ready.append((worker, self._time(self._compute)))
        for worker in [worker for worker, seconds in self._computing.items() if seconds <= TINY]:
            del self._computing[worker]
            heapq.heappush(self._waiting, (self._now + self._time(self._wait), worker))

    def _time(self, mean: float) -> float:
        return self._random.expovariate(1 / mean) if mean else 0.0
