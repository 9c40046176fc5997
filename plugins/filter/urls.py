# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter without_passwords; its documentation is in the file of its name."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {"without_passwords": urls.without_passwords}
