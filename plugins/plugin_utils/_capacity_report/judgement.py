# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the capacity report says of hosts and services: pure functions over what the modules returned.

A host's answers go in, brought into the form of form.py; out comes the report as the JSON file has it.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.form import (
    HOST,
    RECOMMENDED,
    SERVICE,
    conform,
    plain,
)

# From the best to the worst.
VERDICTS = ("healthy", "watch", "short")
# A host that gave no answer is not known to be short of anything; it comes next after those that are.
MISSING = "missing"
ORDER = ("short", MISSING, "watch", "healthy")
# What gunicorn_sizing may hold, as the role takes it.
SIZING_OPTIONS = (
    "memory_per_worker",
    "memory_reserve",
    "wait_ratio",
    "thread_safe",
    "share",
    "cpus",
    "memory",
    "minimum",
    "maximum",
)
# A count within a quarter of the recommended one is not worth a change.
CLOSE = 0.25
# Percent of the CPU time from which on the book's "CPU idle" holds.
IDLE = 30
RUNNING = ("active", "running", "reloading", "refreshing")
_ANSIBLES_OWN = re.compile(r"^(Task failed: |Action failed: )+")
_SIZE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?[KMGT](i?B)?", re.ASCII)
_NUMBERS = re.compile(r"([0-9]{1,18})")


class Judgement(t.NamedTuple):
    """How a service fares, and what to do about it."""

    verdict: str
    advice: str


class Change(t.NamedTuple):
    """The way from the workers that are configured to those that are recommended."""

    kind: str  # add, remove, reshape, keep, unknown
    number: int  # of workers that come or go
    clear: bool  # whether it is worth a change of the configuration


def worst(*verdicts: str | None) -> str:
    """Return the worst of the verdicts; one that is not known says nothing."""
    return max((verdict for verdict in verdicts if verdict in VERDICTS), key=VERDICTS.index, default="healthy")


def is_running(service: dict) -> bool:
    """Return whether the service serves; it may be on its way to another state."""
    return service["state"] in RUNNING


def demands(services: object, sizing: object, threads: object = None) -> list[dict]:
    """Return for each service the options of gunicorn_sizing_info: the host's own, and over them what was measured.

    Several services that run on a host get equal parts of it, unless the host's own gunicorn_sizing says otherwise:
    each of them alone would be given all of the memory. `assumed` names such options, `measured` those that were
    measured.
    """
    found = [conform(plain(service), SERVICE) for service in (services if isinstance(services, list) else [])]
    own = {key: value for key, value in (plain(sizing) or {}).items() if key in SIZING_OPTIONS and value is not None}
    sharing = sum(map(is_running, found))
    assumed = {"share": _share(sharing)} if sharing > 1 and "share" not in own else {}
    result = []
    for service in found:
        measured = _measured(service["measured"] or {})
        result.append(
            {
                "service": service["name"],
                "sizing": {**own, **assumed, **measured},
                "measured": sorted(measured),
                "assumed": sorted(assumed),
                "worker_class": service["worker_class"],
                "threads": threads if service["worker_class"] == "gthread" and _is_count(threads) else None,
                "slice": service["slice"],
                "service_directives": _directives(service["limits"]),
            }
        )
    return result


def _measured(measured: dict) -> dict:
    """Return what was measured as options. More digits than these would only make the sentence harder to check."""
    options = {}
    if measured.get("wait_ratio") is not None:
        options["wait_ratio"] = round(measured["wait_ratio"], 2)
    # It ends in host_vars, where Ansible would take a text of the host's for a template.
    if _SIZE.fullmatch(measured.get("memory_per_worker") or ""):
        options["memory_per_worker"] = measured["memory_per_worker"]
    return options


def _share(services: int) -> float:
    """Return the equal part of each, rounded down: together they never take more than there is."""
    return int(1000 / services) / 1000


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _directives(limits: dict) -> dict:
    """Return limits of the service as directives; where they are its slice's, the module reads the same there."""
    directives = {}
    if limits["memory_limited_by"] == "cgroup" and limits["memory"]:
        directives["MemoryMax"] = str(int(limits["memory"]))
    if limits["cpus_limited_by"] == "quota" and limits["cpus"]:
        directives["CPUQuota"] = f"{round(limits['cpus'] * 100, 2):.12g}%"
    if limits["tasks"]:
        directives["TasksMax"] = str(int(limits["tasks"]))
    return directives


