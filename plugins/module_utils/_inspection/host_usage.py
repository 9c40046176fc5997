# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is used of a host now: its memory, swap and CPU, its load and its pressure.

Where the limit of a container is smaller than what the machine has, the readings are of its cgroup.
Sources: proc_meminfo(5), proc_vmstat(5), proc_stat(5), proc_loadavg(5), free(1).
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters, cgroups, resources
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.cgroup_counters import CgroupCpu, CgroupMemory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import KIB, join, numbers, read, whole
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource

_PAGE = os.sysconf("SC_PAGE_SIZE")
_FIELDS = ("us", "ni", "sy", "id", "wa", "hi", "si", "st")  # the order of /proc/stat
_LOADS = re.compile(r"([0-9]{1,9}\.[0-9]{1,4}) ([0-9]{1,9}\.[0-9]{1,4}) ([0-9]{1,9}\.[0-9]{1,4}) ")


class Moment(t.NamedTuple):
    """What counters say at one moment; two of them make a sample."""

    time: float
    ticks: tuple[int, ...]  # of /proc/stat, in the order of its fields
    cpu: CgroupCpu | None  # of the cgroup
    paged: tuple[int, int] | None  # bytes that were swapped in and out


class Place(t.NamedTuple):
    """What all services of the host together may use, and the cgroups around them, the outermost first."""

    host: Host
    groups: list[str]


class Memory(t.NamedTuple):
    """Memory in bytes: used, free and buffers_cache add up to the total; available can be had without swapping."""

    total: int
    used: int
    free: int
    buffers_cache: int
    available: int
    limited_by: str = "total"

    @property
    def cache_share(self) -> float:
        """The part of the memory that is cache, from 0 to 1."""
        return self.buffers_cache / self.total


class Swap(t.NamedTuple):
    """Swap in bytes, and the bytes a second that moved; None is not known."""

    total: int
    used: int
    in_per_second: float | None = None
    out_per_second: float | None = None
    compressed: bool = False  # all of it is in memory (zram)


class Cpu(t.NamedTuple):
    """Percent of the CPU time of a sample of so many seconds, named as in `top`; None is not known.

    throttled is the percentage of scheduling periods in which a quota held the tasks back.
    """

    us: float | None
    sy: float | None
    ni: float | None
    id: float | None
    wa: float | None
    hi: float | None
    si: float | None
    st: float | None
    sample: float
    throttled: float | None = None


class Load(t.NamedTuple):
    """The load average, and the cores that the load is on."""

    one: float
    five: float
    fifteen: float
    cores: int


def read_place(root: str = "/") -> Place:
    """Return what all services of this host together may use, and their cgroups."""
    groups = cgroups.cgroups_of_slice("-.slice", root)
    return Place(resources.read_host_in(groups, root=root), groups)


def read_moment(place: Place, time: float, root: str = "/") -> Moment:
    """Return what the counters of the host say at this time, in seconds of a monotonic clock."""
    fields = read(join(root, "/proc/stat")).partition("\n")[0].split()
    ticks = [whole(field) or 0 for field in fields[1:9]] if fields[:1] == ["cpu"] else []
    return Moment(
        time=time,
        ticks=tuple(ticks + [0] * (8 - len(ticks))) if ticks else (),
        cpu=cgroup_counters.read_cpu(place.groups),
        paged=_read_paged(place, root),
    )


def _read_paged(place: Place, root: str) -> tuple[int, int] | None:
    if place.host.memory.limited_by == "cgroup":
        # Newer kernels count it for each cgroup. The machine's would include the swapping of others.
        found = numbers(read(_beside(place.host.memory, "memory.stat", root)), "pswp")
    else:
        found = numbers(read(join(root, "/proc/vmstat")), "pswp")
    if "pswpin" not in found or "pswpout" not in found:
        return None
    return found["pswpin"] * _PAGE, found["pswpout"] * _PAGE


