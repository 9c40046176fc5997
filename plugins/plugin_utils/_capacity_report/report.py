# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as the JSON file has it, made of what the modules returned for each host."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import companions, judgement
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.form import (
    HOST,
    RECOMMENDED,
    SERVICE,
    conform,
    plain,
)

_ANSIBLES_OWN = re.compile(r"^(Task failed: |Action failed: )+")


def make_report(hosts: t.Iterable[dict], generated: float, version: str) -> dict:
    """Return the report as the JSON file has it; the hosts stay in the order of the inventory."""
    return {"generated": int(generated), "collection_version": version, "hosts": list(hosts)}


def report_host(name: str, info: object, sizing: object) -> dict:
    """Return the host's part of the report, from the results of the tasks that measured it."""
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
    """Return the sizing's result for each service, by the service's name."""
    results = sizing.get("results")
    found = [result for result in (results if isinstance(results, list) else []) if isinstance(result, dict)]
    return {result["item"]["service"]: result for result in found if isinstance(result.get("item"), dict)}


def _service(host: dict, service: dict, result: dict | None, failed: str | None) -> dict:
    recommended = None
    sized = conform(result, RECOMMENDED)
    alone = companions.are_alone(service)
    if not alone and result is not None and not result.get("failed") and sized["workers"] is not None:
        demand = result["item"]
        recommended = {
            **{key: sized[key] for key in RECOMMENDED},
            "measured": bool(demand["measured"]),
            "sizing": demand["sizing"],
            "sizing_measured": demand["measured"],
            "sizing_assumed": demand["assumed"],
        }
    elif not alone:
        reason = _message(result) if result is not None else failed
        said = f": {reason}" if reason else ""
        service = {**service, "unseen": [*service["unseen"], f"how many workers would be right{said}"]}
    verdict, advice = judgement.judge(host, service, recommended)
    return {**service, "recommended": recommended, "verdict": verdict, "advice": advice}
