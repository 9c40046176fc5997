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
import re
import typing as t
from fractions import Fraction

from ansible.module_utils.common.text.formatters import human_to_bytes

from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

MIB = 1 << 20

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

# The bundled classes that serve many requests in one process (eventlet up to Gunicorn 25).
ASYNC_CLASSES = ("asgi", "eventlet", "gevent", "gevent_pywsgi", "gevent_wsgi", "tornado")
WORKER_CLASSES = ("sync", "gthread") + ASYNC_CLASSES

# Measured ratios and quotas are floats: what differs by less than this is the same number, before it is rounded up.
_DECIMALS = 6
_CLASS_PATH = re.compile(r"egg:\S+|[^\W\d]\w*(\.[^\W\d]\w*)+")
_KUBERNETES_UNIT = re.compile(r"(?<=[KMGT])i(?=B?\s*$)")


class Resource(t.NamedTuple):
    """How much of something the service may use, what sets this limit, and the file that says so."""

    amount: float
    limited_by: str
    source: str | None = None


class Host(t.NamedTuple):
    """The facts that decide. CPUs may be a fraction (a quota); memory is in bytes."""

    cpus: Resource
    memory: Resource


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


class Demand(t.NamedTuple):
    """What the application needs and the user wants. Memory is in bytes."""

    memory_per_worker: int = 128 * MIB
    memory_reserve: int | None = None
    wait_ratio: float | None = None
    worker_class: str = "sync"
    threads: int | None = None
    thread_safe: bool = False
    minimum: int = 1
    maximum: int | None = None
    share: float = 1.0


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


class Sizing(t.NamedTuple):
    """The answer, and why it is that."""

    workers: int
    threads: int
    worker_class: str
    bounds: Bounds
    connections: Connections | None
    decided_by: str
    fits: bool
    reason: str
    warnings: list[str]


class _Budget(t.NamedTuple):
    """The memory of the host, what of it stays with others, and what is left for the workers of this project.

    The limit is that of the service, if it leaves less than the host.
    """

    total: int
    reserve: int
    for_workers: Fraction
    limit: Limit | None


def size_workers(host: Host, demand: Demand, limits: Limits = NO_LIMITS) -> Sizing:
    """Size the workers of one project to its host, and to the limits of its service."""
    cores, quota = _cores(host.cpus, limits.cpus, demand)
    budget = _budget(int(host.memory.amount), limits.memory, demand)
    threads = _threads(cores, demand)
    bounds = Bounds(
        cpu=_cpu_bound(cores, threads, demand),
        memory=max(0, math.floor(budget.for_workers / demand.memory_per_worker)),
        tasks=_tasks_bound(limits.tasks, threads, demand),
        minimum=demand.minimum,
        maximum=demand.maximum,
    )
    workers, decided_by = _decide(bounds)
    return Sizing(
        workers=workers,
        threads=threads,
        worker_class="gthread" if threads > 1 and is_sync(demand.worker_class) else demand.worker_class,
        bounds=bounds,
        connections=_connections(workers, threads, demand),
        decided_by=decided_by,
        fits=_held(bounds) >= 1,
        reason=_reason(
            workers,
            decided_by,
            bounds,
            _cpu_sentence(_available(host.cpus, quota, demand), bounds.cpu, cores, threads, demand),
            _memory_sentence(host.memory, bounds.memory, budget, demand),
            # Each service has some limit of tasks; it is worth a word where it matters.
            _tasks_sentence(limits.tasks, bounds.tasks, threads, demand) if decided_by == "tasks" else "",
        ),
        warnings=_warnings(bounds, budget, limits.tasks, demand),
    )


def parse_size(option: str, value: str, zero_allowed: bool = False) -> int:
    """Return the bytes that V(value) of option O(option) stands for; units are powers of 1024."""
    try:
        size = human_to_bytes(_KUBERNETES_UNIT.sub("", value.strip()))
    except (ValueError, OverflowError):
        size = None
    # Nobody sizes a worker in bytes: a bare 128 is a forgotten unit, and would give a million workers.
    if size is None or (size < MIB and not (zero_allowed and size == 0)):
        expected = "a size of at least 1M, with its unit, such as 128M, 1.5G or 512MiB"
        raise InvalidValue(option, value, expected + (", or 0" if zero_allowed else ""))
    return size


