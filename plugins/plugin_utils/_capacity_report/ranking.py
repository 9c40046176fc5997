# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of hosts and services, and how many hosts there are of each verdict."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import judgement

# A host without an answer may be short of anything, so it comes next after the hosts that are short.
MISSING = "missing"
ORDER = ("short", MISSING, "watch", "healthy")
_NUMBERS = re.compile(r"([0-9]{1,18})")


class Row(t.NamedTuple):
    """A line of the fleet's table: a service, or a host that has none or could not be read."""

    verdict: str
    place: int  # of the host in the report
    host: dict
    service: dict | None


def rows(hosts: list[dict]) -> list[Row]:
    """Return the lines of the fleet's table, the worst first; of the same verdict, the least available memory first."""
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
        # In steps of a tenth, so that hosts with similar memory stay in the order of their names
        2 if available is None else round(available, 1),
        natural(row.host["name"]),
        natural(service),
    )


def available_share(host: dict) -> float | None:
    """Return the part of the memory that is available, from 0 to 1."""
    total, available = host["memory"]["total"], host["memory"]["available"]
    return available / total if total and available is not None else None


def natural(name: str) -> list:
    """Return a key that sorts names as people do: web2 before web10."""
    return [(int(part), "") if _NUMBERS.fullmatch(part) else (-1, part.casefold()) for part in _NUMBERS.split(name)]


def verdicts(hosts: list[dict]) -> dict[str, int]:
    """Return how many hosts have each verdict; the worst verdict of a host counts."""
    counts = dict.fromkeys(ORDER, 0)
    for host in hosts:
        counts[host_verdict(host)] += 1
    return counts


def host_verdict(host: dict) -> str:
    """Return the worst verdict on a host and its services."""
    if host["host"] is None:
        return MISSING
    return judgement.worst(host["host"]["verdict"], *(service["verdict"] for service in host["services"]))
