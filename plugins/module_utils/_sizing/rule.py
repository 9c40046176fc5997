# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many Gunicorn workers fit a host: pure functions over plain values.

With C cores, W/C the ratio of waiting to computing in a request, memory M, and T tasks where the service has a limit:

    N_cpu   = max(ceil(C) + 1, ceil((C * (1 + W/C) + 1.25 * sqrt(C * W/C)) / threads)), where W/C was measured
    N_cpu   = max(ceil(C), ceil(C * 2 / threads) + 1), where it was not
    N_mem   = floor((M - master) / memory of one worker)
    N_tasks = floor((T - master - reserve) / (2 * tasks of one worker))
    N       = min(clamp(N_cpu, minimum, maximum), N_mem, N_tasks), and never 0

docs/sizing.md says in words where each term comes from. Only facts that stay the same from run to run go in: a count
that followed free memory or load would be a change on every run.
"""

from __future__ import annotations

import math
import typing as t
from fractions import Fraction

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

# An idle master holds the interpreter and Gunicorn, not the application.
MASTER_MEMORY = 32 * MIB
# What the rest of the host (system, proxy, database, page cache) keeps unless the user says otherwise.
RESERVE_FRACTION = Fraction(1, 5)
RESERVE_MINIMUM = 128 * MIB
# Beyond this, a worker's threads stand in each other's way more than another worker costs.
THREADS_LEAST, THREADS_MOST = 2, 32
# What Gunicorn's 2 x cores + 1 stands for.
UNMEASURED_WAIT_RATIO = 1
# Requests don't wait in turns: with workers for the mean alone, at times all of them wait and a core idles. The number
# that waits varies by its square root; this many of it keep the cores 95% busy or more (docs/sizing.md has the model).
STAFFING = Fraction(5, 4)
# An application that waits less loses more to the interpreter's lock than it gains.
WAIT_RATIO_FOR_THREADS = Fraction(1, 2)
# The master, and the checks that a reload runs beside it.
TASKS_RESERVE = 16
# An event loop resolves names and reads files in threads: those of gevent's pool.
EVENT_LOOP_THREADS = 10

# Measured ratios and quotas are floats: what differs by less than this is the same number, before it is rounded up.
DECIMALS = 6


class Limit(t.NamedTuple):
    """What the service's own unit allows, and the directive that says so, as it stands there."""

    amount: float
    directive: str


class Limits(t.NamedTuple):
    """The limits of the service's own unit: they hold for this project alone. None is no limit."""

    cpus: Limit | None = None
    memory: Limit | None = None
    tasks: Limit | None = None


NO_LIMITS = Limits()


class Connections(t.NamedTuple):
    """How many connections to a database the workers can hold, if each thread keeps one.

    While the service changes, the new workers are there before the old ones have stopped.
    """

    steady: int
    changing: int


class Bounds(t.NamedTuple):
    """What each term of the rule allows or asks for, in workers."""

    cpu: int
    memory: int
    tasks: int | None
    minimum: int
    maximum: int | None


class Budget(t.NamedTuple):
    """The memory of the host, what of it stays with others, and what is left for the workers of this project.

    The limit is that of the service, if it leaves less than the host.
    """

    total: int
    reserve: int
    for_workers: Fraction
    limit: Limit | None


def _exact(number: float) -> Fraction:
    """Return the decimal number that a person wrote: 0.1 is a tenth here, which the float is not."""
    return Fraction(str(number))


def ceil(number: Fraction) -> int:
    return math.ceil(round(number, DECIMALS))


def threads_of(cores: Fraction, demand: Demand) -> int:
    """Return the threads of one worker, if nobody says: so many that one worker for each core carries all.

    More workers with fewer threads do less: a worker accepts connections for which it has no thread free, while
    another one has.
    """
    if worker_classes.is_async(demand.worker_class):
        return 1
    if demand.threads is not None:
        return demand.threads
    waits = demand.wait_ratio is not None and wait_ratio(demand) >= WAIT_RATIO_FOR_THREADS
    if worker_classes.is_sync(demand.worker_class) and not (demand.thread_safe and waits):
        return 1
    return min(max(math.floor(busy_workers(cores, 1, demand) / max(1, ceil(cores))), THREADS_LEAST), THREADS_MOST)