def read_demand(options: dict) -> Demand:
    """Return the demand that the options describe, or raise InvalidValue for the first that can't be used."""
    reserve = options["memory_reserve"]
    return check_demand(
        Demand(
            **{
                **{option: options[option] for option in Demand._fields},
                "memory_per_worker": parse_size("memory_per_worker", options["memory_per_worker"]),
                "memory_reserve": None if reserve is None else parse_size("memory_reserve", reserve, zero_allowed=True),
            }
        )
    )


def read_resources(options: dict) -> tuple[float | None, int | None]:
    """Return the CPUs and the memory that are handed in instead of what the host has; None is for what is not."""
    cpus, memory = options["cpus"], options["memory"]
    if cpus is not None:
        check_number("cpus", cpus, "a number above 0, which may be a fraction", lambda number: number > 0)
    return cpus, None if memory is None else parse_size("memory", memory)


def check_demand(demand: Demand) -> Demand:
    """Return the demand, or raise InvalidValue for the first option in it that can't be used."""
    if demand.wait_ratio is not None:
        check_number("wait_ratio", demand.wait_ratio, "a number of at least 0", lambda ratio: ratio >= 0)
    check_number("share", demand.share, "a number above 0 and at most 1", lambda share: 0 < share <= 1)
    for option in ("threads", "minimum", "maximum"):
        value = getattr(demand, option)
        if value is not None and value < 1:
            raise InvalidValue(option, value, "a whole number of at least 1")
    if demand.maximum is not None and demand.maximum < demand.minimum:
        raise InvalidValue("maximum", demand.maximum, f"a number not below minimum, which is {demand.minimum}")
    check_worker_class("worker_class", demand.worker_class)
    return demand


def check_worker_class(variable: str, value: object) -> str:
    """Return the short name or dotted path of a worker class, or raise InvalidValue."""
    if value in WORKER_CLASSES or (isinstance(value, str) and _CLASS_PATH.fullmatch(value)):
        return value
    raise InvalidValue(variable, value, f"one of {', '.join(WORKER_CLASSES)}, or the dotted path of a class")


def check_number(option: str, value: float, expected: str, holds: t.Callable[[float], bool]) -> None:
    """Raise InvalidValue unless the value is a finite number for which the condition holds."""
    if not math.isfinite(value) or not holds(value):
        raise InvalidValue(option, value, expected)


def _exact(number: float) -> Fraction:
    """Return the decimal number that a person wrote: 0.1 is a tenth here, which the float is not."""
    return Fraction(str(number))


def _ceil(number: Fraction) -> int:
    return math.ceil(round(number, _DECIMALS))


def is_sync(worker_class: str) -> bool:
    # Gunicorn's own test, in Config.worker_class.
    return worker_class == "sync" or worker_class.endswith("SyncWorker")


def _is_gthread(worker_class: str) -> bool:
    return worker_class in ("gthread", "gunicorn.workers.gthread.ThreadWorker")


def _is_async(worker_class: str) -> bool:
    # A class we don't know is most often an event loop (uvicorn's, aiohttp's).
    return not (is_sync(worker_class) or _is_gthread(worker_class))


def _threads(cores: Fraction, demand: Demand) -> int:
    """Return the threads of one worker, if nobody says: so many that one worker for each core carries all.

    More workers with fewer threads do less: a worker accepts connections for which it has no thread free, while
    another one has.
    """
    if _is_async(demand.worker_class):
        return 1
    if demand.threads is not None:
        return demand.threads
    waits = demand.wait_ratio is not None and _wait_ratio(demand) >= WAIT_RATIO_FOR_THREADS
    if is_sync(demand.worker_class) and not (demand.thread_safe and waits):
        return 1
    return min(max(math.floor(_busy_workers(cores, 1, demand) / max(1, _ceil(cores))), THREADS_LEAST), THREADS_MOST)


def _connections(workers: int, threads: int, demand: Demand) -> Connections | None:
    """Return the connections that the threads can hold; of an event loop nobody knows."""
    if _is_async(demand.worker_class):
        return None
    return Connections(steady=workers * threads, changing=2 * workers * threads)


