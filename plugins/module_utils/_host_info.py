# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gunicorn_service_info returns of the host: its readings, and the verdicts on them."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _host_health, _host_readings
from ansible_collections.pyweb.gunicorn.plugins.module_utils._kernel_files import plain


def read_host(
    place: _host_readings.Place, before: _host_readings.Moment, after: _host_readings.Moment, root: str
) -> dict[str, t.Any]:
    """Return the readings at the end of a sample, each with its verdict, and the worst of these."""
    memory = _host_readings.read_memory(place, root)
    swap = _host_readings.read_swap(place, before, after, root)
    cpu = _host_readings.read_cpu(place, before, after)
    load = _host_readings.read_load(root)
    pressure = _host_readings.read_pressure(place, root)
    verdicts = {
        "memory": _host_health.judge_memory(memory, swap),
        "swap": _host_health.judge_swap(swap),
        "cpu": _host_health.judge_cpu(cpu),
    }
    unseen = []
    if load:
        verdicts["load"] = _host_health.judge_load(load)
    else:
        unseen.append("load: /proc/loadavg can't be read")
    if pressure:
        verdicts["pressure"] = _host_health.judge_pressure(pressure)
    else:
        unseen.append("pressure: the kernel does not tell it (PSI)")
    readings: dict[str, t.Any] = {
        "memory": {**memory._asdict(), "cache_share": memory.cache_share},
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
        **_host_health.worst(verdicts.values())._asdict(),
        "unseen": unseen,
    }


def _load(load: _host_health.Load) -> dict[str, t.Any]:
    averages = load._asdict()
    cores = averages.pop("cores")
    return {**averages, "per_core": {name: value / cores for name, value in averages.items()}}