def connections_of(workers: int, threads: int, demand: Demand) -> Connections | None:
    """Return the connections that the threads can hold; of an event loop nobody knows."""
    if worker_classes.is_async(demand.worker_class):
        return None
    return Connections(steady=workers * threads, changing=2 * workers * threads)


def cores_for(cpus: Resource, quota: Limit | None, demand: Demand) -> tuple[Fraction, Limit | None]:
    """Return the cores to reckon with, and the quota of the service if that is what sets them."""
    cores = _exact(cpus.amount) * _exact(demand.share)
    if quota is not None and _exact(quota.amount) < cores:
        return _exact(quota.amount), quota
    return cores, None


def cpu_bound(cores: Fraction, threads: int, demand: Demand) -> int:
    """Return how many workers keep the cores busy.

    A worker that computes a share 1 / (1 + W/C) of its time fills a core with 1 + W/C of its like, and threads stand
    in for workers. An event loop is a worker of unlimited threads, so that only one process a core is left.
    """
    per_core = max(1, ceil(cores))
    if worker_classes.is_async(demand.worker_class):
        return per_core
    busy = ceil(busy_workers(cores, threads, demand))
    # One in reserve, for when another is restarted or stuck. Who has measured has it only if it is needed: a worker too
    # many costs throughput.
    return max(per_core, busy + 1) if demand.wait_ratio is None else max(per_core + 1, busy)


def busy_workers(cores: Fraction, threads: int, demand: Demand) -> Fraction:
    return (cores * (1 + wait_ratio(demand)) + _staffing(cores, demand)) / threads


def wait_ratio(demand: Demand) -> Fraction:
    return Fraction(UNMEASURED_WAIT_RATIO) if demand.wait_ratio is None else _exact(demand.wait_ratio)


def _staffing(cores: Fraction, demand: Demand) -> Fraction:
    """Return the workers beyond the mean. Who has not measured gets Gunicorn's rule, which has none."""
    if demand.wait_ratio is None:
        return Fraction(0)
    scale = 10**DECIMALS
    return STAFFING * Fraction(math.isqrt(int(cores * wait_ratio(demand) * scale**2)), scale)


def memory_budget(total: int, limit: Limit | None, demand: Demand) -> Budget:
    """Return what the workers of this project may use.

    The reserve is the host's, kept once however many projects share it: it goes off before the share is taken, so that
    projects whose shares add up to 1 fit together. Neither goes off a limit of the service, which is this project's.
    """
    reserve = demand.memory_reserve
    if reserve is None:
        reserve = max(math.ceil(total * RESERVE_FRACTION), RESERVE_MINIMUM)
    free = (total - reserve) * _exact(demand.share)
    if limit is None or limit.amount >= free:
        limit = None
    else:
        free = Fraction(limit.amount)
    return Budget(total, reserve, free - MASTER_MEMORY, limit)


def tasks_of_a_worker(threads: int, demand: Demand) -> int:
    """Return its processes and threads; the workers of gthread have their main thread beside those that serve."""
    if worker_classes.is_async(demand.worker_class):
        return 1 + EVENT_LOOP_THREADS
    return threads + 1 if threads > 1 or worker_classes.is_gthread(demand.worker_class) else 1


def tasks_bound(limit: Limit | None, threads: int, demand: Demand) -> int | None:
    """Return how many workers the limit of tasks holds. A reload has the new workers beside the old ones."""
    if limit is None:
        return None
    return max(0, math.floor((limit.amount - TASKS_RESERVE) / (2 * tasks_of_a_worker(threads, demand))))


def most_workers(bounds: Bounds) -> int:
    """Return how many workers there can be at all."""
    return bounds.memory if bounds.tasks is None else min(bounds.memory, bounds.tasks)


def decide(bounds: Bounds) -> tuple[int, str]:
    """Return the count and the bound that set it. Memory and tasks are facts and win over a wish for more."""
    wanted, decided_by = bounds.cpu, "cpu"
    if wanted < bounds.minimum:
        wanted, decided_by = bounds.minimum, "minimum"
    if bounds.maximum is not None and wanted > bounds.maximum:
        wanted, decided_by = bounds.maximum, "maximum"
    if wanted > bounds.memory:
        wanted, decided_by = max(1, bounds.memory), "memory"
    if bounds.tasks is not None and wanted > bounds.tasks:
        wanted, decided_by = max(1, bounds.tasks), "tasks"
    return wanted, decided_by
