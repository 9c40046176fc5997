# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts for tests of the capacity report, made from one real result of the modules."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import demands as report_demands
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import report as fleet_report

FIXTURES = Path(__file__).parents[1] / "fixtures" / "capacity_report"
MIB = 1 << 20
BOUNDS = {"cpu": 9, "memory": 40, "tasks": None, "minimum": 1, "maximum": None}
NO_PYTHON = "The module interpreter '/usr/bin/python3' was not found."
GENERATED = 1763812345
# Texts with which a host could attack the page, the terminal, the files and the snippets
HOSTILE = (
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "'; drop table hosts; --",
    "../../../../tmp/owned",
    "-rf",
    ".hidden",
    "\x1b[2J\x1b[31mred\x07",
    "evil\u202egnp.exe",
    "two\nlines: true\n---\n",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp; &#x41;",
    "Web1",
    "web1",
    "x" * 300,
    "日本語のホスト",
    "\udc80broken",
    "a b\tc",
    "#comment: {a: b}",
)


def info(name: str = "service_info.json") -> dict:
    """Return a result of gunicorn_service_info on a host with one service, by default a healthy one."""
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def sized(info: dict, sizing: dict | None = None, **changes: object) -> dict:
    """Return the result of the loop over gunicorn_sizing_info for the services of a host."""
    result = {**json.loads((FIXTURES / "sizing.json").read_text(encoding="utf-8")), **changes}
    demands = report_demands.demands(info["services"], sizing or {})
    return {"changed": False, "results": [{**copy.deepcopy(result), "item": demand} for demand in demands]}


def host(name: str = "web1", **changes: object) -> dict:
    """Return a host of the report, with other values at some paths, such as service.state."""
    read = info()
    if "recommended.workers" in changes:
        decided = str(changes.get("recommended.decided_by", "cpu"))
        changes.setdefault(
            "recommended.reason", f"{changes['recommended.workers']} workers: because {decided} decides."
        )
        changes.setdefault("recommended.bounds", {**BOUNDS, decided: changes["recommended.workers"]})
    sizing = {key.partition(".")[2]: value for key, value in changes.items() if key.startswith("recommended.")}
    for key, value in changes.items():
        area, _dot, path = key.partition(".")
        if area != "recommended":
            _put({"host": read["host"], "service": read["services"][0]}[area], path, value)
    return fleet_report.report_host(name, read, sized(read, **sizing))


def unreachable(name: str) -> dict:
    """Return a host that could not be reached."""
    message = f"Failed to connect to the host via ssh: connect to host {name} port 22: Connection refused"
    return fleet_report.report_host(name, {"unreachable": True, "msg": message}, {})


def report(*hosts: dict) -> dict:
    """Return a report on these hosts."""
    return fleet_report.make_report(hosts, GENERATED, "1.0.0")


def of_every_kind() -> dict:
    """Return a report with a host of each kind that the page can show."""
    return report(
        host("web1"),
        host("web2", **{"service.threads": 4, "service.worker_class": "gthread", "recommended.threads": 4,
                        "recommended.worker_class": "gthread", "recommended.workers": 5}),
        host("db-and-web.example.com", **SHORT),
        host("web3", **{"service.exits.timeout": 3}),
        host("web4", **{"service.workers.running": 4}),
        host("busy.example.com", **BUSY),
        host("limited", **{"service.limits.memory": 512 * MIB, "service.limits.memory_limited_by": "cgroup",
                           "recommended.workers": 3, "recommended.decided_by": "memory"}),
        host("stopped", **STOPPED),
        host("plain", **UNMEASURED),
        two_services("two-sites"),
        host("queue", **{"service.companions": COMPANIONS, "recommended.workers": 5}),
        host("jobs-alone", **ALONE),
        without_service("cache1"),
        unreachable("gone.example.com"),
        fleet_report.report_host("no-python", {"failed": True, "msg": NO_PYTHON}, {}),
    )  # fmt: skip


def pictured() -> dict:
    """Return a report on some hosts, as the documentation shows it."""
    return report(
        host("web1.example.com", **{"recommended.workers": 5}),
        host("web2.example.com", **SHORT),
        host("web3.example.com", **BUSY),
        host("web4.example.com"),
        unreachable("web5.example.com"),
    )


def hostile() -> dict:
    """Return a report on hostile hosts: each has one of the texts as its name and in every answer."""
    return report(*(saying(text) for text in HOSTILE))


def saying(text: str) -> dict:
    """Return a host with this name, and with the same text in every place of its answers."""
    read = info()
    read["services"][0]["companions"] = copy.deepcopy(COMPANIONS)
    read["services"][0] = _with_texts(read["services"][0], text)
    read["services"][0]["state"] = "active"
    read["services"][0]["companions"][0].update(state="active", running=0)
    read["services"][0]["companions"][2].update(state="active", kind="job")
    read["host"] = _with_texts(read["host"], text)
    answer = sized(read, reason=text, worker_class=text, decided_by=text)
    return fleet_report.report_host(text, read, answer)


