# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes as procfs shows them: their arguments, environment, parents, memory and CPU time.

A process that ends while it is read counts as gone.
Sources: proc_pid_cmdline(5), proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5), and the kernel's
Documentation/scheduler/sched-stats.rst.
"""

from __future__ import annotations

import os
import pwd
import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import as_owner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import (
    KIB,
    join,
    list_folder,
    numbers,
    plain,
    read,
    read_bytes,
    whole,
)

TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST = 1 << 16  # of a command line
_LONGEST_ENVIRONMENT = 4 << 20  # more than the kernel lets a process be started with, on any usual host


class Stat(t.NamedTuple):
    """What the kernel counts for a process and its ended children, in seconds; `started` is counted from the boot."""

    parent: int
    cpu_seconds: float
    children_cpu_seconds: float
    started: float


class Sizes(t.NamedTuple):
    """The memory of a process as everybody may see it, in bytes, its threads, and the id of its user."""

    rss: int
    peak_rss: int | None
    swap: int | None
    threads: int | None
    uid: int | None


class Pages(t.NamedTuple):
    """How the pages of a process are shared, in bytes. None is what an older kernel does not tell."""

    pss: int
    private: int
    shared: int
    anonymous: int
    pss_file: int | None
    pss_shmem: int | None


class Scheduling(t.NamedTuple):
    """For how many seconds a process's present threads ran, and were ready to run without a CPU."""

    ran: float
    queued: float


def read_command_lines(root: str = "/", word: str = "") -> t.Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the id and the arguments of every process that shows some; with a word, of those that have it in them."""
    wanted = word.encode()
    for pid in read_ids(root):
        text = _read_command_line(pid, root)
        arguments = parse_arguments(text) if wanted in text else ()
        if arguments:
            yield pid, arguments


def read_ids(root: str = "/") -> t.Iterator[int]:
    """Yield the id of every process."""
    for name in list_folder(join(root, "/proc")):
        pid = whole(name)
        if pid is not None:
            yield pid


def read_arguments(pid: int, root: str = "/") -> tuple[str, ...]:
    """Return the arguments of a process; a title that it gave itself is one argument."""
    return parse_arguments(_read_command_line(pid, root))


def _read_command_line(pid: int, root: str) -> bytes:
    return read_bytes(join(root, f"/proc/{pid}/cmdline"), _LONGEST)


def parse_arguments(text: bytes) -> tuple[str, ...]:
    """Return the arguments in a file cmdline."""
    # setproctitle overwrites the former arguments, and fills the rest with NUL.
    text = text.rstrip(b"\0")
    return tuple(part.decode("utf-8", "replace") for part in text.split(b"\0")) if text else ()


def read_environment(pid: int, root: str = "/") -> dict[str, str]:
    """Return the environment with which a process was started; empty where it is gone or may not be read.

    The process itself can write over it. What is not UTF-8 is replaced, so that a module can return it.
    """
    text = as_owner.read_bytes(pid, join(root, f"/proc/{pid}/environ"), _LONGEST_ENVIRONMENT, root)
    items = text.decode("utf-8", "replace").split("\0")
    return dict(item.split("=", 1) for item in items if "=" in item)


def read_interpreter(pid: int, root: str = "/") -> str | None:
    """Return the path of the program that a process runs; None where it may not be seen."""
    path = plain(as_owner.read_link(pid, join(root, f"/proc/{pid}/exe"), root) or "")
    if not path:
        return None
    return path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path


def read_user(pid: int, root: str = "/") -> str | None:
    """Return the name of a process's user, or its id where it has no name; None where the process is gone."""
    sizes = read_sizes(pid, root)
    if sizes is None or sizes.uid is None:
        return None
    try:
        return pwd.getpwuid(sizes.uid).pw_name
    except (KeyError, OverflowError):
        return str(sizes.uid)


def read_stat(pid: int, root: str = "/") -> Stat | None:
    """Return what the kernel counts for a process, None where it is gone."""
    return parse_stat(_read_stat_file(pid, root))


def parse_stat(text: str) -> Stat | None:
    """Return what a file stat says."""
    fields = _stat_fields(text)
    # Old kernels may have numbers below zero for reaped children, and for nothing else.
    parent, user, system, children_user, children_system, started = (
        whole(fields[number].lstrip("-")) if len(fields) > number else None for number in (1, 11, 12, 13, 14, 19)
    )
    if parent is None or user is None or system is None or started is None:
        return None
    return Stat(
        parent=parent,
        cpu_seconds=(user + system) / TICKS,
        children_cpu_seconds=((children_user or 0) + (children_system or 0)) / TICKS,
        started=started / TICKS,
    )


