# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured of a service: its requests, by its counters or its access log, and what the sizing takes of them."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    access_log,
    other_cpu,
    request_counters,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.access_log import AccessLogError, Sample, Spent
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.other_cpu import OtherCpu, SampledCpu
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.requests import Requests
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.service_details import Counted, ServiceDetails
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

# Of the ends of all access logs together, and so many times as much of what is written within the sample
ACCESS_LOG_BYTES = 1 * MIB
SAMPLED_TIMES = 8
# In MiB; the memory of workers is rounded up to a multiple
MEMORY_STEP = 8
# Workers no more than this much younger than their master are its first ones
START_SECONDS = 60


class Watched(t.NamedTuple):
    """What was seen of a service in a sample, and what it has."""

    counted: tuple[Counted, Counted]  # its counters at both ends
    cpu: SampledCpu
    cores: float
    slots: int | None  # requests that its workers can work on at a time; None without a number


class Measured(t.NamedTuple):
    """The requests, as the module returns them, and the wait ratio for the sizing; None is not known."""

    requests: dict[str, t.Any] | None
    wait_ratio: float | None


def read_requests(
    details: ServiceDetails,
    watched: Watched,
    processes: list[dict[str, t.Any]],
    log_bytes: int,
    root: str,
    unseen: list[str],
) -> Measured:
    """Return the requests by the service's own counters, else by its access log, and what others computed for them."""
    master = details.service.master
    if not master:
        return Measured(None, None)
    requests, source = _read_counted(watched.counted, unseen), "counters"
    if requests is None:
        requests = _read_logged(details, watched.counted, processes, log_bytes, root, unseen)
        source = "access_log"
    if requests is None:
        return Measured(None, None)
    other = other_cpu.measure(watched.cpu, master, requests.in_sample, watched.cores)
    ratio = requests.wait_ratio
    # Without waiting, there are no workers beyond the cores that others could make useless.
    if ratio:
        _note_other(ratio, other, unseen)
        ratio = other_cpu.effective_ratio(ratio, other.ratio, watched.cores, watched.cpu.cores)
        if _is_hidden(ratio, requests.in_sample, master, watched):
            ratio = None
            unseen.append(
                "wait ratio for the sizing: the cores were busy, so that other processes waited for a core, too, and "
                "the requests for them; watch it under less load"
            )
    told = {name: value for name, value in requests._asdict().items() if name != "in_sample"}
    latency = requests.latency and requests.latency._asdict()
    return Measured({**told, "latency": latency, "other_cpu_ratio": other.ratio, "source": source}, ratio)


def _is_hidden(ratio: float, in_sample: int | None, master: int, watched: Watched) -> bool:
    """Whether the ratio can't be the waiting: it asks for more than these workers, and they keep the cores busy."""
    is_enough = (in_sample or 0) >= request_counters.ENOUGH
    if not (watched.slots and is_enough and other_cpu.waited_for_cores(watched.cpu, master)):
        return False
    # Not at the top: only a busy host needs them.
    from fractions import Fraction

    from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import rule
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand

    cores = Fraction(str(watched.cores))
    wanted = rule.ceil(rule.busy_workers(cores, 1, Demand(wait_ratio=ratio)))
    return wanted > max(watched.slots, rule.ceil(cores) + 1)


def _note_other(wait_ratio: float, other: OtherCpu, unseen: list[str]) -> None:
    problem = other.problem
    if other.ratio is not None and other_cpu.is_unrelated(wait_ratio, other.ratio):
        problem = (
            f"{other.ratio:.2g} s for each second of the service is more than these wait; "
            "measure again without a backup or the like"
        )
    if problem:
        unseen.append(f"what other processes compute for its requests: {problem}")


def _read_counted(counted: tuple[Counted, Counted], unseen: list[str]) -> Requests | None:
    """Return the requests by the service's own counters."""
    early, late = counted
    requests = request_counters.summarize(late.counters, time.time())
    if requests is None:
        return None
    if requests.wait_ratio is None:
        unseen.append(f"wait ratio: it takes {request_counters.ENOUGH} requests that are alone in their process")
    before, after = (sum(part.requests for part in each.counters) for each in (early, late))
    return requests._replace(in_sample=after - before)


def _read_logged(
    details: ServiceDetails,
    counted: tuple[Counted, Counted],
    processes: list[dict[str, t.Any]],
    log_bytes: int,
    root: str,
    unseen: list[str],
) -> Requests | None:
    """Return the requests by the service's access log."""
    path, log_format = details.configured.accesslog, details.configured.access_log_format
    if not path or not path.startswith("/") or not log_format or details.started is None:
        unseen.append("requests: no access log in a file, with a format that is known")
        return None
    early, late = counted
    sample = Sample(early.access_log_size, late.access_log_size, _spent_in_sample(counted))
    life = (details.started, time.time())
    longest = max(log_bytes, min(sample.end - sample.begin, SAMPLED_TIMES * log_bytes))
    try:
        requests = access_log.read_requests(
            join(root, path), log_format, longest, life, sample, _spent_in_life(late.spent, processes)
        )
    except AccessLogError as error:
        unseen.append(f"requests: {path} does not tell ({error})")
        return None
    if requests is None:
        return None
    if requests.latency is None:
        unseen.append("latency: the access log's format has none of %(D)s, %(L)s, %(M)s and %(T)s")
    elif requests.wait_ratio is None:
        unseen.append(
            f"wait ratio: it takes {access_log.ENOUGH_IN_SAMPLE} requests within the sample, or "
            f"{access_log.ENOUGH_IN_LIFE} in a log since the start whose workers all are still there"
        )
    return requests


def measured_needs(measured: Measured, memory: dict[str, int | None]) -> dict[str, t.Any] | None:
    """Return what gunicorn_sizing_info takes, rounded so that a second measurement of a service gives the same."""
    requests, ratio = measured
    per_worker = memory["per_worker"]
    # A worker that has served few requests has not yet taken all the memory that it will take.
    if requests is None or requests["count"] < request_counters.ENOUGH or per_worker is None:
        return None
    return {
        "wait_ratio": None if ratio is None else float(f"{ratio:.2g}"),
        "memory_per_worker": f"{-(-2 * per_worker // (MEMORY_STEP * MIB)) * MEMORY_STEP}M",
        "requests": requests["count"],
    }


def slots_of(details: ServiceDetails) -> int | None:
    """Return how many requests the workers can work on at a time; None for event loops, and if it is not known."""
    worker_class, threads = details.configured.worker_class, details.configured.threads
    if threads is None or worker_class is None or worker_classes.is_async(worker_class):
        return None
    return len(details.service.workers) * threads


def _spent_in_sample(counted: tuple[Counted, Counted]) -> Spent:
    early, late = counted
    return Spent(*(_difference(before, after) for before, after in zip(early.spent, late.spent)))


def _difference(before: float | None, after: float | None) -> float | None:
    """Return what was spent in the sample; None where a worker ended, as its counters are gone with it."""
    return after - before if before is not None and after is not None and after >= before else None


def _spent_in_life(spent: Spent, processes: list[dict[str, t.Any]]) -> Spent:
    """Return what was spent since the start; the time in the queue for a CPU is known if no worker has ended since."""
    started = [process["started"] for process in processes]
    from_the_start = bool(started) and max(started) - min(started) < START_SECONDS
    return spent if from_the_start else spent._replace(queued=None)
