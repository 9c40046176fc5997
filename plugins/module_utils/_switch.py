# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to happen to a service so that what runs is what is wanted.

The decision goes by what runs, not by what this run of Ansible happened to write: a play that failed half-way has
lost its handlers, and the next one finds its files already in place.
"""

from __future__ import annotations

from typing import NamedTuple


class Decision(NamedTuple):
    """States for ansible.builtin.systemd_service, and why; without reasons there is nothing to do."""

    reasons: list[str]
    stop_first: bool
    socket_state: str
    service_state: str


def decide(plan: dict, wanted: dict) -> Decision:
    """Compare the plan's ``service`` and ``socket`` with what is wanted.

    `wanted` has `state` (started or stopped), `enabled`, `configuration`, `secrets` and `sockets` (hashes of what the
    process shall be started with), and `files_changed` and `sockets_changed` (whether this run wrote unit files).
    """
    service, sockets = plan["service"], plan["socket"]
    reasons = _reasons_of_both(service, sockets, wanted)
    if wanted["state"] == "stopped":
        if service["active"] or service["starting"] or sockets["active"]:
            reasons.append("the service runs and shall be stopped")
        return Decision(reasons, stop_first=False, socket_state="stopped", service_state="stopped")
    if not sockets["active"]:
        reasons.append("the listening sockets are not open")
    if not service["active"]:
        reasons.append("the service does not run")
    new_sockets = sockets["active"] and (wanted["sockets_changed"] or _differs(service, sockets, wanted["sockets"]))
    if new_sockets:
        reasons.append("the listening sockets are not the ones that are configured")
    outdated = service["active"] and (wanted["files_changed"] or _differs(service, service, wanted["configuration"]))
    if outdated:
        reasons.append("what runs was started with another configuration")
    if service["active"] and service["secrets"] != wanted["secrets"]:
        outdated = True
        reasons.append("what runs was started with other secrets")
    return Decision(
        reasons=reasons,
        # One that was made by hand, without a socket unit: systemd opens no sockets for a service that runs already.
        stop_first=service["active"] and not sockets["active"],
        socket_state="restarted" if new_sockets else "started",
        # One that fails to start is tried again by systemd all the time, perhaps with the unit it knew before: restart.
        service_state="started" if service["active"] and not (outdated or new_sockets) else "restarted",
    )


def _differs(service: dict, unit: dict, wanted: str) -> bool:
    return service["active"] and unit["running"] != wanted


def _reasons_of_both(service: dict, sockets: dict, wanted: dict) -> list[str]:
    reasons = []
    if service["enabled"] != wanted["enabled"] or sockets["enabled"] != wanted["enabled"]:
        reasons.append(f"the service shall {'' if wanted['enabled'] else 'not '}start at boot")
    if service["stale"] or sockets["stale"]:
        reasons.append("systemd has not read the units since they changed")
    return reasons