def parent_of(pid: int | str, root: str = "/") -> int:
    """Return the id of a process's parent; 0 where the process is gone."""
    fields = _stat_fields(_read_stat_file(pid, root))
    return whole(fields[1]) or 0 if len(fields) > 1 else 0


def ancestors_of(pid: int, root: str = "/") -> set[int]:
    """Return the ids of a process's parent, its parent's parent and so on, without the first process."""
    found: set[int] = set()
    while True:
        pid = parent_of(pid, root)
        if pid <= 1 or pid in found:
            return found
        found.add(pid)


def descendants_of(pid: int, root: str = "/") -> set[int]:
    """Return the ids of a process's children, their children and so on."""
    return descendants_in(read_parents(root), pid)


def read_parents(root: str = "/") -> dict[int, int]:
    """Return the id of each process's parent, by the process's own."""
    return {pid: parent_of(pid, root) for pid in read_ids(root)}


def descendants_in(parents: dict[int, int], pid: int) -> set[int]:
    """Return the ids of a process's children, their children and so on, of the processes that were read."""
    found: set[int] = set()
    while True:
        more = {child for child, parent in parents.items() if parent == pid or parent in found} - found - {pid}
        if not more:
            return found
        found |= more


def children_of(pid: int, root: str = "/") -> set[int]:
    """Return the ids of a process's children."""
    return {child for child, parent in read_parents(root).items() if parent == pid}


def _read_stat_file(pid: int | str, root: str) -> str:
    return read(join(root, f"/proc/{pid}/stat"))


def _stat_fields(text: str) -> list[str]:
    """Return the fields of a file stat from the state on: before it is a name that may hold blanks and brackets."""
    return text.rpartition(")")[2].split()


def read_sizes(pid: int, root: str = "/") -> Sizes | None:
    """Return the memory and threads of a process, None where it is gone or a zombie."""
    return parse_status(read(join(root, f"/proc/{pid}/status")))


def parse_status(text: str) -> Sizes | None:
    """Return what a file status says; sizes in it are in KiB."""
    found = numbers(text)
    if "VmRSS" not in found:
        return None
    return Sizes(
        rss=found["VmRSS"] * KIB,
        peak_rss=_bytes(found, "VmHWM"),
        swap=_bytes(found, "VmSwap"),
        threads=found.get("Threads"),
        uid=found.get("Uid"),
    )


def read_pages(pid: int, root: str = "/") -> Pages | None:
    """Return how the pages of a process are shared; None where it is gone, or this user may not see it."""
    text = as_owner.read_bytes(pid, join(root, f"/proc/{pid}/smaps_rollup"), root=root)
    return parse_rollup(text.decode("utf-8", "replace"))


def parse_rollup(text: str) -> Pages | None:
    """Return what a file smaps_rollup says; sizes in it are in KiB."""
    found = numbers(text)
    if "Pss" not in found:
        return None

    def total(*names: str) -> int:
        return sum(found.get(name, 0) for name in names) * KIB

    return Pages(
        pss=total("Pss"),
        private=total("Private_Clean", "Private_Dirty", "Private_Hugetlb"),
        shared=total("Shared_Clean", "Shared_Dirty", "Shared_Hugetlb"),
        anonymous=total("Anonymous"),
        pss_file=_bytes(found, "Pss_File"),
        pss_shmem=_bytes(found, "Pss_Shmem"),
    )


def peak_cost(
    anonymous: int | None, pss_file: int | None, pss_shmem: int | None, rss: int, peak_rss: int | None
) -> int | None:
    """Return the memory that a process costs at its peak, in bytes; None where it may not be seen.

    Anonymous pages count in full even where they are shared: after preload_app, each write copies them.
    """
    if anonymous is None or pss_file is None or pss_shmem is None:
        return None
    return anonymous + pss_file + pss_shmem + max(0, (peak_rss or 0) - rss)


def _bytes(found: dict[str, int], name: str) -> int | None:
    return found[name] * KIB if name in found else None


def read_scheduling(pid: int, root: str = "/") -> Scheduling:
    """Return how long the threads of a process ran and queued for a CPU; zero where it is gone."""
    tasks = join(root, f"/proc/{pid}/task")
    fields = [read(os.path.join(tasks, name, "schedstat")).split() for name in list_folder(tasks)]
    nanoseconds = [(whole(found[0]) or 0, whole(found[1]) or 0) for found in fields if len(found) > 1]
    return Scheduling(sum(ran for ran, _queued in nanoseconds) / 1e9, sum(queued for _ran, queued in nanoseconds) / 1e9)


def boot_time() -> float:
    """Return when this host was booted, in epoch seconds: what processes' start times are counted from."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
