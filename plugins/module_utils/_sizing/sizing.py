# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of workers of a service: the rule, applied to a host and an application."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import rule, sentences
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import NO_LIMITS, Bounds, Connections, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes


class Sizing(t.NamedTuple):
    """The answer, and why it is that."""

    workers: int
    threads: int
    worker_class: str
    bounds: Bounds
    connections: Connections | None
    decided_by: str
    fits: bool
    reason: str
    warnings: list[str]


def size_workers(host: Host, demand: Demand, limits: Limits = NO_LIMITS) -> Sizing:
    """Size the workers of one project to its host, and to the limits of its service."""
    cores, quota = rule.cores_for(host.cpus, limits.cpus, demand)
    budget = rule.memory_budget(int(host.memory.amount), limits.memory, demand)
    threads = rule.threads_of(cores, demand)
    bounds = Bounds(
        cpu=rule.cpu_bound(cores, threads, demand),
        memory=max(0, math.floor(budget.for_workers / demand.memory_per_worker)),
        tasks=rule.tasks_bound(limits.tasks, threads, demand),
        minimum=demand.minimum,
        maximum=demand.maximum,
    )
    workers, decided_by = rule.decide(bounds)
    return Sizing(
        workers=workers,
        threads=threads,
        worker_class="gthread" if threads > 1 and worker_classes.is_sync(demand.worker_class) else demand.worker_class,
        bounds=bounds,
        connections=rule.connections_of(workers, threads, demand),
        decided_by=decided_by,
        fits=rule.most_workers(bounds) >= 1,
        reason=sentences.explain(
            workers,
            decided_by,
            bounds,
            sentences.cpu_sentence(
                sentences.available_sentence(host.cpus, quota, demand), bounds.cpu, cores, threads, demand
            ),
            sentences.memory_sentence(host.memory, bounds.memory, budget, demand),
            # Each service has some limit of tasks; it is worth a word where it matters.
            sentences.tasks_sentence(limits.tasks, bounds.tasks, threads, demand) if decided_by == "tasks" else "",
        ),
        warnings=sentences.warn(bounds, budget, limits.tasks, demand),
    )