def _cores(cpus: Resource, quota: Limit | None, demand: Demand) -> tuple[Fraction, Limit | None]:
    """Return the cores to reckon with, and the quota of the service if that is what sets them."""
    cores = _exact(cpus.amount) * _exact(demand.share)
    if quota is not None and _exact(quota.amount) < cores:
        return _exact(quota.amount), quota
    return cores, None


def _cpu_bound(cores: Fraction, threads: int, demand: Demand) -> int:
    """Return how many workers keep the cores busy.

    A worker that computes a share 1 / (1 + W/C) of its time fills a core with 1 + W/C of its like, and threads stand
    in for workers. An event loop is a worker of unlimited threads, so that only one process a core is left.
    """
    per_core = max(1, _ceil(cores))
    if _is_async(demand.worker_class):
        return per_core
    busy = _ceil(_busy_workers(cores, threads, demand))
    # One in reserve, for when another is restarted or stuck. Who has measured has it only if it is needed: a worker too
    # many costs throughput.
    return max(per_core, busy + 1) if demand.wait_ratio is None else max(per_core + 1, busy)


def _busy_workers(cores: Fraction, threads: int, demand: Demand) -> Fraction:
    return (cores * (1 + _wait_ratio(demand)) + _staffing(cores, demand)) / threads


def _wait_ratio(demand: Demand) -> Fraction:
    return Fraction(UNMEASURED_WAIT_RATIO) if demand.wait_ratio is None else _exact(demand.wait_ratio)


def _staffing(cores: Fraction, demand: Demand) -> Fraction:
    """Return the workers beyond the mean. Who has not measured gets Gunicorn's rule, which has none."""
    if demand.wait_ratio is None:
        return Fraction(0)
    scale = 10**_DECIMALS
    return STAFFING * Fraction(math.isqrt(int(cores * _wait_ratio(demand) * scale**2)), scale)


def _budget(total: int, limit: Limit | None, demand: Demand) -> _Budget:
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
    return _Budget(total, reserve, free - MASTER_MEMORY, limit)


def _tasks_of_a_worker(threads: int, demand: Demand) -> int:
    """Return its processes and threads; the workers of gthread have their main thread beside those that serve."""
    if _is_async(demand.worker_class):
        return 1 + EVENT_LOOP_THREADS
    return threads + 1 if threads > 1 or _is_gthread(demand.worker_class) else 1


def _tasks_bound(limit: Limit | None, threads: int, demand: Demand) -> int | None:
    """Return how many workers the limit of tasks holds. A reload has the new workers beside the old ones."""
    if limit is None:
        return None
    return max(0, math.floor((limit.amount - TASKS_RESERVE) / (2 * _tasks_of_a_worker(threads, demand))))


def _held(bounds: Bounds) -> int:
    """Return how many workers there can be at all."""
    return bounds.memory if bounds.tasks is None else min(bounds.memory, bounds.tasks)


def _decide(bounds: Bounds) -> tuple[int, str]:
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


def _warnings(bounds: Bounds, budget: _Budget, tasks: Limit | None, demand: Demand) -> list[str]:
    warnings = []
    if tasks is not None and bounds.tasks is not None and bounds.tasks < max(1, bounds.minimum):
        warnings.append(
            f"{tasks.directive} of the service holds {_count(bounds.tasks, 'worker')}, and at least "
            f"{max(1, bounds.minimum)} must run: raise TasksMax."
        )
    if bounds.memory < 1 and budget.limit is not None:
        warnings.append(
            f"Not even one worker of {_mib(demand.memory_per_worker)} fits into {budget.limit.directive} of the "
            f"service, of which {_mib(MASTER_MEMORY)} go to the master. One worker is returned all the same; raise the "
            "limit, or lower memory_per_worker."
        )
    elif bounds.memory < 1:
        warnings.append(
            f"Not even one worker of {_mib(demand.memory_per_worker)} fits into the memory: of {_mib(budget.total)}, "
            f"{_mib(budget.reserve)} are reserved and {_mib(MASTER_MEMORY)} go to the master. One worker is "
            "returned all the same; give the host more memory, or lower memory_reserve or memory_per_worker."
        )
    elif bounds.memory < bounds.minimum:
        warnings.append(
            f"minimum is {bounds.minimum}, but the memory holds {bounds.memory}: give the host more memory, or lower "
            "minimum, memory_reserve or memory_per_worker."
        )
    if demand.threads is not None and demand.threads > 1 and _is_async(demand.worker_class):
        warnings.append(f"threads is {demand.threads}, but the worker class {demand.worker_class} does not use it.")
    if demand.worker_class == "eventlet":
        warnings.append("Gunicorn 26.0 and newer have no eventlet worker: use gevent or gthread.")
    return warnings


