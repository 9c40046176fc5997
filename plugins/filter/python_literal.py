# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter python_literal."""

from __future__ import annotations

import json

from ansible.errors import AnsibleFilterError


def python_literal(value: object) -> str:
    """Return Python source that evaluates to the value."""
    try:
        # Through JSON, since Ansible's own string classes have another repr
        plain = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"python_literal: {error}") from error
    return repr(plain)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        return {"python_literal": python_literal}
