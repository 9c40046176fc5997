# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter capacity_demands."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.demands import demands


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {"capacity_demands": demands}