def read_memory(place: Place, root: str = "/") -> Memory:
    """Return the memory as free(1) computes it, or that of the cgroup if that has a limit."""
    usage = cgroup_counters.read_memory(_limiting(place, root)) if place.host.memory.limited_by == "cgroup" else None
    return parse_memory(place, read(join(root, "/proc/meminfo")), usage)


def parse_memory(place: Place, meminfo: str, usage: CgroupMemory | None = None) -> Memory:
    """Return the memory by the text of meminfo, and by what the cgroup uses, if that has a limit."""
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
    return Memory(
        total=total,
        used=total - free - cache,
        free=free,
        buffers_cache=cache,
        available=min(available, total),
        limited_by=place.host.memory.limited_by,
    )


def read_swap(place: Place, before: Moment, after: Moment, root: str = "/") -> Swap:
    """Return the swap, and how much moved between the two moments."""
    found = {name: size * KIB for name, size in numbers(read(join(root, "/proc/meminfo"))).items()}
    total = found.get("SwapTotal", 0)
    used = max(0, total - found.get("SwapFree", 0))
    if place.host.memory.limited_by == "cgroup":
        own = cgroup_counters.read_swap(_limiting(place, root), int(place.host.memory.amount))
        if own:
            total, used = total if own.total is None else min(own.total, total), own.used
    moved = _rates(before, after)
    return Swap(
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
    """Whether all swap is zram, which is in memory itself."""
    names = [line.split()[0] for line in swaps.splitlines()[1:] if line.split()]
    return bool(names) and all(name.startswith("/dev/zram") for name in names)


def read_cpu(place: Place, before: Moment, after: Moment) -> Cpu:
    """Return what the CPU time between two moments was spent on; that of the cgroup if it limits the CPUs."""
    seconds = after.time - before.time
    if place.host.cpus.limited_by in ("quota", "cpuset") and before.cpu and after.cpu and seconds > 0:
        return _cpu_of_cgroup(place.host.cpus.amount, before.cpu, after.cpu, seconds)
    spent = [max(0, late - early) for early, late in zip(before.ticks, after.ticks)]
    total = sum(spent)
    if not total:
        return Cpu(*[None] * 8, sample=seconds)
    percent = dict(zip(_FIELDS, (round(100 * ticks / total, 1) for ticks in spent)))
    return Cpu(sample=seconds, **percent)


def _cpu_of_cgroup(cpus: float, before: CgroupCpu, after: CgroupCpu, seconds: float) -> Cpu:
    """Return the percentages of a cgroup, which does not count waiting, interrupts and steal."""

    def percent(early: float | None, late: float | None) -> float | None:
        if early is None or late is None:
            return None
        return round(min(100.0, max(0.0, 100 * (late - early) / (cpus * seconds))), 1)

    used = percent(before.used, after.used) or 0.0
    periods = (after.periods or 0) - (before.periods or 0)
    throttled = (after.throttled_periods or 0) - (before.throttled_periods or 0)
    return Cpu(
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


def read_load(root: str = "/") -> Load | None:
    """Return the load average. It is the machine's, so its cores count, also in a container with fewer."""
    found = _LOADS.match(read(join(root, "/proc/loadavg")))
    cores = len(resources.online_cpus(root)[0])
    return Load(*(float(value) for value in found.groups()), cores=cores) if found else None


def read_pressure(place: Place, root: str = "/") -> dict[str, dict[str, float]] | None:
    """Return the averages of pressure by resource; None where the kernel has none."""
    return cgroup_counters.read_pressure(place.groups, join(root, "/proc/pressure"))


def _limiting(place: Place, root: str) -> list[str]:
    """Return the folder of the cgroup that limits the memory."""
    return [os.path.dirname(_beside(place.host.memory, "memory.stat", root))]


def _beside(resource: Resource, name: str, root: str) -> str:
    return join(root, os.path.join(os.path.dirname(resource.source or "/"), name))
