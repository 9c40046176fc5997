#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_service_info
short_description: Say what runs under Gunicorn on a host, and how the host is
version_added: 0.1.0
description:
  - Todo.
author:
  - The pyweb.gunicorn authors (@pyweb)
options:
  name:
    description: Todo.
    type: str
  sample:
    description: Todo.
    type: float
    default: 0.5
"""

EXAMPLES = r"""
"""

RETURN = r"""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._hostfacts import HostFactsError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service_info import read_all


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "sample": {"type": "float", "default": 0.5},
        },
        supports_check_mode=True,
    )

    def run(command: list[str]) -> str:
        """Return what a command prints: nothing where the host does not have it, or does not let this user ask."""
        try:
            return module.run_command(command, handle_exceptions=False)[1]
        except OSError:
            return ""

    try:
        result = read_all(module.params["name"], module.params["sample"], run)
    except (InvalidValue, HostFactsError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
