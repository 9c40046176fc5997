# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form of the modules' results, as the report needs them.

A host may answer with anything: it may have been broken into, or run another version of the module. Every answer is
brought into this form, so that the report only meets numbers, texts and nulls where it expects them. Keys that the
report does not know stay as they are.
"""

from __future__ import annotations

import math
import typing as t

# No host can mean so many bytes or seconds.
_GREATEST = 1 << 63


class Maybe(t.NamedTuple):
    """A part that is null if it is absent; any other part that is absent has null for each of its figures."""

    form: dict


LATENCY = {"mean": float, "p50": float, "p95": float, "p99": float, "max": float}
PRESSURE = {
    "some_10": float,
    "some_60": float,
    "some_300": float,
    "full_10": float,
    "full_60": float,
    "full_300": float,
}
SERVICE = {
    "name": str,
    "unit": str,
    "state": str,
    "sub_state": str,
    "description": str,
    "user": str,
    "slice": str,
    "started": float,
    "restarts": float,
    "application": str,
    "command": [str],
    "gunicorn_version": str,
    "python_version": str,
    "worker_class": str,
    "threads": float,
    "workers": {"configured": float, "running": float},
    "processes": [{"pid": float, "role": str, "pss": float}],
    "memory": {"private": float, "shared": float, "pss": float, "rss": float, "swap": float, "per_worker": float},
    "cgroup": {"cpu_seconds": float, "memory": float, "memory_peak": float, "throttled_seconds": float},
    "limits": {
        "cpus": float,
        "cpus_limited_by": str,
        "cpus_source": str,
        "memory": float,
        "memory_limited_by": str,
        "memory_source": str,
        "tasks": float,
    },
    "sockets": [{"address": str, "owner": str}],
    "exits": {
        "timeout": float,
        "killed": float,
        "out_of_memory": float,
        "failed": float,
        "since": float,
        "source": str,
    },
    "requests": Maybe(
        {
            "count": float,
            "since": float,
            "per_second": float,
            "latency": LATENCY,
            "wait_ratio": float,
            "source": str,
            "cpu_per_request": float,
            "other_cpu_ratio": float,
        }
    ),
    "companions": [
        {
            "name": str,
            "kind": str,
            "unit": str,
            "state": str,
            "running": float,
            "wanted": float,
            "pids": [float],
            "memory": {"private": float, "shared": float, "pss": float, "rss": float, "swap": float},
            "restarts": float,
            "finishing": [str],
            "last_result": str,
            "last_run": float,
            "next_run": float,
        }
    ],
    "measured": Maybe({"wait_ratio": float, "memory_per_worker": str, "requests": float}),
    "unseen": [str],
}
HOST = {
    "name": str,
    "cpus": float,
    "cpus_limited_by": str,
    "memory": {
        "total": float,
        "used": float,
        "free": float,
        "buffers_cache": float,
        "available": float,
        "cache_share": float,
        "limited_by": str,
        "verdict": str,
        "reason": str,
    },
    "swap": {
        "total": float,
        "used": float,
        "in_per_second": float,
        "out_per_second": float,
        "verdict": str,
        "reason": str,
    },
    "cpu": {
        **dict.fromkeys(("us", "sy", "ni", "id", "wa", "hi", "si", "st"), float),
        "sample": float,
        "verdict": str,
        "reason": str,
    },
    "load": {
        "one": float,
        "five": float,
        "fifteen": float,
        "per_core": {"one": float, "five": float, "fifteen": float},
        "verdict": str,
        "reason": str,
    },
    "pressure": Maybe({"cpu": PRESSURE, "memory": PRESSURE, "io": PRESSURE, "verdict": str, "reason": str}),
    "verdict": str,
    "reason": str,
    "unseen": [str],
}
RECOMMENDED = {
    "workers": float,
    "threads": float,
    "worker_class": str,
    "decided_by": str,
    "reason": str,
    "fits": bool,
    "bounds": {"cpu": float, "memory": float, "tasks": float, "minimum": float, "maximum": float},
    "connections": Maybe({"steady": float, "changing": float}),
}


def plain(value: object) -> t.Any:
    """Return the value made of JSON's own types, without Ansible's classes and without numbers that JSON lacks."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        # Nothing is measured more finely than to a millionth, and more digits would be most of the page.
        return round(float(value), 6) if math.isfinite(value) else None
    return str(value)


def conform(value: t.Any, form: t.Any) -> t.Any:
    """Return a value of plain JSON in the form: a value of another type becomes null, or an empty list."""
    if isinstance(form, Maybe):
        return conform(value, form.form) if isinstance(value, dict) else None
    if isinstance(form, dict):
        given = value if isinstance(value, dict) else {}
        return {**given, **{key: conform(given.get(key), part) for key, part in form.items()}}
    if isinstance(form, list):
        kind = dict if isinstance(form[0], dict) else form[0]
        return [conform(item, form[0]) for item in value if isinstance(item, kind)] if isinstance(value, list) else []
    if form is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return value if is_number and abs(value) < _GREATEST else None
    return value if isinstance(value, form) else None
