# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The companions of a service: what is wrong with them, and what they take of the memory."""

from __future__ import annotations

import typing as t

JOB = "job"
# A process that ends now and then is restarted, and nobody notices.
MANY_RESTARTS = 5
_UP = ("active", "reloading", "refreshing")
# Of what was not stopped, whether or not it works
_MEANT_TO_RUN = (*_UP, "activating", "failed")


class Problem(t.NamedTuple):
    """What is wrong with a companion."""

    verdict: str
    advice: str


def problem(companion: dict) -> Problem | None:
    """Return what is wrong with a companion, if anything is."""
    name = f"Its companion {companion['name'] or 'without a name'}"
    if companion["unit"] is None:
        # It was removed, and what is left of it finishes.
        return None
    stopped = companion["state"] is not None and companion["state"] not in _MEANT_TO_RUN
    if stopped:
        return Problem("watch", f"{name} does not run: start it, or remove it if nobody needs it.")
    if companion["kind"] == JOB:
        return _problem_of_job(companion, name)
    running, wanted = companion["running"], companion["wanted"]
    if running is not None and wanted is not None and running < wanted:
        if running <= 0:
            return Problem("short", f"{name} is down: its log says why.")
        return Problem("watch", f"{name} has {running} of {wanted} processes: its log says what became of the others.")
    if (companion["restarts"] or 0) >= MANY_RESTARTS:
        return Problem("watch", f"{name} was restarted {companion['restarts']} times: its log says why it ends.")
    return None


def _problem_of_job(companion: dict, name: str) -> Problem | None:
    if companion["state"] == "failed":
        return Problem("short", f"{name} is down: the journal of its timer says why.")
    if companion["last_result"] not in (None, "success"):
        return Problem("watch", f"{name} failed when it last ran ({companion['last_result']}): its log says why.")
    return None


def problems(service: dict, verdict: str) -> list[str]:
    """Return the advice on all companions of a service that have this verdict."""
    found = (problem(companion) for companion in service["companions"])
    return [each.advice for each in found if each and each.verdict == verdict]


def are_alone(service: dict) -> bool:
    """Return whether the host has no web workers of the service, but its companions."""
    without = service["unit"] is None or service["workers"]["configured"] == 0
    return bool(service["companions"]) and without and service["state"] == "inactive"


def memory(services: list[dict]) -> float | None:
    """Return what the companions of services take together; None if nothing is known of any of them."""
    sizes = [companion["memory"]["pss"] for service in services for companion in service["companions"]]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None
