# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's memory, swap, CPU, load and pressure are just now: small readers of procfs and of its cgroup.

Where a container's or a slice's limit is smaller than what the machine has, the readings are of its cgroup.
Sources: proc_meminfo(5), proc_vmstat(5), proc_stat(5), proc_loadavg(5), free(1).
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _cgroup, _host_health, _hostfacts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._kernel_files import join, numbers, read, whole
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import Host, Resource

KIB = 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FIELDS = ("us", "ni", "sy", "id", "wa", "hi", "si", "st")  # the order of /proc/stat
_LOADS = re.compile(r"([0-9]{1,9}\.[0-9]{1,4}) ([0-9]{1,9}\.[0-9]{1,4}) ([0-9]{1,9}\.[0-9]{1,4}) ")


class Moment(t.NamedTuple):
    """What counters say at one moment; two of them make a sample."""

    time: float
    ticks: tuple[int, ...]  # of /proc/stat, in the order of its fields
    cpu: _cgroup.Cpu | None  # of the cgroup
    paged: tuple[int, int] | None  # bytes that were swapped in and out


class Place(t.NamedTuple):
    """What the host may use, and the cgroups around all of its services, the outermost first."""

    host: Host
    groups: list[str]


def read_place(root: str = "/") -> Place:
    """Return what all services of this host together may use."""
    return Place(_hostfacts.read_host("-.slice", root=root), _hostfacts.cgroups_of_slice("-.slice", root))


def read_moment(place: Place, time: float, root: str = "/") -> Moment:
    """Read the counters."""
    fields = read(join(root, "/proc/stat")).partition("\n")[0].split()
    ticks = [whole(field) or 0 for field in fields[1:9]] if fields[:1] == ["cpu"] else []
    return Moment(
        time=time,
        ticks=tuple(ticks + [0] * (8 - len(ticks))) if ticks else (),
        cpu=_cgroup.read_cpu(place.groups),
        paged=_read_paged(place, root),
    )


def _read_paged(place: Place, root: str) -> tuple[int, int] | None:
    if place.host.memory.limited_by == "cgroup":
        # Newer kernels count it by cgroup; the machine's swapping would be that of others.
        found = numbers(read(_beside(place.host.memory, "memory.stat", root)))
    else:
        found = numbers(read(join(root, "/proc/vmstat")))
    if "pswpin" not in found or "pswpout" not in found:
        return None
    return found["pswpin"] * _PAGE, found["pswpout"] * _PAGE


def read_memory(place: Place, root: str = "/") -> _host_health.Memory:
    """Return the memory as free(1) reckons it, or that of the cgroup if that has a limit."""
    usage = _cgroup.read_memory(_limiting(place, root)) if place.host.memory.limited_by == "cgroup" else None
    return parse_memory(place, read(join(root, "/proc/meminfo")), usage)


def parse_memory(place: Place, meminfo: str, usage: _cgroup.Memory | None = None) -> _host_health.Memory:
    """Return the memory by what meminfo says, and by what the cgroup uses."""
    found = {name: size * KIB for name, size in numbers(meminfo).items()}
    total = int(place.host.memory.amount)
    cache = found.get("Buffers", 0) + found.get("Cached", 0) + found.get("SReclaimable", 0)
    free = min(found.get("MemFree", 0), total)
    available = found.get("MemAvailable", free + cache)
    if usage:
        # The cgroup may be allowed more than the machine has left.
        room = min(max(0, total - usage.current), available)
        free, cache = max(0, total - usage.current), min(usage.cache, total)
        available = min(room + usage.droppable, total)
    else:
        cache = min(cache, total - free)
    return _host_health.Memory(
        total=total,
        used=total - free - cache,
        free=free,
        buffers_cache=cache,
        available=min(available, total),
        limited_by=place.host.memory.limited_by,
    )


