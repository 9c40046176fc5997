# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of a service, what they take of the memory, and what one more worker would."""

from __future__ import annotations

import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes as host_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.processes import Pages
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import services
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services import Service


def read_processes(service: Service, boot_time: float, root: str, unseen: list[str]) -> list[dict[str, t.Any]]:
    """Return the processes that are still there, the master first."""
    processes = []
    hidden = False
    roles = {service.master: "master"} if service.master else {}
    roles.update(dict.fromkeys(service.workers, "worker"))
    if service.dirty_arbiter:
        roles[service.dirty_arbiter] = "dirty arbiter"
    roles.update(dict.fromkeys(service.dirty_workers, "dirty worker"))
    for pid, role in roles.items():
        process = read_process(pid, role, boot_time, root)
        if process:
            processes.append(process)
            hidden = hidden or process["pss"] is None
    if hidden:
        unseen.append(unseen_memory("the processes", service, root))
    return processes


def read_process(pid: int, role: str, boot_time: float, root: str) -> dict[str, t.Any] | None:
    """Return what the kernel says of a process, None where it is gone."""
    stat, sizes = host_processes.read_stat(pid, root), host_processes.read_sizes(pid, root)
    if stat is None or sizes is None:
        return None
    pages = host_processes.read_pages(pid, root)
    return {
        "pid": pid,
        "role": role,
        "started": boot_time + stat.started,
        "cpu_seconds": stat.cpu_seconds,
        **(pages._asdict() if pages else dict.fromkeys(Pages._fields)),
        "rss": sizes.rss,
        "peak_rss": sizes.peak_rss,
        "swap": sizes.swap,
        "threads": sizes.threads,
    }


def unseen_memory(whose: str, service: Service, root: str) -> str:
    """Say that this user may not read the memory of processes, and who may."""
    who = services.read_user(service, root)
    others = "" if who in (None, "root") else f" and the user {who}"
    return f"memory of {whose} (pss, private, shared): only root{others} may read it"


def summarize_memory(processes: list[dict[str, t.Any]]) -> dict[str, int | None]:
    """Sum up the memory of the processes, and say what one more worker costs."""
    costs = [cost_of(process) for process in processes if process["role"] == "worker"]
    return {**sum_memory(processes), "per_worker": max((cost for cost in costs if cost is not None), default=None)}


def sum_memory(processes: list[dict[str, t.Any]]) -> dict[str, int | None]:
    """Sum up the memory of the processes."""

    def total(name: str) -> int | None:
        values = [process[name] for process in processes]
        return sum(values) if values and None not in values else None

    private, pss = total("private"), total("pss")
    return {
        "private": private,
        # Proportional shares of what is shared, added up: each shared page counts once.
        "shared": None if pss is None or private is None else pss - private,
        "pss": pss,
        "rss": total("rss"),
        "swap": total("swap"),
    }


def cost_of(worker: dict[str, t.Any]) -> int | None:
    """Return the memory that a worker costs at its peak, in bytes; None where it may not be seen."""
    return host_processes.peak_cost(
        *(worker[name] for name in ("anonymous", "pss_file", "pss_shmem", "rss", "peak_rss"))
    )
