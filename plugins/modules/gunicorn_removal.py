#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_removal
short_description: Remove what the role made for a project
version_added: 1.0.0
description:
  - Stops and disables a project's service. Removes its units or its program of supervisor, C(gunicorn.conf.py),
    secrets, credentials, log rotation and locks, as far as the role made them. The role
    P(pyweb.gunicorn.gunicorn#role) calls this module with C(gunicorn_state=absent).
  - The service's companions, which the comments in their units name, are stopped and removed with it. Each gets its
    signal and the time to finish its task. The module waits for that, also for those that a change has asked to finish.
    Their logs go with V(logs).
  - The project's code, settings, data, logs, virtual environment and user stay unless O(remove) names them. Even then,
    the module keeps what the unit or program of another service names, and what another process uses.
  - Of a link, only the link is removed; of a virtual environment also the target, if it was built at this path.
  - The module refuses a service that the role neither made nor adopted. If the role adopted the service, the unit from
    before the adoption stays where it is kept, and is not started.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
  - pyweb.gunicorn.deployment
options:
  project:
    description:
      - The project's name. A directory is removed as a whole only if it has this name, or that of the service.
  manage_user:
    description: Whether the role manages the user. If not, the user can't be removed.
  releases_directory:
    description:
      - The directory of the releases. They are removed with C(code), and so are the link C(current) beside them and
        what the role has put into O(static_directory).
    type: str
    default: ""
  static_directory:
    description: Where the web server finds the static files of the releases.
    type: str
    default: ""
  log_file:
    default: "-"
  remove:
    description: What to remove beside what the role made.
    type: list
    elements: str
    choices: [venv, code, config, data, logs, user]
    default: []
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - systemd 247 or newer, or supervisor 4
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_service
  - module: pyweb.gunicorn.gunicorn_supervised_service
"""

EXAMPLES = r"""
- name: Take the service away, and the virtual environment that was built for it
  pyweb.gunicorn.gunicorn_removal:
    project: mysite
    service_name: mysite
    user: mysite
    group: mysite
    venv: /opt/mysite/venv
    code_directory: /opt/mysite
    config_directory: /etc/opt/mysite
    data_directory: /var/opt/mysite
    log_file: /var/log/mysite/gunicorn.log
    remove: [venv]
  become: true
"""

RETURN = r"""
removed:
  description: What was stopped and removed. Units and programs come before paths, and paths before accounts.
  returned: success
  type: list
  elements: str
  sample: ["mysite.socket", "mysite.service", "/etc/systemd/system/mysite.service"]
left:
  description: What was kept on purpose, and why, one sentence each. Excludes what O(remove) could name but does not.
  returned: success
  type: list
  elements: str
  sample: ["the user web is named by shop.service"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import removal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.parameters import NAMES
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ARGUMENTS = {
    "project": {"type": "str", "required": True},
    "service_name": {"type": "str", "required": True},
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "supervisor"], "default": "auto"},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "manage_user": {"type": "bool", "default": True},
    "venv": {"type": "str", "required": True},
    "code_directory": {"type": "str", "required": True},
    "releases_directory": {"type": "str", "default": ""},
    "static_directory": {"type": "str", "default": ""},
    "config_directory": {"type": "str", "required": True},
    "data_directory": {"type": "str", "required": True},
    "log_file": {"type": "str", "default": "-"},
    "access_log_file": {"type": "str", "default": ""},
    "remove": {
        "type": "list",
        "elements": "str",
        "choices": list(NAMES),
        "default": [],
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if os.geteuid() != 0:
        module.fail_json(msg="root is needed on the host: set become: true for the play. Nothing was changed.")
    try:
        plan = removal.remove(module.params, Runner(module.run_command), module.check_mode)
    except (InvalidValue, SupervisorError) as error:
        module.fail_json(msg=f"{error}. Nothing was changed.")
    except DeployError as error:
        module.fail_json(msg=str(error))
    except RemovalError as error:
        module.fail_json(msg=f"{error}. What was removed stays removed; the next run removes the rest.")
    for sentence in plan.left if plan.removals else ():
        module.warn(f"{sentence}: it stays.")
    before = "".join(f"{one}\n" for one in plan.removals)
    module.exit_json(
        changed=plan.is_change,
        removed=plan.removals,
        left=list(plan.left),
        diff={"before": before, "after": ""},
    )


if __name__ == "__main__":
    main()