def report(hosts: t.Iterable[dict], generated: float, version: str) -> dict:
    """Return the report as the JSON file has it; the hosts stay in the order of the inventory."""
    return {"generated": int(generated), "collection_version": version, "hosts": list(hosts)}


def report_host(name: str, info: object, sizing: object) -> dict:
    """Return what the report has of one host, of the results of the tasks that asked it."""
    info, sizing = plain(info) or {}, plain(sizing) or {}
    problem = _problem(info)
    if problem is not None:
        reachable = not info.get("unreachable")
        return {"name": name, "reachable": reachable, "problem": problem, "host": None, "services": []}
    host = conform(info["host"], HOST)
    results = _results(sizing)
    failed = _message(sizing) if sizing.get("failed") or sizing.get("unreachable") else None
    services = [
        _service(host, service, results.get(service["name"]), failed)
        for service in conform(info["services"], [SERVICE])
    ]
    return {"name": name, "reachable": True, "problem": None, "host": host, "services": services}


def _problem(info: dict) -> str | None:
    """Return why the host could not be read."""
    if info.get("unreachable"):
        return f"Not reachable: {_message(info)}"
    if info.get("failed"):
        return f"Could not be read: {_message(info)}"
    if not isinstance(info.get("host"), dict) or not isinstance(info.get("services"), list):
        return "Could not be read: it gave no answer that can be understood."
    return None


def _message(result: dict) -> str:
    """Return the message of a failed task, on one line, without Ansible's own words before it."""
    message = " ".join(str(result.get("msg") or "it did not say why").split())
    message = _ANSIBLES_OWN.sub("", message)
    return message if len(message) <= 400 else message[:399] + "…"


def _results(sizing: dict) -> dict[str, dict]:
    """Return the result of each service's sizing by the service's name."""
    results = sizing.get("results")
    found = [result for result in (results if isinstance(results, list) else []) if isinstance(result, dict)]
    return {result["item"]["service"]: result for result in found if isinstance(result.get("item"), dict)}


def _service(host: dict, service: dict, result: dict | None, failed: str | None) -> dict:
    recommended = None
    sized = conform(result, RECOMMENDED)
    if result is not None and not result.get("failed") and sized["workers"] is not None:
        demand = result["item"]
        recommended = {
            **{key: sized[key] for key in RECOMMENDED},
            "measured": bool(demand["measured"]),
            "sizing": demand["sizing"],
            "sizing_measured": demand["measured"],
            "sizing_assumed": demand["assumed"],
        }
    else:
        reason = _message(result) if result is not None else failed
        said = f": {reason}" if reason else ""
        service = {**service, "unseen": [*service["unseen"], f"how many workers would be right{said}"]}
    verdict, advice = judge(host, service, recommended)
    return {**service, "recommended": recommended, "verdict": verdict, "advice": advice}


def is_guess(recommended: dict) -> bool:
    """Return whether the number stands for an application that nobody measured: no reason to change what runs."""
    return recommended["decided_by"] == "cpu" and recommended["sizing"].get("wait_ratio") is None


def change(service: dict, recommended: dict | None) -> Change:
    """Return what leads from the configured workers to the recommended ones."""
    change = _difference(service, recommended)
    return change._replace(clear=change.clear and not is_guess(recommended)) if recommended else change


def _difference(service: dict, recommended: dict | None) -> Change:
    configured = service["workers"]["configured"]
    if recommended is None or configured is None or recommended["workers"] is None:
        return Change("unknown", 0, False)
    difference = recommended["workers"] - configured
    clear = abs(difference) > CLOSE * configured
    threads = (service["threads"], recommended["threads"])
    if None not in threads and threads[0] != threads[1]:
        slots = configured * threads[0]
        clear = 1 in threads or abs(recommended["workers"] * threads[1] - slots) > CLOSE * slots
        return Change("reshape", abs(difference), clear)
    if difference == 0:
        return Change("keep", 0, False)
    return Change("add" if difference > 0 else "remove", abs(difference), clear)


