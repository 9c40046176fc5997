# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The capacity report as a page: one HTML file that needs nothing but itself.

page.html.j2 has the page's text and order; here is what it counts, and how figures are written.
"""

from __future__ import annotations

import functools
import time
import typing as t
from pathlib import Path

import jinja2
import markupsafe

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import judgement
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.characters import on_one_line

TEMPLATE = Path(__file__).with_name("page.html.j2")
# What the book's `top` shows, by what it means; the order is that of the bar.
CPU_KINDS = (
    ("us", "programs"),
    ("ni", "programs of low priority"),
    ("sy", "kernel"),
    ("hi", "hardware interrupts"),
    ("si", "software interrupts"),
    ("wa", "waiting for disks"),
    ("st", "taken by other machines"),
    ("id", "idle"),
)
# The book's bound for a host that is well off, as a part of the cores.
LOAD_BOUND = 0.7


class Part(t.NamedTuple):
    """A part of a bar: its kind, which gives the colour, what it is, where its figure comes from, and its width."""

    kind: str
    label: str
    key: str
    value: float | None
    percent: float


class Bar(t.NamedTuple):
    """Parts side by side, and the places of lines across them, all in percent of the bar."""

    parts: list[Part]
    marks: list[tuple[str, float]]


def page(report: dict) -> str:
    """Return the report as HTML. Every text in it is escaped, and made printable before."""
    hosts = report["hosts"]
    rows = judgement.rows(hosts)
    services = [service for host in hosts for service in host["services"]]
    return _template().render(
        report=report,
        rows=rows,
        # A section for each host, in the order in which the table names them first.
        sections=[(place, hosts[place]) for place in dict.fromkeys(row.place for row in rows)],
        counts=judgement.verdicts(hosts),
        services=services,
        total=totals(services),
        available_share=judgement.available_share,
        host_verdict=judgement.host_verdict,
        memory_bar=memory_bar,
        cpu_bar=cpu_bar,
        load_bars=load_bars,
        worker_bars=worker_bars,
        latency_bars=latency_bars,
    )


@functools.lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters.update(size=size, percent=percent, number=number, seconds=seconds, moment=moment)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def totals(services: list[dict]) -> dict[str, float]:
    """Return the workers of all services together, those that are recommended only where they are."""
    return {
        "configured": sum(service["workers"]["configured"] or 0 for service in services),
        "running": sum(service["workers"]["running"] or 0 for service in services),
        "recommended": sum((service["recommended"] or {}).get("workers") or 0 for service in services),
    }


def memory_bar(host: dict, services: list[dict]) -> Bar:
    """Return the memory as the kernel counts it, with what the workers take out of what is used.

    What the workers share may be the page cache's, so that the parts can add up to a little more than the total.
    """
    memory = host["memory"]
    private = sum(service["memory"]["private"] or 0 for service in services)
    shared = sum(service["memory"]["shared"] or 0 for service in services)
    other = max(0, (memory["used"] or 0) - private - shared)
    of_workers = [
        ("private", "workers, private", "sum.private", private),
        ("shared", "workers, shared", "sum.shared", shared),
    ]
    figures = [
        *(of_workers if services else []),
        ("other", "other programs", "other", other),
        ("cache", "buffers and cache", "memory.buffers_cache", memory["buffers_cache"]),
        ("free", "free", "memory.free", memory["free"]),
    ]
    whole = max(memory["total"] or 0, sum(value or 0 for *_names, value in figures))
    marks = [
        (f"limit of {service['name']}", service["limits"]["memory"])
        for service in services
        if service["limits"]["memory"] and service["limits"]["memory"] < (memory["total"] or 0)
    ]
    return _bar(figures, whole, marks)


def cpu_bar(cpu: dict) -> Bar:
    """Return the kinds of CPU time; they are percentages of the sample already."""
    figures = [(kind, label, kind, cpu[kind]) for kind, label in CPU_KINDS]
    return _bar(figures, max(100, sum(value or 0 for *_names, value in figures)), [])


def load_bars(host: dict) -> list[tuple[str, str, Bar]]:
    """Return a bar for each load average, all on one scale, with lines at the cores and at the book's bound."""
    load, cores = host["load"], host["cpus"] or 0
    names = (("one", "1 minute"), ("five", "5 minutes"), ("fifteen", "15 minutes"))
    whole = max(cores * 1.25, *(load[key] or 0 for key, _label in names))
    marks = [("0.7 x cores", LOAD_BOUND * cores), ("cores", cores)]
    return [
        (key, label, _bar([(_load_kind(load[key], cores), label, key, load[key])], whole, marks))
        for key, label in names
    ]


