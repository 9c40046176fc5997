# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter switch_decision."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._switch import decide


def switch_decision(plan: dict, wanted: dict) -> dict:
    """Return what has to happen to the service, and why."""
    return decide(plan, wanted)._asdict()


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {"switch_decision": switch_decision}