def judge(host: dict, service: dict, recommended: dict | None) -> Judgement:
    """Return the verdict on a service and one sentence of advice, which never goes against the recommendation."""
    for rule in (_stopped, _short_of_memory, _ended, _not_as_configured, _to_change):
        judgement = rule(host, service, recommended)
        if judgement is not None:
            return judgement._replace(verdict=worst(judgement.verdict, host["verdict"]))
    if host["verdict"] in ("watch", "short"):
        first = "Leave the workers as they are, and look at the host"
        if recommended is not None and change(service, recommended).clear:
            first = f"{_workers(recommended['workers'])} would be right, but look at the host first"
        return Judgement(host["verdict"], f"{first}: {host['reason']}" if host["reason"] else f"{first}.")
    return Judgement("healthy", _nothing_to_do(service, recommended))


def _stopped(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    if is_running(service):
        return None
    if service["state"] == "failed" or service["sub_state"] == "auto-restart":
        return Judgement("short", "It has failed and serves nothing: its log says why.")
    if service["state"] == "activating":
        return Judgement("watch", "It is starting, and its figures say little yet: measure again.")
    return Judgement("watch", "It does not run: start it, or remove it if nobody needs it.")


def _short_of_memory(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    ended = service["exits"]["out_of_memory"] or 0
    if ended:
        cause = f"The kernel ended {_processes(ended)} for want of memory"
    elif "short" in (host["memory"]["verdict"], host["swap"]["verdict"]):
        cause = "RAM is short"
    elif recommended is not None and recommended["fits"] is False:
        cause = "Not even one worker fits"
    else:
        return None
    configured = service["workers"]["configured"]
    if recommended is None or configured is None:
        return Judgement("short", f"{cause}: take some workers away, or add RAM.")
    fewer = configured - recommended["workers"]
    if fewer > 0:
        return Judgement("short", f"{cause}: {_taken_away(fewer, recommended)}.")
    return Judgement("short", f"{cause}: add RAM, or see what else takes it; the workers are not too many.")


def _ended(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    exits = service["exits"]
    if exits["timeout"]:
        workers = _counted(exits["timeout"], "worker was", "workers were")
        return Judgement("short", f"{workers} ended by the timeout: the log says which requests take so long.")
    if exits["killed"]:
        workers = _counted(exits["killed"], "worker was", "workers were")
        return Judgement("short", f"{workers} killed from outside: the kernel's log says whether RAM was short.")
    if exits["failed"]:
        workers = _counted(exits["failed"], "worker", "workers")
        return Judgement("watch", f"{workers} ended with an error: the log says which.")
    return None


def _not_as_configured(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    configured, running = service["workers"]["configured"], service["workers"]["running"]
    if configured is None or running is None or configured == running:
        return None
    if running < configured:
        return Judgement("watch", f"{running} of {configured} workers run: the log says what became of the others.")
    return Judgement(
        "watch", f"{running} workers run, and {configured} are configured: a restart brings the two together."
    )


def _to_change(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    way = change(service, recommended)
    if not way.clear or recommended is None:
        return None
    if way.kind == "reshape":
        wanted = _shape(recommended["workers"], recommended["threads"])
        instead = _shape(service["workers"]["configured"], service["threads"])
        return Judgement("watch", f"Run {wanted} ({recommended['worker_class']}) instead of {instead}.")
    if way.kind == "remove":
        return Judgement("watch", f"{_too_many(recommended)}: {_taken_away(way.number, recommended)}.")
    right = f"{_workers(recommended['workers'])} would be right"
    if host["memory"]["verdict"] not in ("healthy", None) or not _has_room(host, service, way.number):
        return Judgement(
            "watch", f"{right} for the CPU, but RAM is not free for {way.number} more: see first what takes it."
        )
    if host["verdict"] == "short":
        return None
    added = f"add {_workers(way.number)}, which makes {recommended['workers']}"
    idle = host["cpu"]["id"]
    if idle is None:
        return Judgement("watch", f"RAM is free: {added}.")
    if idle >= IDLE:
        return Judgement("watch", f"The CPU is idle ({idle:.0f}%) and RAM is free: {added}.")
    return Judgement("watch", f"{right}, but only {idle:.0f}% of the CPU is idle now: see first what takes it.")


def _shape(workers: float, threads: float) -> str:
    return f"{_workers(workers)} with {_counted(threads, 'thread', 'threads')}{'' if workers == 1 else ' each'}"


def _has_room(host: dict, service: dict, number: int) -> bool:
    """Return whether so many more workers fit into what is available now; true where it is not known."""
    each, available = service["memory"]["per_worker"], host["memory"]["available"]
    return each is None or available is None or each * number <= available


def _too_many(recommended: dict) -> str:
    return {
        "memory": "RAM does not hold so many workers at their peak",
        "tasks": "TasksMax of the service does not hold so many workers",
        "maximum": "There are more workers than the maximum in gunicorn_sizing",
    }.get(recommended["decided_by"], "More workers than the CPU can use only take RAM")


def _taken_away(number: float, recommended: dict) -> str:
    return f"take {_workers(number)} away, which leaves {recommended['workers']}"


def _nothing_to_do(service: dict, recommended: dict | None) -> str:
    way = change(service, recommended)
    if recommended is None:
        return "Nothing to do, as far as can be seen."
    if way.kind == "unknown":
        return f"{_workers(recommended['workers'])} would be right; how many are configured can't be seen."
    workers = _workers(recommended["workers"])
    if way.kind == "keep":
        return f"Nothing to do: {workers} {'is' if recommended['workers'] == 1 else 'are'} right."
    if is_guess(recommended):
        return f"Measure it first: {workers} would be right for an application that nobody knows."
    return f"Nothing to do: {workers} would be right, and that is close to what runs."


def _workers(number: float) -> str:
    return _counted(number, "worker", "workers")


def _processes(number: float) -> str:
    return _counted(number, "process", "processes")


def _counted(number: float, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


class Row(t.NamedTuple):
    """A line of the fleet's table: a service, or a host that has none or could not be read."""

    verdict: str
    place: int  # of the host in the report
    host: dict
    service: dict | None


def rows(hosts: list[dict]) -> list[Row]:
    """Return the lines of the fleet's table, the worst first, and of the same verdict those with the least memory."""
    return sorted((row for place, host in enumerate(hosts) for row in _rows(place, host)), key=_rank)


def _rows(place: int, host: dict) -> t.Iterator[Row]:
    if host["host"] is None:
        yield Row(MISSING, place, host, None)
    elif not host["services"]:
        yield Row(host_verdict(host), place, host, None)
    for service in host["services"]:
        yield Row(service["verdict"], place, host, service)


def _rank(row: Row) -> tuple:
    available = available_share(row.host["host"]) if row.host["host"] else None
    service = (row.service or {}).get("name") or ""
    return (
        ORDER.index(row.verdict),
        # Memory that differs by less than a tenth does not part what belongs together by name.
        2 if available is None else round(available, 1),
        natural(row.host["name"]),
        natural(service),
    )


def available_share(host: dict) -> float | None:
    """Return the part of the memory that is available, from 0 to 1."""
    total, available = host["memory"]["total"], host["memory"]["available"]
    return available / total if total and available is not None else None


def natural(name: str) -> list:
    """Return what sorts names as people do: web2 before web10."""
    return [(int(part), "") if _NUMBERS.fullmatch(part) else (-1, part.casefold()) for part in _NUMBERS.split(name)]


def verdicts(hosts: list[dict]) -> dict[str, int]:
    """Return how many hosts there are of each verdict, the worst of a host counting."""
    counts = dict.fromkeys(ORDER, 0)
    for host in hosts:
        counts[host_verdict(host)] += 1
    return counts


def host_verdict(host: dict) -> str:
    """Return the worst verdict on a host and its services."""
    if host["host"] is None:
        return MISSING
    return worst(host["host"]["verdict"], *(service["verdict"] for service in host["services"]))