def read_swap(place: Place, before: Moment, after: Moment, root: str = "/") -> _host_health.Swap:
    """Return the swap, and what moved between the two moments."""
    found = {name: size * KIB for name, size in numbers(read(join(root, "/proc/meminfo"))).items()}
    total = found.get("SwapTotal", 0)
    used = max(0, total - found.get("SwapFree", 0))
    if place.host.memory.limited_by == "cgroup":
        own = _cgroup.read_swap(_limiting(place, root), int(place.host.memory.amount))
        if own:
            total, used = total if own.total is None else min(own.total, total), own.used
    moved = _rates(before, after)
    return _host_health.Swap(
        total=total,
        used=used,
        in_per_second=moved[0] if moved else None,
        out_per_second=moved[1] if moved else None,
        compressed=_is_compressed(read(join(root, "/proc/swaps"))),
    )


def _rates(before: Moment, after: Moment) -> tuple[float, float] | None:
    seconds = after.time - before.time
    if before.paged is None or after.paged is None or seconds <= 0:
        return None
    moved_in, moved_out = (max(0, late - early) / seconds for early, late in zip(before.paged, after.paged))
    return moved_in, moved_out


def _is_compressed(swaps: str) -> bool:
    """Whether all swap is zram, which lies in memory itself."""
    names = [line.split()[0] for line in swaps.splitlines()[1:] if line.split()]
    return bool(names) and all(name.startswith("/dev/zram") for name in names)


def read_cpu(place: Place, before: Moment, after: Moment) -> _host_health.Cpu:
    """Return what the CPU time between two moments was spent on, by the cgroup where that limits the CPUs."""
    seconds = after.time - before.time
    if place.host.cpus.limited_by in ("quota", "cpuset") and before.cpu and after.cpu and seconds > 0:
        return _cpu_of_cgroup(place.host.cpus.amount, before.cpu, after.cpu, seconds)
    spent = [max(0, late - early) for early, late in zip(before.ticks, after.ticks)]
    total = sum(spent)
    if not total:
        return _host_health.Cpu(*[None] * 8, sample=seconds)
    percent = dict(zip(_FIELDS, (round(100 * ticks / total, 1) for ticks in spent)))
    return _host_health.Cpu(sample=seconds, **percent)


def _cpu_of_cgroup(cpus: float, before: _cgroup.Cpu, after: _cgroup.Cpu, seconds: float) -> _host_health.Cpu:
    """What a cgroup does not count by itself (waiting, interrupts, steal) is not known."""

    def percent(early: float | None, late: float | None) -> float | None:
        if early is None or late is None:
            return None
        return round(min(100.0, max(0.0, 100 * (late - early) / (cpus * seconds))), 1)

    used = percent(before.used, after.used) or 0.0
    periods = (after.periods or 0) - (before.periods or 0)
    throttled = (after.throttled_periods or 0) - (before.throttled_periods or 0)
    return _host_health.Cpu(
        us=percent(before.user, after.user),
        sy=percent(before.system, after.system),
        ni=None,
        id=round(100 - used, 1),
        wa=None,
        hi=None,
        si=None,
        st=None,
        sample=seconds,
        throttled=_share(throttled, periods) if after.periods is not None else None,
    )


def _share(part: int, of: int) -> float:
    return round(100 * min(1.0, max(0.0, part / of)), 1) if of > 0 else 0.0


def read_load(root: str = "/") -> _host_health.Load | None:
    """Return the load average. It is the machine's, and so are the cores, also in a container with fewer."""
    found = _LOADS.match(read(join(root, "/proc/loadavg")))
    cores = len(_hostfacts.online_cpus(root)[0])
    return _host_health.Load(*(float(value) for value in found.groups()), cores=cores) if found else None


def read_pressure(place: Place, root: str = "/") -> dict[str, dict[str, float]] | None:
    """Return the averages of pressure by resource; None where the kernel has none."""
    return _cgroup.read_pressure(place.groups, join(root, "/proc/pressure"))


def _limiting(place: Place, root: str) -> list[str]:
    """Return the cgroup that limits the memory."""
    return [os.path.dirname(_beside(place.host.memory, "memory.stat", root))]


def _beside(resource: Resource, name: str, root: str) -> str:
    return join(root, os.path.join(os.path.dirname(resource.source or "/"), name))
