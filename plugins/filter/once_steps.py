# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter once_steps; it is documented in the file of its name."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _once


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {"once_steps": _once.once_steps}