def _load_kind(load: float | None, cores: float) -> str:
    if load is None or load < LOAD_BOUND * cores:
        return "calm"
    return "busy" if load < cores else "over"


def worker_bars(service: dict) -> list[tuple[str, str, Bar]]:
    """Return bars of the workers that are configured, that run and that are recommended, on one scale."""
    counts = [
        ("configured", "workers.configured", service["workers"]["configured"]),
        ("running", "workers.running", service["workers"]["running"]),
        ("recommended", "recommended.workers", (service["recommended"] or {}).get("workers")),
    ]
    whole = max(value or 0 for *_names, value in counts)
    return [(label, key, _bar([(label, label, key, value)], whole, [])) for label, key, value in counts]


def latency_bars(latency: dict) -> list[tuple[str, str, Bar]]:
    """Return bars of how long requests took, on one scale."""
    names = (
        ("average", "mean"),
        ("half within", "p50"),
        ("95% within", "p95"),
        ("99% within", "p99"),
        ("longest", "max"),
    )
    whole = max(latency[key] or 0 for _label, key in names)
    return [(label, key, _bar([("time", label, key, latency[key])], whole, [])) for label, key in names]


def _bar(figures: list[tuple], whole: float, marks: list[tuple[str, float]]) -> Bar:
    parts = [Part(*figure, percent=_of(figure[-1], whole)) for figure in figures]
    return Bar(parts, [(label, _of(value, whole)) for label, value in marks])


def _of(value: float | None, whole: float) -> float:
    return round(max(0, value or 0) / whole * 100, 2) if whole else 0


def _shown(value: object) -> object:
    """Make what a template prints printable; what Jinja escaped already was made so before."""
    return on_one_line(value) if isinstance(value, str) and not isinstance(value, markupsafe.Markup) else value


def size(amount: float) -> str:
    """Return bytes in the unit that people would choose; units are powers of 1024."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if abs(amount) < 1000:
            return f"{_three_digits(amount)} {unit}"
        amount /= 1024
    return f"{_three_digits(amount)} TiB"


def percent(amount: float) -> str:
    """Return a percentage, with the more digits the smaller it is."""
    if amount == 0:
        return "0%"
    return f"{amount:.{0 if amount >= 9.95 else 1 if amount >= 0.095 else 2}f}%"


def number(amount: float) -> str:
    """Return a number, with commas between thousands, and to three digits if it is no whole one."""
    if amount == int(amount) or abs(amount) >= 1000:
        return f"{amount:,.0f}"
    return _three_digits(amount)


def seconds(amount: float) -> str:
    """Return a time in ms or s."""
    return f"{_three_digits(amount * 1000)} ms" if abs(amount) < 0.9995 else f"{_three_digits(amount)} s"


def moment(epoch: float) -> str:
    """Return a date and time in UTC, which is the same wherever the page is read; nothing for one that can't be."""
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(epoch))
    except (OverflowError, ValueError, OSError):
        return "unknown"


def _three_digits(amount: float) -> str:
    """Return a number to three digits, in full."""
    if amount == int(amount):
        return f"{amount:.0f}"
    places = 0 if abs(amount) >= 99.95 else 1 if abs(amount) >= 9.995 else 2 if abs(amount) >= 0.9995 else 3
    text = f"{amount:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