def _with_texts(value: object, text: str) -> object:
    """Return the value with each text in it replaced."""
    if isinstance(value, dict):
        return {key: _with_texts(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item, text) for item in value]
    return text if isinstance(value, str) else value


def two_services(name: str) -> dict:
    """Return a host with two services; the second one was never measured."""
    read = info()
    read["services"].append({**copy.deepcopy(read["services"][0]), "name": "blog", "unit": "blog.service",
                             "requests": None, "measured": None})  # fmt: skip
    return fleet_report.report_host(name, read, sized(read))


def without_service(name: str) -> dict:
    """Return a host without Gunicorn."""
    return fleet_report.report_host(name, {**info(), "services": []}, {})


def large(number: int) -> dict:
    """Return a report on so many hosts of every kind."""
    kinds = of_every_kind()["hosts"]
    return report(*({**kinds[place % len(kinds)], "name": f"web{place}.example.com"} for place in range(number)))


def companion(name: str = "mail", kind: str = "service", **changes: object) -> dict:
    """Return a healthy companion as the module reports it, with other values."""
    is_job = kind == "job"
    return {
        "name": name,
        "kind": kind,
        "unit": f"shop-{name}.{'timer' if is_job else 'service'}",
        "state": "active",
        "running": 0 if is_job else 1,
        "wanted": None if is_job else 1,
        "pids": [] if is_job else [901, 902],
        "memory": dict.fromkeys(("private", "shared", "pss", "rss", "swap"), 0) if is_job else MEMORY,
        "restarts": 0,
        "finishing": [],
        "last_result": "success" if is_job else None,
        "last_run": 1795841210.0 if is_job else None,
        "next_run": 1795842000.0 if is_job else None,
        **changes,
    }


def _put(target: dict, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        target = target[parent]
    target[last] = value


MEMORY = {"private": 91226112, "shared": 44040192, "pss": 135266304, "rss": 228589568, "swap": 0}
COMPANIONS = [
    companion("beat", "single", restarts=12),
    companion("clean", "job"),
    companion("invoices", "job", last_result="exit-code", running=1),
    companion("never-yet", "job", last_result=None, last_run=None),
    companion("mail", running=3, wanted=4, finishing=["shop-mail@1-1.service", "shop-mail@1-2.service"]),
    companion("old", unit=None, state=None, running=0, wanted=0, finishing=["shop-old@1-1.service"]),
    companion("unseen", memory=dict.fromkeys(MEMORY), pids=[]),
]
SHORT = {
    "host.memory.used": 7490000000, "host.memory.free": 410000000, "host.memory.buffers_cache": 426742016,
    "host.memory.available": 520000000, "host.memory.cache_share": 0.05, "host.memory.verdict": "short",
    "host.memory.reason": "The cache has 5% of the memory, and pages move to and from swap: RAM is short.",
    "host.swap.used": 1800000000, "host.swap.in_per_second": 3145728.0, "host.swap.out_per_second": 1048576.0,
    "host.swap.verdict": "short", "host.swap.reason": "3 MiB/s come from swap.",
    "host.verdict": "short", "host.reason": "RAM is short.",
    "service.workers.configured": 17, "service.workers.running": 17, "service.memory.private": 5100000000,
    "recommended.workers": 7, "recommended.decided_by": "memory",
}  # fmt: skip
BUSY = {
    "host.cpu.us": 71.0, "host.cpu.sy": 11.5, "host.cpu.id": 2.3, "host.cpu.wa": 6.1, "host.cpu.si": 1.1,
    "host.cpu.st": 8.0, "host.cpu.verdict": "watch", "host.cpu.reason": "8% of the CPU time goes to other machines.",
    "host.load.one": 4.2, "host.load.five": 3.1, "host.load.fifteen": 1.7,
    "host.load.per_core.one": 2.1, "host.load.per_core.five": 1.55, "host.load.per_core.fifteen": 0.85,
    "host.load.verdict": "watch", "host.load.reason": "The load is 1.55 for each core; 0.7 is the bound.",
    "host.verdict": "watch", "host.reason": "The load is above 0.7 for each core.", "recommended.workers": 5,
}  # fmt: skip
STOPPED = {
    "service.state": "inactive", "service.sub_state": "dead", "service.started": None, "service.processes": [],
    "service.workers.running": 0, "service.requests": None, "service.measured": None,
    "service.memory.private": 0, "service.memory.shared": 0, "service.memory.per_worker": None,
}  # fmt: skip
ALONE = {
    **STOPPED,
    "service.unit": None,
    "service.workers.configured": 0,
    "service.companions": COMPANIONS[:2],
}
UNMEASURED = {
    "host.pressure": None, "host.swap.total": 0, "host.swap.used": 0,
    "service.requests": None, "service.measured": None,
    "service.memory.private": None, "service.memory.shared": None, "service.memory.per_worker": None,
    "service.gunicorn_version": None, "recommended.workers": 5, "recommended.connections": None,
    "service.unseen": ["memory of the processes: only root and the user shop may read it"],
    "host.unseen": ["the journal: only root and the group systemd-journal may read it"],
}  # fmt: skip
