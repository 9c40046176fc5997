# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a service, and the advice on its workers."""

from __future__ import annotations

import typing as t

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import companions

# From the best to the worst
VERDICTS = ("healthy", "watch", "short")
# A count within a quarter of the recommended one is not worth a change.
CLOSE = 0.25
# The book's "CPU idle" means at least so many percent of the CPU time.
IDLE = 30
RUNNING = ("active", "running", "reloading", "refreshing")


class Judgement(t.NamedTuple):
    """How a service is doing, and what to do about it."""

    verdict: str
    advice: str


class Change(t.NamedTuple):
    """The way from the configured workers to the recommended ones."""

    kind: str  # add, remove, reshape, keep, unknown
    number: int  # of workers to add or remove
    clear: bool  # whether it is worth a change of the configuration


def judge(host: dict, service: dict, recommended: dict | None) -> Judgement:
    """Return the verdict on a service and one sentence of advice, which never contradicts the recommendation."""
    rules = _RULES
    if companions.are_alone(service):
        rules = (_companion_down, _companion_ails, _only_companions)
    for rule in rules:
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
    down = _companion_down(host, service, recommended)
    if down is not None:
        return down
    if service["state"] == "activating":
        return Judgement("watch", "It is starting, and its figures say little yet: measure again.")
    return Judgement("watch", "It does not run: start it, or remove it if nobody needs it.")


def _short_of_memory(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    ended = service["exits"]["out_of_memory"] or 0
    if ended:
        cause = f"The kernel ended {_processes(ended)} because memory ran out"
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
    return Judgement("short", f"{cause}: add RAM, or find out what else uses it; there are not too many workers.")


def _companion_down(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    return _first(companions.problems(service, "short"), "short")


def _companion_ails(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    return _first(companions.problems(service, "watch"), "watch")


def _first(found: list[str], verdict: str) -> Judgement | None:
    """Return the first advice; the page marks each companion that has a problem."""
    return Judgement(verdict, found[0]) if found else None


def _only_companions(host: dict, service: dict, recommended: dict | None) -> Judgement | None:
    if host["verdict"] in ("watch", "short"):
        return Judgement(
            host["verdict"], f"Look at the host: {host['reason']}" if host["reason"] else "Look at the host."
        )
    return Judgement("healthy", "Nothing to do: only its companions run here.")


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
    return Judgement("watch", f"{running} workers run, and {configured} are configured: a restart makes them equal.")


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
            "watch", f"{right} for the CPU, but RAM is not free for {way.number} more: first find out what uses it."
        )
    if host["verdict"] == "short":
        return None
    added = f"add {_workers(way.number)}, which makes {recommended['workers']}"
    idle = host["cpu"]["id"]
    if idle is None:
        return Judgement("watch", f"RAM is free: {added}.")
    if idle >= IDLE:
        return Judgement("watch", f"The CPU is idle ({idle:.0f}%) and RAM is free: {added}.")
    return Judgement("watch", f"{right}, but only {idle:.0f}% of the CPU is idle now: first find out what uses it.")


_RULES = (
    _stopped,
    _short_of_memory,
    _companion_down,
    _ended,
    _companion_ails,
    _not_as_configured,
    _to_change,
)


def _shape(workers: float, threads: float) -> str:
    return f"{_workers(workers)} with {_counted(threads, 'thread', 'threads')}{'' if workers == 1 else ' each'}"


def _has_room(host: dict, service: dict, number: int) -> bool:
    """Return whether that many more workers fit into the available memory; true if that is not known."""
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
        return f"Measure it first: {workers} would be right for an application without measurements."
    return f"Nothing to do: {workers} would be right, and that is close to what runs."


def _workers(number: float) -> str:
    return _counted(number, "worker", "workers")


def _processes(number: float) -> str:
    return _counted(number, "process", "processes")


def _counted(number: float, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def change(service: dict, recommended: dict | None) -> Change:
    """Return the way from the configured workers to the recommended ones."""
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


def is_guess(recommended: dict) -> bool:
    """Return whether the number rests on assumptions alone: that is no reason to change the workers."""
    return recommended["decided_by"] == "cpu" and recommended["sizing"].get("wait_ratio") is None


def others_reduce(service: dict) -> bool:
    """Return whether the sizing counts less waiting than was measured, as other processes compute meanwhile."""
    waited, counted = _waiting(service)
    if waited is None or counted is None or service["requests"]["other_cpu_ratio"] is None:
        return False
    return bool(counted < float(f"{waited:.2g}"))


def waiting_is_hidden(service: dict) -> bool:
    """Return whether the sizing counts none of the waiting that was measured: it may be waiting for busy cores."""
    waited, counted = _waiting(service)
    return bool(service["measured"]) and waited is not None and counted is None


def _waiting(service: dict) -> tuple[float | None, float | None]:
    """Return the wait ratio as it was measured, and as it counts for the sizing."""
    requests, measured = service["requests"], service["measured"]
    return requests and requests["wait_ratio"], measured and measured["wait_ratio"]


def is_running(service: dict) -> bool:
    """Return whether the service serves; a reload does not interrupt that."""
    return service["state"] in RUNNING


def worst(*verdicts: str | None) -> str:
    """Return the worst of the verdicts; unknown ones do not count."""
    return max((verdict for verdict in verdicts if verdict in VERDICTS), key=VERDICTS.index, default="healthy")
