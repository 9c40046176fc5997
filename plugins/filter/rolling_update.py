# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of the playbook rolling_update; each is documented in the file of its name."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _rolling_update


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {
            "failure_sentence": _rolling_update.failure_sentence,
            "rolling_update_problems": _rolling_update.problems,
            "too_many_lost": _rolling_update.too_many_lost,
        }
