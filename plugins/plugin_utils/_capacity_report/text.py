# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The capacity report as text: the table in the terminal, and the snippets for host_vars."""

from __future__ import annotations

import hashlib
import re
import typing as t

import yaml

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import judgement, ranking
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.formats import moment
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._characters import fitted, wrapped

# A terminal has 100, and Ansible puts the text in quotes and indents it.
COLUMNS = 88
# Names and widths of the columns; negative ones are aligned to the right.
_TABLE = (
    ("verdict", 7),
    ("host", 22),
    ("service", 14),
    ("conf.", -5),
    ("run", -4),
    ("rec.", -7),
    ("bound", 7),
    ("RAM", -4),
    ("idle", -4),
    ("load", -5),
)
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def table(hosts: list[dict]) -> list[str]:
    """Return the fleet as lines for the terminal, the worst first, with advice below services that are not healthy."""
    lines = [
        summary(hosts),
        "Workers: configured, running, recommended, and the bound that decided. RAM available,",
        "CPU idle, load per core over 5 minutes.",
        _line(*(name for name, _columns in _TABLE)),
        _line(*("-" * abs(columns) for _name, columns in _TABLE)),
    ]
    for row in ranking.rows(hosts):
        lines.append(_line(*_cells(row)))
        if row.verdict != "healthy":
            said = row.service["advice"] if row.service else row.host["problem"] or row.host["host"]["reason"]
            lines += wrapped(said or "", COLUMNS, "  ")
    return lines


def summary(hosts: list[dict]) -> str:
    """Return the fleet in one line."""
    counts = ranking.verdicts(hosts)
    services = sum(len(host["services"]) for host in hosts)
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    hosts_word, services_word = ("host" if len(hosts) == 1 else "hosts"), ("service" if services == 1 else "services")
    return f"{len(hosts)} {hosts_word} ({said}), {services} {services_word}"


def _cells(row: ranking.Row) -> t.Iterator[str]:
    yield row.verdict
    yield row.host["name"]
    if row.service is None:
        yield from ("no Gunicorn" if row.host["host"] else "-", "-", "-", "-", "")
    else:
        workers, recommended = row.service["workers"], row.service["recommended"] or {}
        yield row.service["name"] or "-"
        yield _shape(workers["configured"], row.service["threads"])
        yield _shape(workers["running"])
        yield _shape(recommended.get("workers"), recommended.get("threads"))
        yield recommended.get("decided_by") or ""
    host = row.host["host"]
    if host is not None:
        share, idle, load = ranking.available_share(host), host["cpu"]["id"], host["load"]["per_core"]["five"]
        yield "-" if share is None else f"{share:.0%}"
        yield "-" if idle is None else f"{idle:.0f}%"
        yield "-" if load is None else f"{load:.2f}"


def _shape(workers: float | None, threads: float | None = None) -> str:
    if workers is None:
        return "-"
    return f"{workers}x{threads}" if threads and threads > 1 else str(workers)


def _line(*cells: str) -> str:
    columns = (columns for _name, columns in _TABLE)
    return " ".join(fitted(cell, width) for cell, width in zip(cells, columns)).rstrip()


def snippets(report: dict) -> dict[str, str]:
    """Return the files for review by their names: gunicorn_sizing of each host with a recommendation."""
    found = {}
    for host in report["hosts"]:
        services = [service for service in host["services"] if service["recommended"]]
        if services:
            found[_file_name(host["name"], found)] = snippet(host["name"], services, report["generated"])
    return found


def _file_name(name: str, taken: t.Container[str]) -> str:
    """Return a file name without directories, with the host's name in it, and different from other hosts' files."""
    # On some controllers' file systems, Web1 and web1 are the same name.
    safe = _SAFE_NAME.match(name) and name == name.casefold()
    if not safe or f"{name}.yml" in taken:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        name = f"{_UNSAFE.sub('_', name).strip('._-')[:100] or 'host'}-{digest}"
    return f"{name}.yml"


def snippet(name: str, services: list[dict], generated: float) -> str:
    """Return the text of one file: a document for each service, since the role runs once for each."""
    lines = _comment(
        f"For host_vars of {name}, to review: what pyweb.gunicorn.capacity_report measured on {moment(generated)}. "
        "It counts where gunicorn_workers is auto, and changes nothing until the role runs with it."
    )
    if len(services) > 1:
        lines += _comment(
            "Several services run there. The role runs once for each of them: give each run its own gunicorn_sizing, "
            "for example beside its gunicorn_project in the playbook."
        )
    return "\n".join([*lines, *(line for service in services for line in _document(service))]) + "\n"


def _document(service: dict) -> t.Iterator[str]:
    recommended = service["recommended"]
    yield "---"
    yield from _comment(f"Service {service['name']}. {service['advice']}")
    yield from _comment(recommended["reason"] or "")
    if not recommended["sizing_measured"]:
        yield from _comment("Nothing was measured yet. Let it serve requests for a while, and run this again.")
    yield from _comment(_on_others(service))
    if not recommended["sizing"]:
        yield "gunicorn_sizing: {}"
        return
    yield "gunicorn_sizing:"
    for key, value in recommended["sizing"].items():
        item = yaml.safe_dump({key: value}, width=1000).strip()
        said = "  # measured" if key in recommended["sizing_measured"] else ""
        if key in recommended["sizing_assumed"]:
            said = "  # equal parts for the services of this host"
        yield f"  {item}{said}"


def _on_others(service: dict) -> str:
    """Return what is known of the other processes that compute for the requests; empty if that changes nothing."""
    recommended, requests = service["recommended"], service["requests"]
    if judgement.waiting_is_hidden(service):
        return (
            "The waiting was not measured: the cores were busy, so that other processes such as a database waited for "
            "a core, too, and the requests for them. Measure again under less load."
        )
    if not requests or "wait_ratio" not in recommended["sizing_measured"]:
        return ""
    if judgement.others_reduce(service):
        return (
            f"Requests wait {requests['wait_ratio']:.2g} s for each second that they compute. It counts as less, since "
            f"other processes compute on the same cores: {requests['other_cpu_ratio']:.2g} s for each of these seconds."
        )
    if requests["other_cpu_ratio"] is None and recommended["sizing"]["wait_ratio"] > 0:
        return (
            "It is not known what other processes compute for the requests. If a database is on this host, there may "
            "be too many workers: measure with a longer sample under load (capacity_report_sample)."
        )
    return ""


def _comment(text: str) -> list[str]:
    return wrapped(text, 100, "# ")
