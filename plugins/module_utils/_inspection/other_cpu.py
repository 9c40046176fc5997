# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the other processes of a host compute for each second that its Gunicorn services compute.

The database, the cache and the proxy of a single server compute on the cores of the workers. While a request waits for
them, those cores are not idle, and more workers would not use them. docs/sizing.md derives the ratio that remains.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.host_usage import Moment, Place

# Of one core, or of what the service may use if that is less. What a host computes anyway would seem to be for the
# requests of a service that computes less than this.
LEAST_CORE = 0.25
# A proxy computes while no worker waits. What the others compute beyond the waiting and this is not for the requests.
MOST_BESIDE_WAITING = 1.0
# The counters of the services are not read in the same moment as that of the host. If that counts less than they do by
# more than this part, it is not the host's.
READING = 0.1

_LOADED = "watch it under the load that counts"
_LONGER = "watch it for longer (sample, capacity_report_sample), under the load that counts"


class SampledCpu(t.NamedTuple):
    """CPU seconds within a sample of so many seconds: of the whole host, and of each Gunicorn service by its master.

    Only services with a cgroup of their own are in it. The host's are None where no cgroup counts them.
    """

    seconds: float
    cores: float  # that all services of the host together may use
    host: float | None
    services: dict[int, float]


class OtherCpu(t.NamedTuple):
    """CPU seconds of the other processes for each one of the Gunicorn services; None with the reason."""

    ratio: float | None
    problem: str = ""


def read_services(groups: dict[int, list[str]]) -> dict[int, float]:
    """Return the CPU seconds so far of the services whose cgroups these are."""
    found = {master: cgroup_counters.read_cpu(folders) for master, folders in groups.items()}
    return {master: cpu.used for master, cpu in found.items() if cpu}


def sampled(
    place: Place, moments: tuple[Moment, Moment], services: tuple[dict[int, float], dict[int, float]]
) -> SampledCpu:
    """Return what was computed between two moments."""
    before, after = moments
    early, late = services
    spent = {master: late[master] - early[master] for master in late if master in early}
    return SampledCpu(
        seconds=after.time - before.time,
        cores=place.host.cpus.amount,
        host=after.cpu.used - before.cpu.used if before.cpu and after.cpu else None,
        services={master: cpu for master, cpu in spent.items() if cpu >= 0},
    )


def measure(sample: SampledCpu, master: int, own: float | None, requests: int | None, cores: float) -> OtherCpu:
    """Return what the others computed, if the service had so much to do in the sample that this tells something.

    `own` are the CPU seconds of a service without a cgroup of its own. It has answered so many requests in the sample,
    on so many cores.
    """
    # Read in the same moments as the host's
    own = sample.services.get(master, own)
    if requests is None or requests < request_counters.ENOUGH:
        return OtherCpu(None, f"it takes {request_counters.ENOUGH} requests within a sample; {_LONGER}")
    least = LEAST_CORE * min(1.0, cores)
    if own is None or own < least * sample.seconds or own <= 0:
        return OtherCpu(None, f"it takes {least:.2g} of a core that the service computes within a sample; {_LOADED}")
    # Requests of all services are what the others compute for: a quiet service must not get the work for a busy one.
    gunicorn = own + sum(cpu for other, cpu in sample.services.items() if other != master)
    if sample.host is None or sample.host < (1 - READING) * gunicorn:
        return OtherCpu(None, "no cgroup counts the CPU time of the whole host")
    return OtherCpu(round(max(0.0, sample.host - gunicorn) / gunicorn, 3))


def is_unrelated(wait_ratio: float, other: float) -> bool:
    """Whether the others compute so much that most of it can't be for the requests, such as a backup."""
    return other > wait_ratio + MOST_BESIDE_WAITING


def effective_ratio(wait_ratio: float, other: float | None, cores: float, host_cores: float) -> float:
    """Return the wait ratio that says how many workers keep the cores busy.

    Each second that the service computes takes 1 + `other` seconds of the host's cores, and occupies a worker for
    1 + `wait_ratio`. So all cores of the host are busy with host_cores / (1 + other) x (1 + wait_ratio) workers. The
    rule multiplies 1 + the ratio by the cores of the service, which limits of its own make fewer. Those are busy with
    the measured ratio, if that comes first.
    """
    if other is None or is_unrelated(wait_ratio, other):
        return wait_ratio
    busy = host_cores * (1 + wait_ratio) / (1 + other)
    return max(0.0, min(wait_ratio, busy / cores - 1))
