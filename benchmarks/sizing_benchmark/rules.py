# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules for the number of workers, as pure functions of facts."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import size_workers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import Whole, service_limits
from sizing_benchmark.cases import MIB, Application, Limit, Setting


class Measured(t.NamedTuple):
    """What gunicorn_service_info measured of an application under one limit.

    The wait for each second of computing that gunicorn_sizing_info should count (None if unknown), the bytes of one
    worker at its peak, and the bytes that it should count for a worker. Then what the first is from: how long requests
    wait, and what other processes compute, for each second of computing.
    """

    wait_ratio: float | None
    worker_memory: int
    memory_per_worker: int
    requests_wait_ratio: float | None = None
    other_cpu_ratio: float | None = None


class Facts(t.NamedTuple):
    """What a rule may use. `nproc` is the command's number: a quota does not change it."""

    nproc: int
    cpus: float
    memory: int
    application: Application
    limit: Limit
    measured: Measured | None = None


def gunicorn(facts: Facts) -> Setting:
    """Gunicorn's documentation: 2 x cores + 1."""
    return Setting(2 * facts.nproc + 1)


def heroku(facts: Facts) -> Setting:
    """Heroku's: the same, if the memory has 256 MB for each worker."""
    return Setting(max(1, min(2 * facts.nproc + 1, _memory(facts) // (256 * MIB))))


def tiangolo(facts: Facts) -> Setting:
    """tiangolo's images: a worker for each core, and at least two."""
    return Setting(max(2, facts.nproc))


def passenger(facts: Facts) -> Setting | None:
    """Passenger's: as many as fit into three quarters of the memory; at most one for each core if they don't wait."""
    if facts.measured is None:
        return None
    fitting = max(1, math.floor(0.75 * _memory(facts) / facts.measured.worker_memory))
    return Setting(fitting if facts.application.waits else min(fitting, facts.nproc))


def ours_unmeasured(facts: Facts) -> Setting:
    """gunicorn_sizing_info of this collection, with only the limits of the service."""
    return _ours(facts, Demand())


def ours_measured(facts: Facts) -> Setting | None:
    """gunicorn_sizing_info of this collection, with the measurement of the running service."""
    if facts.measured is None:
        return None
    wait_ratio, memory = facts.measured.wait_ratio, facts.measured.memory_per_worker
    return _ours(facts, Demand(wait_ratio=wait_ratio, memory_per_worker=memory, thread_safe=True))


RULES: dict[str, Callable[[Facts], Setting | None]] = {
    "Gunicorn, 2n+1": gunicorn,
    "Heroku": heroku,
    "tiangolo": tiangolo,
    "Passenger": passenger,
    "ours": ours_unmeasured,
    "ours, measured": ours_measured,
}


def named(facts: Facts) -> dict[str, Setting | None]:
    """Return the setting of each rule."""
    return {name: rule(facts) for name, rule in RULES.items()}


def _ours(facts: Facts, demand: Demand) -> Setting:
    host = Host(Resource(facts.cpus, "online"), Resource(facts.memory, "total"))
    whole = Whole(memory=facts.memory, tasks=0)
    sizing = size_workers(host, demand, service_limits("limits", dict(facts.limit.directives), whole))
    return Setting(sizing.workers, sizing.threads)


def _memory(facts: Facts) -> int:
    """Return the memory as a person counts it: the host's, or the limit of the service."""
    limits = service_limits("limits", dict(facts.limit.directives), Whole(memory=facts.memory, tasks=0))
    return int(min(facts.memory, limits.memory.amount if limits.memory else math.inf))
