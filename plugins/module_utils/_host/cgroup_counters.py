# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cgroups count: CPU time, memory, swap, tasks, processes that were killed, and pressure.

Each reader takes the folders that `cgroups` finds, the outermost first, and answers for the innermost with the file.
Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1 (cpuacct, memory) and accounting/psi.rst.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import numbers, read, read_first, whole

# In version 1 no limit is a number close to 2^63.
_UNLIMITED = 1 << 60
_AVERAGE = re.compile(r"\bavg(10|60|300)=([0-9]{1,3}(?:\.[0-9]{1,4})?)")


class CgroupCpu(t.NamedTuple):
    """CPU time of a cgroup in seconds, and for how long and how often its quota held it back."""

    used: float
    user: float | None = None
    system: float | None = None
    throttled: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None


class CgroupMemory(t.NamedTuple):
    """Memory of a cgroup in bytes: all of it, its peak, the part that is cache, and the part that can be dropped."""

    current: int
    peak: int | None
    cache: int
    droppable: int


class CgroupSwap(t.NamedTuple):
    """Swap of a cgroup in bytes; the total is None where it has no limit."""

    total: int | None
    used: int


def read_cpu(groups: list[str]) -> CgroupCpu | None:
    """Return the CPU time of the innermost cgroup that counts it."""
    inner = groups[::-1]
    for group in inner:
        found = numbers(read(os.path.join(group, "cpu.stat")))
        if "usage_usec" in found:  # version 2, also beside version 1 and without any controller
            return CgroupCpu(
                used=_without_steal(found) / 1e6,
                user=_scaled(found, "user_usec", 1e6),
                system=_scaled(found, "system_usec", 1e6),
                **_throttling(found, "throttled_usec", 1e6, inner),
            )
    used = _number(inner, "cpuacct.usage")
    if used is None:
        return None
    return CgroupCpu(
        used=used / 1e9,
        user=_nanoseconds(inner, "cpuacct.usage_user"),
        system=_nanoseconds(inner, "cpuacct.usage_sys"),
        **_throttling({}, "", 1, inner),
    )


def read_memory(groups: list[str]) -> CgroupMemory | None:
    """Return the memory of the innermost cgroup that counts it."""
    inner = groups[::-1]
    current = _number(inner, "memory.current", "memory.usage_in_bytes")
    if current is None:
        return None
    found = numbers(read_first(inner, "memory.stat"))
    # In version 1 the names without total_ leave out the cgroups below.
    files = [found.get(f"total_{name}", found.get(name, 0)) for name in ("inactive_file", "active_file")]
    reclaimable = found.get("slab_reclaimable", 0)
    return CgroupMemory(
        current=current,
        peak=_number(inner, "memory.peak", "memory.max_usage_in_bytes"),
        cache=min(current, found.get("file", found.get("total_cache", found.get("cache", 0))) + reclaimable),
        droppable=min(current, sum(files) + reclaimable),
    )


def read_swap(groups: list[str], memory_limit: int) -> CgroupSwap | None:
    """Return the swap of the innermost cgroup that counts it; None where the kernel does not."""
    inner = groups[::-1]
    used = _number(inner, "memory.swap.current")
    if used is not None:
        return CgroupSwap(total=_number(inner, "memory.swap.max"), used=used)
    both = _number(inner, "memory.memsw.usage_in_bytes")
    limit = _number(inner, "memory.memsw.limit_in_bytes")
    memory = read_memory(groups)
    if both is None or limit is None or memory is None:
        return None
    return CgroupSwap(
        total=None if limit > _UNLIMITED else max(0, limit - memory_limit), used=max(0, both - memory.current)
    )


def read_oom_kills(groups: list[str]) -> int | None:
    """Return how many processes of the innermost cgroup were killed because memory ran out, its own or the host's."""
    found = numbers(read_first(groups[::-1], "memory.events", "memory.oom_control"))
    return found.get("oom_kill")


def read_tasks_limit(groups: list[str]) -> int | None:
    """Return how many tasks the tightest of the cgroups allows; None without a limit."""
    limits = [whole(read(os.path.join(group, "pids.max")).strip()) for group in groups]
    return min((limit for limit in limits if limit is not None), default=None)


def read_pressure(groups: list[str], system: str) -> dict[str, dict[str, float]] | None:
    """Return the averages of pressure stall information by resource; None where the kernel has none.

    They are of the innermost cgroup below the kernel's root cgroup, else of the whole system (a folder of procfs).
    """
    # All cgroups but the kernel's root have this file, also the one that a container sees as its root.
    group = next((group for group in groups[::-1] if os.path.exists(os.path.join(group, "cgroup.type"))), None)
    pressure = {}
    for resource in ("cpu", "memory", "io"):
        text = read(os.path.join(group, f"{resource}.pressure")) if group else ""
        averages = parse_pressure(text or read(os.path.join(system, resource)))
        if averages:
            pressure[resource] = averages
    return pressure or None


def parse_pressure(text: str) -> dict[str, float]:
    """Return the averages in a file of pressure, such as {some_10: 1.5}."""
    averages = {}
    for line in text.splitlines():
        kind, _blank, rest = line.partition(" ")
        if kind in ("some", "full"):
            averages.update({f"{kind}_{span}": float(value) for span, value in _AVERAGE.findall(rest)})
    return averages


def _without_steal(found: dict[str, int]) -> int:
    """Return the microseconds of CPU time in a file of version 2.

    In usage_usec of the root cgroup, older kernels also count what the hypervisor gave to other machines. Everywhere
    else it is the sum of the two.
    """
    return min(found["usage_usec"], found.get("user_usec", 1 << 63) + found.get("system_usec", 0))


def _throttling(found: dict[str, int], name: str, unit: float, inner: list[str]) -> dict[str, t.Any]:
    if name not in found:
        # Version 1, also beside a version 2 that counts the time.
        v1 = (numbers(read(os.path.join(group, "cpu.stat"))) for group in inner)
        found, name, unit = next((other for other in v1 if "throttled_time" in other), {}), "throttled_time", 1e9
    return {
        "throttled": _scaled(found, name, unit),
        "periods": found.get("nr_periods"),
        "throttled_periods": found.get("nr_throttled"),
    }


def _number(inner: list[str], *names: str) -> int | None:
    """Return the number in the first of these files, in the innermost cgroup that has one."""
    return whole(read_first(inner, *names).strip())


def _nanoseconds(inner: list[str], name: str) -> float | None:
    found = _number(inner, name)
    return None if found is None else found / 1e9


def _scaled(found: dict[str, int], name: str, unit: float) -> float | None:
    return found[name] / unit if name in found else None
