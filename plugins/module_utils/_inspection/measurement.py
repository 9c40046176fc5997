# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured of a service: its requests, by its counters or its access log, and what the sizing takes of them."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import access_log, request_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.access_log import AccessLogError, Sample, Spent
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.requests import Requests
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.service_details import Counted, ServiceDetails

MIB = 1 << 20
# Of the ends of all access logs together
ACCESS_LOG_BYTES = 1 * MIB
# In MiB; the memory of workers is rounded up to a multiple
MEMORY_STEP = 8
# Workers no more than this much younger than their master are its first ones
START_SECONDS = 60


def read_requests(
    details: ServiceDetails,
    counted: tuple[Counted, Counted],
    processes: list[dict[str, t.Any]],
    log_bytes: int,
    root: str,
    unseen: list[str],
) -> dict[str, t.Any] | None:
    """Return the requests by the service's own counters, else by its access log."""
    if not details.service.master:
        return None
    counters = request_counters.read(join(root, f"/run/gunicorn/{details.service.name}"), time.time())
    if counters is not None:
        if counters.wait_ratio is None:
            unseen.append(f"wait ratio: it takes {request_counters.ENOUGH} requests that are alone in their process")
        return _told(counters, "counters")
    path, log_format = details.configured.accesslog, details.configured.access_log_format
    if not path or not path.startswith("/") or not log_format or details.started is None:
        unseen.append("requests: no access log in a file, with a format that is known")
        return None
    early, late = counted
    sample = Sample(
        early.access_log_size,
        late.access_log_size,
        Spent(*(_difference(before, after) for before, after in zip(early.spent, late.spent))),
    )
    life = (details.started, time.time())
    try:
        requests = access_log.read_requests(
            join(root, path), log_format, log_bytes, life, sample, _spent_in_life(late.spent, processes)
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
    return _told(requests, "access_log")


def measured_needs(requests: dict[str, t.Any] | None, memory: dict[str, int | None]) -> dict[str, t.Any] | None:
    """Return what gunicorn_sizing_info takes, rounded so that a second measurement of a service gives the same."""
    per_worker = memory["per_worker"]
    # A worker that has served few requests has not yet taken all the memory that it will take.
    if requests is None or requests["count"] < request_counters.ENOUGH or per_worker is None:
        return None
    ratio = requests["wait_ratio"]
    return {
        "wait_ratio": None if ratio is None else float(f"{ratio:.2g}"),
        "memory_per_worker": f"{-(-2 * per_worker // (MEMORY_STEP * MIB)) * MEMORY_STEP}M",
        "requests": requests["count"],
    }


def _told(requests: Requests, source: str) -> dict[str, t.Any]:
    return {**requests._asdict(), "latency": requests.latency and requests.latency._asdict(), "source": source}


def _difference(before: float | None, after: float | None) -> float | None:
    """Return what was spent in the sample; None where a worker ended, as its counters are gone with it."""
    return after - before if before is not None and after is not None and after >= before else None


def _spent_in_life(spent: Spent, processes: list[dict[str, t.Any]]) -> Spent:
    """Return what was spent since the start; the time in the queue for a CPU is known if no worker has ended since."""
    started = [process["started"] for process in processes]
    from_the_start = bool(started) and max(started) - min(started) < START_SECONDS
    return spent if from_the_start else spent._replace(queued=None)
