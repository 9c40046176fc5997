# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule: how many workers CPU, memory and tasks each allow, and which of these bounds decides.

With C cores, W/C the ratio of waiting to computing in a request, memory M, and T tasks where the service has a limit:

    N_cpu   = max(ceil(C) + 1, ceil((C * (1 + W/C) + 1.25 * sqrt(C * W/C)) / threads)), where W/C was measured
    N_cpu   = max(ceil(C), ceil(C * 2 / threads) + 1), where it was not
    N_mem   = floor((max(M - neighbours, kept) - companions - master) / memory of one worker)
    N_tasks = floor((T - master - reserve) / (2 * tasks of one worker))
    N       = min(clamp(N_cpu, minimum, maximum), N_mem, N_tasks), and never 0

docs/sizing.md says in words where each term comes from. The terms take only facts that stay the same from run to run: a
count that followed free memory or load would be a change on every run.
"""

from __future__ import annotations

import math
import typing as t
from fractions import Fraction

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import Limit, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

# A master has loaded the interpreter and Gunicorn, but not the application.
MASTER_MEMORY = 32 * MIB
# What the rest of the host (system, proxy, database, page cache) keeps unless the user says otherwise.
RESERVE_FRACTION = Fraction(1, 5)
RESERVE_MINIMUM = 128 * MIB
# With more threads, those of a worker hinder each other more than another worker costs.
THREADS_LEAST, THREADS_MOST = 2, 32
# The ratio for which Gunicorn's 2 x cores + 1 is right.
UNMEASURED_WAIT_RATIO = 1
# Requests don't wait in turns: with workers for the mean alone, at times all of them wait and a core idles. The number
# of waiting requests varies by its square root. This many times that root in extra workers keep the cores 95% busy or
# more (docs/sizing.md has the model).
STAFFING = Fraction(5, 4)
# If an application waits less, threads lose more to the interpreter's lock than they gain.
WAIT_RATIO_FOR_THREADS = Fraction(1, 2)
# For the master, and for the checks that a reload runs.
TASKS_RESERVE = 16
# An event loop resolves names and reads files in threads; gevent's pool has this many.
EVENT_LOOP_THREADS = 10

# Measured ratios and quotas are floats: numbers that agree to so many decimals are the same before they are rounded up.
DECIMALS = 6


class Connections(t.NamedTuple):
    """How many connections to a database the workers can hold, if each thread keeps one.

    While the service changes, the new workers start before the old ones have stopped.
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
    """The bytes of the host's memory, of its reserve, and of what the workers of this project may use.

    Nothing is kept if other projects leave as much, or more. The limit is that of the service, if the service may use
    less than the host has left.
    """

    total: int
    reserve: int
    neighbours: int
    kept: int
    companions: int
    for_workers: Fraction
    limit: Limit | None


class Terms(t.NamedTuple):
    """What the rule computes for an application on a host; the quota is that of the service, if it sets the cores."""

    cores: Fraction
    quota: Limit | None
    threads: int
    budget: Budget
    bounds: Bounds


def terms_of(host: Host, demand: Demand, limits: Limits) -> Terms:
    """Return all terms of the rule."""
    cores, quota = _cores_for(host.cpus, limits.cpus, demand)
    threads = _threads_of(cores, demand)
    budget = _memory_budget(int(host.memory.amount), limits.memory, demand)
    bounds = Bounds(
        cpu=_cpu_bound(cores, threads, demand),
        memory=max(0, math.floor(budget.for_workers / demand.memory_per_worker)),
        tasks=_tasks_bound(limits.tasks, threads, demand),
        minimum=demand.minimum,
        maximum=demand.maximum,
    )
    return Terms(cores, quota, threads, budget, bounds)


def _cores_for(cpus: Resource, quota: Limit | None, demand: Demand) -> tuple[Fraction, Limit | None]:
    """Return the cores that the project may use, and the quota of the service if that sets their number."""
    cores = _exact(cpus.amount) * _exact(demand.share)
    if quota is not None and _exact(quota.amount) < cores:
        return _exact(quota.amount), quota
    return cores, None


