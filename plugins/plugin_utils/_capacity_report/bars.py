# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bars of the page: which parts they have, and how long each is."""

from __future__ import annotations

import typing as t

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import companions

# The kinds of CPU time in the book's `top`, in the order of the bar
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
# Below this part of the cores, the book says, there is room.
LOAD_BOUND = 0.7


class Part(t.NamedTuple):
    """A part of a bar: its kind for the colour, its name, where the JSON file has its figure, and its width."""

    kind: str
    label: str
    key: str
    value: float | None
    percent: float


class Bar(t.NamedTuple):
    """Parts side by side, and lines across them by name and place; all in percent of the bar."""

    parts: list[Part]
    marks: list[tuple[str, float]]


def memory_bar(host: dict, services: list[dict]) -> Bar:
    """Return the memory as the kernel counts it; the parts of workers and companions are taken out of the used memory.

    What the workers share may be in the page cache, so the parts can add up to a little more than the total.
    """
    memory = host["memory"]
    private = sum(service["memory"]["private"] or 0 for service in services)
    shared = sum(service["memory"]["shared"] or 0 for service in services)
    beside = companions.memory(services)
    other = max(0, (memory["used"] or 0) - private - shared - (beside or 0))
    of_workers = [
        ("private", "workers, private", "sum.private", private),
        ("shared", "workers, shared", "sum.shared", shared),
    ]
    of_companions = [("companions", "companions", "sum.companions", beside)]
    figures = [
        *(of_workers if services else []),
        *(of_companions if any(service["companions"] for service in services) else []),
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
    """Return the kinds of CPU time, which are percentages of the sample."""
    figures = [(kind, label, kind, cpu[kind]) for kind, label in CPU_KINDS]
    return _bar(figures, max(100, sum(value or 0 for *_names, value in figures)), [])


def load_bars(host: dict) -> list[tuple[str, str, Bar]]:
    """Return a bar for each load average, on one scale, with lines at the cores and at the book's bound."""
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
    """Return bars of the configured, running and recommended workers, on one scale."""
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
