# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters for companions; each is documented in the file of its name."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _companions


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {"companions": _companions.companions, "doubled_singles": _companions.doubled_singles}
