# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter web_argument."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import quoting


def web_argument(value: object) -> str:
    """Return one argument of a directive of nginx or Apache."""
    try:
        return quoting.argument(str(value))
    except ValueError as error:
        raise AnsibleFilterError(f"web_argument: {error}") from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {"web_argument": web_argument}
