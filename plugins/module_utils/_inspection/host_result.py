# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gunicorn_service_info returns of the host: what is used of it, and the verdicts on that."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import plain
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import host_usage, host_verdicts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.host_usage import Load, Moment, Place
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import grants


def read_host(place: Place, before: Moment, after: Moment, root: str) -> dict[str, t.Any]:
    """Return what the module returns of the host at the end of a sample: readings, verdicts, and the worst one."""
    memory = host_usage.read_memory(place, root)
    swap = host_usage.read_swap(place, before, after, root)
    cpu = host_usage.read_cpu(place, before, after)
    load = host_usage.read_load(root)
    pressure = host_usage.read_pressure(place, root)
    # Without a note, only the role's next run says what a worker takes.
    granted = sum(each.memory for each in grants.read_all(root).values() if each.workers is None)
    verdicts = {
        "memory": host_verdicts.judge_memory(memory, swap, granted),
        "swap": host_verdicts.judge_swap(swap),
        "cpu": host_verdicts.judge_cpu(cpu),
    }
    unseen = []
    if load:
        verdicts["load"] = host_verdicts.judge_load(load)
    else:
        unseen.append("load: /proc/loadavg can't be read")
    if pressure:
        verdicts["pressure"] = host_verdicts.judge_pressure(pressure)
    else:
        unseen.append("pressure: the kernel does not tell it (PSI)")
    readings: dict[str, t.Any] = {
        "memory": {**memory._asdict(), "cache_share": memory.cache_share, "granted": granted},
        "swap": swap._asdict(),
        "cpu": cpu._asdict(),
        "load": _load(load) if load else None,
        "pressure": pressure,
    }
    for name, verdict in verdicts.items():
        readings[name] = {**readings[name], **verdict._asdict()}
    return {
        "name": plain(os.uname().nodename),
        "cpus": place.host.cpus.amount,
        "cpus_limited_by": place.host.cpus.limited_by,
        **readings,
        **host_verdicts.worst(verdicts.values())._asdict(),
        "unseen": unseen,
    }


def _load(load: Load) -> dict[str, t.Any]:
    averages = load._asdict()
    cores = averages.pop("cores")
    return {**averages, "per_core": {name: value / cores for name, value in averages.items()}}
