# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gunicorn_sizing_info is asked for each service of a host."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import companions, judgement
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.form import SERVICE, conform, plain

# The options of gunicorn_sizing, as the role has them
SIZING_OPTIONS = (
    "memory_per_worker",
    "memory_reserve",
    "memory_companions",
    "wait_ratio",
    "thread_safe",
    "share",
    "cpus",
    "memory",
    "minimum",
    "maximum",
)
_SIZE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?[KMGT](i?B)?", re.ASCII)


def demands(services: object, sizing: object, threads: object = None) -> list[dict]:
    """Return for each service the options of gunicorn_sizing_info: the host's own, replaced by what was measured.

    A service without web workers, whose companions run, needs none.

    If several services of systemd or of root's supervisor run on a host, each gets an equal part of it, unless the
    host's own gunicorn_sizing has a share. Otherwise each of them would get all of the memory. `measured` names the
    options that were measured, and `assumed` names the equal part.
    """
    found = [conform(plain(service), SERVICE) for service in (services if isinstance(services, list) else [])]
    own = {key: value for key, value in (plain(sizing) or {}).items() if key in SIZING_OPTIONS and value is not None}
    # Every local user can start a process that calls itself a Gunicorn master: only those of a manager share the host.
    sharing = sum(judgement.is_running(service) and _is_managed(service) for service in found)
    assumed = {"share": _share(sharing)} if sharing > 1 and "share" not in own else {}
    result = []
    for service in found:
        if companions.are_alone(service):
            continue
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


def _is_managed(service: dict) -> bool:
    """Whether systemd or root's supervisor runs the service; gunicorn_service_info names others by their process id."""
    return service["unit"] is not None or not (service["name"] or "").startswith("pid ")


def _measured(measured: dict) -> dict:
    """Return the measurements as options, with few digits, so that the explanation can be checked by hand."""
    options = {}
    if measured.get("wait_ratio") is not None:
        options["wait_ratio"] = round(measured["wait_ratio"], 2)
    # It is written into host_vars, where Ansible would take any other text of the host for a template.
    if _SIZE.fullmatch(measured.get("memory_per_worker") or ""):
        options["memory_per_worker"] = measured["memory_per_worker"]
    return options


def _share(services: int) -> float:
    """Return an equal part for each, rounded down, so that together they never exceed the host."""
    return int(1000 / services) / 1000


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _directives(limits: dict) -> dict:
    """Return the service's own limits as directives; the module reads the limits of its slice itself."""
    directives = {}
    if limits["memory_limited_by"] == "cgroup" and limits["memory"]:
        directives["MemoryMax"] = str(int(limits["memory"]))
    if limits["cpus_limited_by"] == "quota" and limits["cpus"]:
        directives["CPUQuota"] = f"{round(limits['cpus'] * 100, 2):.12g}%"
    if limits["tasks"]:
        directives["TasksMax"] = str(int(limits["tasks"]))
    return directives
