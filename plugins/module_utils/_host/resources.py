# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many CPUs and how much memory a service of this host may use.

The limits are those of PID 1, which starts the service, and not those of this process, which runs in the cgroup and
with the affinity of an SSH session. Each reader takes the folder that stands for C(/), so that tests can hand it the
files of other hosts. A limit that can't be read or makes no sense is no limit: the kernel's files differ by version and
by what a container hides, and a module that only informs must not fail for that.

Sources: cgroups(7), cgroup_namespaces(7), proc_pid_mountinfo(5), systemd.slice(5), and the kernel's
Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import KIB, field, join, read, whole

_PID_MAX = 1 << 15  # the kernel's default, see proc_sys_kernel(5)
# Larger numbers make no sense.
_CPU_MAX = 10**5 - 1
_KIB_MAX = 10**16 - 1


class HostFactsError(Exception):
    """The host does not even say what it has; the message says which option to set instead."""


class Resource(t.NamedTuple):
    """How much of something the service may use, what sets this limit, and the file that says so."""

    amount: float
    limited_by: str
    source: str | None = None


class Host(t.NamedTuple):
    """What a service may use. CPUs may be a fraction (a quota); memory is in bytes."""

    cpus: Resource
    memory: Resource


def read_host(slice_name: str, cpus: float | None = None, memory: int | None = None, root: str = "/") -> Host:
    """Return what a service in this slice may use; what is handed in is not read."""
    groups = cgroups.cgroups_of_slice(slice_name, root) if cpus is None or memory is None else []
    return Host(
        cpus=_read_cpus(groups, 1, root) if cpus is None else Resource(cpus, "option"),
        memory=_read_memory(groups, root) if memory is None else Resource(memory, "option"),
    )


def read_host_in(groups: list[str], pid: int = 1, root: str = "/") -> Host:
    """Return what a process in these cgroups, the outermost first, may use with its own affinity."""
    return Host(cpus=_read_cpus(groups, pid, root), memory=_read_memory(groups, root))


def read_memory(slice_name: str, root: str = "/") -> Resource:
    """Return the bytes of memory that a service in this slice may use."""
    return _read_memory(cgroups.cgroups_of_slice(slice_name, root), root)


def read_tasks(root: str = "/") -> int:
    """Return how many tasks the host can have at all: what a percentage in TasksMax= is a percentage of."""
    limits = [whole(read(join(root, f"/proc/sys/kernel/{name}")).strip()) for name in ("pid_max", "threads-max")]
    return min((limit for limit in limits if limit), default=_PID_MAX)


def online_cpus(root: str = "/") -> tuple[frozenset[int], str]:
    """Return the numbers of the CPUs that are online, and the file that says so."""
    path = join(root, "/sys/devices/system/cpu/online")
    online = _cpu_list(read(path))
    if not online:
        path = join(root, "/proc/cpuinfo")
        online = frozenset(int(n) for n in re.findall(r"^processor\s*:\s*([0-9]{1,5})$", read(path), re.MULTILINE))
    if not online:
        raise HostFactsError("Neither /sys nor /proc/cpuinfo says how many CPUs there are: set the option cpus")
    return online, path


def _read_cpus(groups: list[str], pid: int, root: str) -> Resource:
    limit = _usable_cpus(groups, pid, root)
    for quota in _quotas(groups):
        if quota.amount < limit.amount:
            limit = quota
    return limit._replace(source=_on_host(limit.source, root))


def _usable_cpus(groups: list[str], pid: int, root: str) -> Resource:
    """Return how many CPUs are left when each limit that names CPUs has been applied."""
    usable, path = online_cpus(root)
    limit = Resource(float(len(usable)), "online", path)
    for limited_by, path, allowed in _cpu_lists(groups, pid, root):
        narrowed = usable & allowed
        # No CPU in common means that the kernel ignores the limit, and so do we.
        if narrowed and narrowed != usable:
            usable, limit = narrowed, Resource(float(len(narrowed)), limited_by, path)
    return limit


def _cpu_lists(groups: list[str], pid: int, root: str) -> t.Iterator[tuple[str, str, frozenset[int]]]:
    """Yield every list of allowed CPUs: what sets it, its file, and the CPUs."""
    for group in groups:
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus"):
            path = os.path.join(group, name)
            yield "cpuset", path, _cpu_list(read(path))
    path = join(root, f"/proc/{pid}/status")
    affinity = field(read(path), "Cpus_allowed_list")
    if affinity:
        yield "affinity", path, _cpu_list(affinity)


def _cpu_list(text: str) -> frozenset[int]:
    """Return the numbers in a list of CPUs, such as 0-3,8; none if the text is no such list."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        begin, end = whole(first), whole(last if dash else first)
        if begin is None or end is None or max(begin, end) > _CPU_MAX:
            return frozenset()
        cpus.update(range(begin, end + 1))
    return frozenset(cpus)


def _quotas(groups: list[str]) -> t.Iterator[Resource]:
    """Yield every CPU quota, in CPUs."""
    for group in groups:
        v2, v1 = os.path.join(group, "cpu.max"), os.path.join(group, "cpu.cfs_quota_us")
        for path, text in ((v2, read(v2)), (v1, read(v1) + read(os.path.join(group, "cpu.cfs_period_us")))):
            numbers = [whole(word) for word in text.split()]
            if len(numbers) == 2 and numbers[0] and numbers[1]:
                yield Resource(numbers[0] / numbers[1], "quota", path)


def _read_memory(groups: list[str], root: str) -> Resource:
    path = join(root, "/proc/meminfo")
    amount, _blank, unit = field(read(path), "MemTotal").partition(" ")
    total = whole(amount)
    if not total or total > _KIB_MAX or unit != "kB":
        raise HostFactsError("/proc/meminfo does not say how much memory there is: set the option memory")
    limit = Resource(total * KIB, "total", path)
    # memory.high counts as well: a service above it is not killed, but throttled until it hardly runs.
    for group in groups:
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            path = os.path.join(group, name)
            found = whole(read(path).strip())
            if found and found < limit.amount:
                limit = Resource(found, "cgroup", path)
    return limit._replace(source=_on_host(limit.source, root))


def _on_host(path: str | None, root: str) -> str | None:
    return None if path is None else "/" + os.path.relpath(path, root)