def _threads_of(cores: Fraction, demand: Demand) -> int:
    """Return the threads of one worker. If they are not given, one worker for each core has enough for all requests.

    More workers with fewer threads do less: a worker accepts connections for which it has no free thread, while
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


def _cpu_bound(cores: Fraction, threads: int, demand: Demand) -> int:
    """Return how many workers keep the cores busy.

    A worker computes for 1 / (1 + W/C) of its time, so 1 + W/C workers fill a core. Threads replace workers. An event
    loop is like a worker with unlimited threads, which leaves one process for each core.
    """
    per_core = max(1, ceil(cores))
    if worker_classes.is_async(demand.worker_class):
        return per_core
    busy = ceil(busy_workers(cores, threads, demand))
    # One worker is in reserve, for when another is restarted or stuck. A measured application gets it only if there
    # would be none beyond the cores: a worker too many costs throughput.
    return max(per_core, busy + 1) if demand.wait_ratio is None else max(per_core + 1, busy)


def busy_workers(cores: Fraction, threads: int, demand: Demand) -> Fraction:
    """Return how many workers with so many threads keep the cores busy, before it is rounded up."""
    return (cores * (1 + wait_ratio(demand)) + _staffing(cores, demand)) / threads


def _staffing(cores: Fraction, demand: Demand) -> Fraction:
    """Return the workers beyond the mean; Gunicorn's rule, for what was not measured, has none."""
    if demand.wait_ratio is None:
        return Fraction(0)
    scale = 10**DECIMALS
    return STAFFING * Fraction(math.isqrt(int(cores * wait_ratio(demand) * scale**2)), scale)


def wait_ratio(demand: Demand) -> Fraction:
    """Return the wait ratio to compute with."""
    return Fraction(UNMEASURED_WAIT_RATIO) if demand.wait_ratio is None else _exact(demand.wait_ratio)


def _memory_budget(total: int, limit: Limit | None, demand: Demand) -> Budget:
    """Return the memory that the workers of this project may use.

    The reserve is the host's, kept once however many projects share it. It is subtracted before the share is taken, so
    that projects whose shares add up to 1 fit together. A limit of the service is for this project alone, so neither
    applies to it, and the companions have limits of their own.
    """
    reserve = reserve_of(total, demand)
    whole = (total - reserve) * _exact(demand.share)
    left = whole - demand.memory_neighbours
    # What a project was given, other projects don't take away again: each run of theirs would change its workers.
    kept = int(min(demand.memory_kept, whole)) if demand.memory_neighbours else 0
    kept = kept if kept > left else 0
    free = (kept or left) - demand.memory_companions
    if limit is None or limit.amount >= free:
        limit = None
    else:
        free = Fraction(limit.amount)
    companions = demand.memory_companions
    return Budget(total, reserve, demand.memory_neighbours, kept, companions, free - MASTER_MEMORY, limit)


def reserve_of(total: int, demand: Demand) -> int:
    """Return the bytes that the host keeps for what is not Gunicorn's."""
    if demand.memory_reserve is not None:
        return demand.memory_reserve
    return max(math.ceil(total * RESERVE_FRACTION), RESERVE_MINIMUM)


def _tasks_bound(limit: Limit | None, threads: int, demand: Demand) -> int | None:
    """Return how many workers the limit of tasks holds; a reload starts the new ones beside the old ones."""
    if limit is None:
        return None
    return max(0, math.floor((limit.amount - TASKS_RESERVE) / (2 * tasks_of_a_worker(threads, demand))))


def tasks_of_a_worker(threads: int, demand: Demand) -> int:
    """Return the tasks of a worker; one of gthread has its main thread beside those that serve requests."""
    if worker_classes.is_async(demand.worker_class):
        return 1 + EVENT_LOOP_THREADS
    return threads + 1 if threads > 1 or worker_classes.is_gthread(demand.worker_class) else 1


def decide(bounds: Bounds) -> tuple[int, str]:
    """Return the number of workers and the bound that set it; memory and tasks win over a minimum that wants more."""
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


def most_workers(bounds: Bounds) -> int:
    """Return how many workers memory and tasks hold."""
    return bounds.memory if bounds.tasks is None else min(bounds.memory, bounds.tasks)


def connections_of(workers: int, threads: int, demand: Demand) -> Connections | None:
    """Return the connections that the threads can hold; None for an event loop, where nobody knows."""
    if worker_classes.is_async(demand.worker_class):
        return None
    return Connections(steady=workers * threads, changing=2 * workers * threads)


def ceil(number: Fraction) -> int:
    """Return the number rounded up, without the inaccuracy of floats that went into it."""
    return math.ceil(round(number, DECIMALS))


def _exact(number: float) -> Fraction:
    """Return the decimal number that a person wrote: 0.1 is a tenth here, which the float is not."""
    return Fraction(str(number))
