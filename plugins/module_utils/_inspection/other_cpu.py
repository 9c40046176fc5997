# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the other processes of a host compute for each second that its Gunicorn services compute.

The database, the cache and the proxy of a single server compute on the cores of the workers. While a request waits for
them, those cores are not idle, and more workers would not use them. docs/sizing.md derives the ratio that remains.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import host_usage, request_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.host_usage import Moment, Place
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services import Service

# The CPU seconds so far of a service: of its cgroup, else of each of its processes
Counters = t.Tuple[float, ...]

# Of one core, or of what the service may use if that is less. What a host computes anyway would seem to be for the
# requests of a service that computes less than this.
LEAST_CORE = 0.25
# A proxy computes while no worker waits. What the others compute beyond the waiting and this is not for the requests.
MOST_BESIDE_WAITING = 1.0
# The counters of the services are not read in the same moment as that of the host. If that counts less than they do by
# more than this part, it is not the host's.
READING = 0.1
# In percent of the CPU time. With less, the others wait for a core as well, and the requests wait for that.
LEAST_IDLE = 10
# If the others compute less than this for each second of the services, requests hardly wait for them.
LITTLE = 0.1

_AGAIN = "watch it again"
_LOADED = "watch it under the load that counts"
_LONGER = "watch it for longer (sample, capacity_report_sample), under the load that counts"


class SampledCpu(t.NamedTuple):
    """CPU seconds within a sample of so many seconds: of the whole host, and of each Gunicorn service by its master.

    The host's are None where no cgroup counts them, and a service's where something of it has ended meanwhile: its
    counters are gone with it.
    """

    seconds: float
    cores: float  # that all services of the host together may use
    host: float | None
    services: dict[int, float | None]
    managed: frozenset[int]  # the masters that count also in what is said of other services
    idle: float | None  # percent of the CPU time, also of that which the machine's other containers may have


class OtherCpu(t.NamedTuple):
    """CPU seconds of the other processes for each one of the Gunicorn services; None with the reason."""

    ratio: float | None
    problem: str = ""


def read_services(services: list[Service], groups: dict[int, list[str]], root: str = "/") -> dict[int, Counters]:
    """Return what is counted so far of the services that run, some of which have cgroups of their own."""
    return {
        service.master: _count(service, groups.get(service.master, []), root) for service in services if service.master
    }


def _count(service: Service, groups: list[str], root: str) -> Counters:
    cpu = cgroup_counters.read_cpu(groups)
    if cpu:
        return (cpu.used,)
    arbiter = (service.dirty_arbiter,) if service.dirty_arbiter else ()
    pids = (service.master or 0, *service.workers, *arbiter, *service.dirty_workers)
    stats = [processes.read_stat(pid, root) for pid in pids]
    return tuple(stat.cpu_seconds + stat.children_cpu_seconds if stat else 0.0 for stat in stats)


def sampled(
    place: Place,
    moments: tuple[Moment, Moment],
    services: list[Service],
    counters: tuple[dict[int, Counters], dict[int, Counters]],
) -> SampledCpu:
    """Return what was computed between two moments, by the counters of these services."""
    before, after = moments
    early, late = counters
    return SampledCpu(
        seconds=after.time - before.time,
        cores=place.host.cpus.amount,
        host=after.cpu.used - before.cpu.used if before.cpu and after.cpu else None,
        services={master: _spent(early[master], late[master]) for master in early},
        managed=frozenset(service.master for service in services if service.master and service.is_managed),
        idle=host_usage.read_cpu(place, before, after).id,
    )


def _spent(early: Counters, late: Counters) -> float | None:
    if len(early) != len(late) or any(after < before for before, after in zip(early, late)):
        return None
    return sum(late) - sum(early)


def measure(sample: SampledCpu, master: int, requests: int | None, cores: float) -> OtherCpu:
    """Return what the others computed, if the service had so much to do in the sample that this tells something.

    It has answered so many requests in the sample, on so many cores.
    """
    if requests is None or requests < request_counters.ENOUGH:
        return OtherCpu(None, f"it takes {request_counters.ENOUGH} requests within a sample; {_LONGER}")
    spent = _spent_by_services(sample, master)
    services = [cpu for cpu in spent if cpu is not None]
    if len(services) < len(spent):
        return OtherCpu(None, f"processes of a Gunicorn service ended within the sample; {_AGAIN}")
    own = sample.services.get(master)
    least = LEAST_CORE * min(1.0, cores)
    if own is None or own < least * sample.seconds or own <= 0:
        return OtherCpu(None, f"it takes {least:.2g} of a core that the service computes within a sample; {_LOADED}")
    # Requests of all services are what the others compute for: a quiet service must not get the work for a busy one.
    gunicorn = sum(services)
    if sample.host is None or sample.host < (1 - READING) * gunicorn:
        return OtherCpu(None, "no cgroup counts the CPU time of the whole host")
    return OtherCpu(round(max(0.0, sample.host - gunicorn) / gunicorn, 3))


def _spent_by_services(sample: SampledCpu, master: int) -> list[float | None]:
    """Return what was computed by this service and by those that count with it."""
    return [cpu for each, cpu in sample.services.items() if each == master or each in sample.managed]


def waited_for_cores(sample: SampledCpu, master: int) -> bool:
    """Whether all cores were busy, also with others: these waited for a core, and requests of the service for that.

    No counter tells this from other waiting, and more workers would only make it longer.
    """
    if sample.idle is None or sample.idle >= LEAST_IDLE or sample.host is None:
        return False
    gunicorn = sum(cpu or 0.0 for cpu in _spent_by_services(sample, master))
    return sample.host - gunicorn > LITTLE * gunicorn


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