def _reason(workers: int, decided_by: str, bounds: Bounds, cpu: str, memory: str, tasks: str) -> str:
    verdict = {
        "cpu": "CPU decides",
        "memory": "memory decides",
        "tasks": "TasksMax decides",
        "minimum": f"the minimum of {bounds.minimum} decides",
        "maximum": f"the maximum of {bounds.maximum} decides",
    }[decided_by]
    return f"{_count(workers, 'worker')}: {cpu}; {memory}{tasks}, so {verdict}."


def _available(cpus: Resource, quota: Limit | None, demand: Demand) -> str:
    if quota is not None:
        return f"{_count(quota.amount, 'CPU')} ({quota.directive} of the service)"
    return _cpus(cpus) + ("" if demand.share == 1 else f" x share {_number(demand.share)}")


def _cpu_sentence(available: str, bound: int, cores: Fraction, threads: int, demand: Demand) -> str:
    """Say how the CPU bound comes about, as one would type it into a calculator."""
    busy = _busy_workers(cores, threads, demand)
    measured = demand.wait_ratio is not None
    if _is_async(demand.worker_class) or (not measured and _ceil(busy) + 1 < bound):
        return f"{available}, one worker for each = {bound} by CPU"
    if measured and _ceil(busy) < bound:
        return f"{available}, one worker for each and one in reserve = {bound} by CPU"
    ratio = _number(_wait_ratio(demand))
    product = f"{available} x (1 + wait ratio {ratio})"
    if measured:
        product += f" + {_number(STAFFING)} x sqrt({_number(cores)} x {ratio})"
        product = f"({product})" if threads > 1 else product
    if threads > 1:
        product += f" / {threads} threads"
    if round(busy, _DECIMALS).denominator > 1:
        product += ", rounded up,"
    return f"{product} = {bound} by CPU" if measured else f"{product} + 1 = {bound} by CPU"


def _memory_sentence(memory: Resource, bound: int, budget: _Budget, demand: Demand) -> str:
    """Say how the memory bound comes about. Everything in MiB: mixed units don't add up on a calculator."""
    total = _mib(budget.total) + {"cgroup": " (cgroup limit)", "option": " (as given)"}.get(memory.limited_by, "")
    left = f"{total} - {_mib(budget.reserve)} reserve"
    if demand.share != 1:
        left = f"({left}) x share {_number(demand.share)}"
    if budget.limit is not None:
        left = f"{_mib(budget.limit.amount)} ({budget.limit.directive} of the service)"
    return f"{left} - {_mib(MASTER_MEMORY)} master holds {_workers(bound)} of {_mib(demand.memory_per_worker)}"


def _tasks_sentence(limit: Limit | None, bound: int | None, threads: int, demand: Demand) -> str:
    """Say how the bound by tasks comes about; nothing where there is none."""
    if limit is None or bound is None:
        return ""
    left = f"{_count(limit.amount, 'task')} ({limit.directive} of the service) - {TASKS_RESERVE} for master and reload"
    return f"; {left} hold {_workers(bound)} of 2 x {_count(_tasks_of_a_worker(threads, demand), 'task')}"


def _workers(number: int) -> str:
    return _count(number, "worker") if number else "no worker"


def _cpus(cpus: Resource) -> str:
    if cpus.limited_by == "online":
        return _count(cpus.amount, "core")
    if cpus.limited_by == "option":
        return f"{_count(cpus.amount, 'CPU')} (as given)"
    return f"{cpus.limited_by} of {_count(cpus.amount, 'CPU')}"


def _count(number: float, noun: str) -> str:
    return f"{_number(number)} {noun}{'' if number == 1 else 's'}"


def _mib(size: float) -> str:
    return f"{_number(round(size / MIB, 1))} MiB"


def _number(number: float | Fraction) -> str:
    """Write a number in full, without a trailing .0 or the dust of float arithmetic."""
    return f"{float(number):.{_DECIMALS}f}".rstrip("0").rstrip(".")
