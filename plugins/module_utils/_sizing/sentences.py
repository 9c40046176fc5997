# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a number of workers is explained: the sentence with its computation, and the warnings."""

from __future__ import annotations

from fractions import Fraction

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import rule
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import (
    DECIMALS,
    MASTER_MEMORY,
    STAFFING,
    TASKS_RESERVE,
    Terms,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import Limit, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB


def explain(workers: int, decided_by: str, terms: Terms, host: Host, demand: Demand, limits: Limits) -> str:
    """Return the sentence that says how the number of workers comes about: each bound, and the one that decided."""
    parts = [_cpu(terms, host, demand), _memory(terms, host, demand)]
    # Every service has some limit of tasks. It is mentioned if it decided.
    if decided_by == "tasks" and limits.tasks is not None:
        parts.append(_tasks(limits.tasks, terms, demand))
    verdict = {
        "cpu": "CPU decides",
        "memory": "memory decides",
        "tasks": "TasksMax decides",
        "minimum": f"the minimum of {terms.bounds.minimum} decides",
        "maximum": f"the maximum of {terms.bounds.maximum} decides",
    }[decided_by]
    return f"{_count(workers, 'worker')}: {'; '.join(parts)}, so {verdict}."


def _cpu(terms: Terms, host: Host, demand: Demand) -> str:
    """Return how the CPU bound comes about, as one would type it into a calculator."""
    cores, threads, bound = terms.cores, terms.threads, terms.bounds.cpu
    available = _available(terms.quota, host.cpus, demand)
    busy = rule.busy_workers(cores, threads, demand)
    measured = demand.wait_ratio is not None
    if worker_classes.is_async(demand.worker_class) or (not measured and rule.ceil(busy) + 1 < bound):
        return f"{available}, one worker for each = {bound} by CPU"
    if measured and rule.ceil(busy) < bound:
        return f"{available}, one worker for each and one in reserve = {bound} by CPU"
    ratio = _number(rule.wait_ratio(demand))
    product = f"{available} x (1 + wait ratio {ratio})"
    if measured:
        product += f" + {_number(STAFFING)} x sqrt({_number(cores)} x {ratio})"
        product = f"({product})" if threads > 1 else product
    if threads > 1:
        product += f" / {threads} threads"
    if round(busy, DECIMALS).denominator > 1:
        product += ", rounded up,"
    return f"{product} = {bound} by CPU" if measured else f"{product} + 1 = {bound} by CPU"


def _available(quota: Limit | None, cpus: Resource, demand: Demand) -> str:
    if quota is not None:
        return f"{_count(quota.amount, 'CPU')} ({quota.directive} of the service)"
    return _of_host(cpus) + ("" if demand.share == 1 else f" x share {_number(demand.share)}")


def _of_host(cpus: Resource) -> str:
    if cpus.limited_by == "online":
        return _count(cpus.amount, "core")
    if cpus.limited_by == "option":
        return f"{_count(cpus.amount, 'CPU')} (as given)"
    return f"{cpus.limited_by} of {_count(cpus.amount, 'CPU')}"


def _memory(terms: Terms, host: Host, demand: Demand) -> str:
    """Return how the memory bound comes about, all of it in MiB: mixed units don't add up on a calculator."""
    budget = terms.budget
    set_by = {"cgroup": " (cgroup limit)", "option": " (as given)"}.get(host.memory.limited_by, "")
    left = f"{_mib(budget.total)}{set_by} - {_mib(budget.reserve)} reserve"
    if demand.share != 1:
        left = f"({left}) x share {_number(demand.share)}"
    if budget.kept:
        left = f"{_mib(budget.kept)} that it has already"
    elif budget.neighbours:
        left += f" - {_mib(budget.neighbours)} for other projects"
    if budget.companions:
        left += f" - {_mib(budget.companions)} for companions"
    if budget.limit is not None:
        left = f"{_mib(budget.limit.amount)} ({budget.limit.directive} of the service)"
    held = f"{_workers(terms.bounds.memory)} of {_mib(demand.memory_per_worker)}"
    return f"{left} - {_mib(MASTER_MEMORY)} master holds {held}"


def _tasks(limit: Limit, terms: Terms, demand: Demand) -> str:
    """Return how the bound by tasks comes about."""
    tasks = rule.tasks_of_a_worker(terms.threads, demand)
    left = f"{_count(limit.amount, 'task')} ({limit.directive} of the service) - {TASKS_RESERVE} for master and reload"
    return f"{left} hold {_workers(terms.bounds.tasks or 0)} of 2 x {_count(tasks, 'task')}"


def warnings_of(terms: Terms, demand: Demand, limits: Limits) -> list[str]:
    """Return a sentence for each thing that the user should know, such as that not even one worker fits."""
    bounds, budget, tasks = terms.bounds, terms.budget, limits.tasks
    warnings = []
    if tasks is not None and bounds.tasks is not None and bounds.tasks < max(1, bounds.minimum):
        warnings.append(
            f"{tasks.directive} of the service holds {_count(bounds.tasks, 'worker')}, and at least "
            f"{max(1, bounds.minimum)} must run: raise TasksMax."
        )
    if bounds.memory < 1 and budget.limit is not None:
        warnings.append(
            f"Not even one worker of {_mib(demand.memory_per_worker)} fits into {budget.limit.directive} of the "
            f"service, of which {_mib(MASTER_MEMORY)} go to the master. One worker is returned all the same; raise the "
            "limit, or lower memory_per_worker."
        )
    elif bounds.memory < 1:
        neighbours = f", {_mib(budget.neighbours)} are other projects'" if budget.neighbours else ""
        companions = f", {_mib(budget.companions)} are for companions" if budget.companions else ""
        warnings.append(
            f"Not even one worker of {_mib(demand.memory_per_worker)} fits into the memory: of {_mib(budget.total)}, "
            f"{_mib(budget.reserve)} are reserved{neighbours}{companions} and {_mib(MASTER_MEMORY)} go to the master. "
            "One worker is returned all the same; give the host more memory, or lower memory_reserve or "
            "memory_per_worker."
        )
    elif bounds.memory < bounds.minimum:
        warnings.append(
            f"minimum is {bounds.minimum}, but the memory holds {bounds.memory}: give the host more memory, or lower "
            "minimum, memory_reserve or memory_per_worker."
        )
    if demand.threads is not None and demand.threads > 1 and worker_classes.is_async(demand.worker_class):
        warnings.append(f"threads is {demand.threads}, but the worker class {demand.worker_class} does not use it.")
    if demand.worker_class == "eventlet":
        warnings.append("Gunicorn 26.0 and newer have no eventlet worker: use gevent or gthread.")
    return warnings


def _workers(number: int) -> str:
    return _count(number, "worker") if number else "no worker"


def _count(number: float, noun: str) -> str:
    return f"{_number(number)} {noun}{'' if number == 1 else 's'}"


def _mib(size: float) -> str:
    return f"{_number(round(size / MIB, 1))} MiB"


def _number(number: float | Fraction) -> str:
    """Return a number in full, without a trailing .0 and the inaccuracy of floats."""
    return f"{float(number):.{DECIMALS}f}".rstrip("0").rstrip(".")
