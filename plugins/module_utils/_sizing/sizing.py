# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many workers and threads a service gets, and why: the rule, applied to a host and an application."""

from __future__ import annotations

import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import rule, sentences
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import Bounds, Connections
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import NO_LIMITS, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes


class Sizing(t.NamedTuple):
    """The numbers, the bound that decided, and the sentence that explains them."""

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
    terms = rule.terms_of(host, demand, limits)
    workers, decided_by = rule.decide(terms.bounds)
    threaded = terms.threads > 1 and worker_classes.is_sync(demand.worker_class)
    return Sizing(
        workers=workers,
        threads=terms.threads,
        worker_class="gthread" if threaded else demand.worker_class,
        bounds=terms.bounds,
        connections=rule.connections_of(workers, terms.threads, demand),
        decided_by=decided_by,
        fits=rule.most_workers(terms.bounds) >= 1,
        reason=sentences.explain(workers, decided_by, terms, host, demand, limits),
        warnings=sentences.warnings_of(terms, demand, limits),
    )
