# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the running workers have taken of the memory, against what they were sized for.

It is only told. A number of workers that followed it would be another one at each run.
"""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB, parse_size, whole_mib


def warnings(service: str, master: int, workers: int, options: dict, root: str = "/") -> list[str]:
    """Say that so many workers do not fit into the memory, if those that run show it.

    `options` are those of gunicorn_sizing_info, by which `workers` may have been sized.
    """
    sized_for = parse_size("memory_per_worker", options["memory_per_worker"])
    taken = _most_taken(running.worker_pids(service, master, root), sized_for, root)
    if taken <= sized_for:
        return []
    measured = whole_mib(taken)
    sizing, _told = answer.size({**options, "memory_per_worker": f"{measured}M"})
    held = sizing["bounds"]["memory"]
    if held >= workers:
        return []
    return [
        f"The workers of {service} have taken up to {measured} MiB each, and memory_per_worker is "
        f"{round(sized_for / MIB)} MiB: the memory holds {held} of that size, and not {workers}. Set gunicorn_sizing: "
        f"{{memory_per_worker: {2 * measured}M}}, which is enough for reloads, too; or raise what limits the memory, "
        "or have fewer workers."
    ]


def _most_taken(pids: list[int], sized_for: int, root: str) -> int:
    """The bytes of the worker that has taken the most at its peak; 0 where none has taken more than it was sized for.

    How pages are shared is read only of those that may have: the kernel walks through all of their memory for it.
    """
    most = 0
    for pid in pids:
        sizes = processes.read_sizes(pid, root)
        if sizes is None or max(sizes.rss, sizes.peak_rss or 0) <= sized_for:
            continue
        pages = processes.read_pages(pid, root)
        if pages is not None:
            shared = (pages.anonymous, pages.pss_file, pages.pss_shmem)
            most = max(most, processes.peak_cost(*shared, sizes.rss, sizes.peak_rss) or 0)
    return most
