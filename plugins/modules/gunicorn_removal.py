#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_removal
short_description: Take away what the role made for a project
version_added: 0.1.0
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
description:
  - Stops and disables a project's service, and removes its units or its program of supervisor, C(gunicorn.conf.py),
    secrets, credentials, log rotation and locks, as far as the role made them. This is what the role
    P(pyweb.gunicorn.gunicorn#role) does with C(gunicorn_state=absent).
  - The project's code, settings, data, logs, virtual environment and user stay, unless O(remove) names them. What the
    unit or program of another service names stays even then.
  - A service that the role neither made nor adopted is refused. Of one that it adopted, the unit from before stays
    where it is kept, and is not started again.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  project:
    description: The project's name. A directory is removed as a whole only if it bears this name, or the service's.
    type: str
    required: true
  service_name:
    description: The units' name without their suffix, or the name of supervisor's program.
    type: str
    required: true
  service_manager:
    description: What runs the service; V(auto) is V(systemd) where it runs the host, and else V(supervisor).
    type: str
    choices: [auto, systemd, supervisor]
    default: auto
  user:
    description: The user that the service ran as.
    type: str
    required: true
  group:
    description: The group that the service ran as.
    type: str
    required: true
  manage_user:
    description: Whether the user is the role's to make, and so to remove.
    type: bool
    default: true
  venv:
    description: The virtual environment.
    type: str
    required: true
  code_directory:
    description: Where the project's code stands.
    type: str
    required: true
  config_directory:
    description: Where its settings stand, and C(gunicorn.conf.py), C(secrets.env) and C(credentials).
    type: str
    required: true
  data_directory:
    description: Where its data stand.
    type: str
    required: true
  log_file:
    description: Gunicorn's error log; V(-) for the journal.
    type: str
    default: "-"
  access_log_file:
    description: Gunicorn's access log.
    type: str
    default: ""
  remove:
    description: What goes beside what the role made.
    type: list
    elements: str
    choices: [venv, code, config, data, logs, user]
    default: []
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
  description: What was stopped and removed, units and programs before paths, and paths before accounts.
  returned: success
  type: list
  elements: str
  sample: ["mysite.socket", "mysite.service", "/etc/systemd/system/mysite.service"]
left:
  description: What is still there on purpose, and why, a sentence each; without what was not named in O(remove).
  returned: success
  type: list
  elements: str
  sample: ["the user web is named by shop.service"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import removal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import Manager, RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.removal import RemovalRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.supervisor import Program
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.systemd import Units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.programs import SupervisorError
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
    "config_directory": {"type": "str", "required": True},
    "data_directory": {"type": "str", "required": True},
    "log_file": {"type": "str", "default": "-"},
    "access_log_file": {"type": "str", "default": ""},
    "remove": {
        "type": "list",
        "elements": "str",
        "choices": ["venv", "code", "config", "data", "logs", "user"],
        "default": [],
    },
}


def manager_of(wanted: RemovalRequest, manager: str, runner: Runner) -> Manager:
    """What runs the service on this host; raises InvalidValue where the host has not got the one that is wanted."""
    if service_manager.choose(manager) == service_manager.SUPERVISOR:
        return Program(wanted.service, wanted.config_directory)
    return Units(wanted.service, runner)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if os.geteuid() != 0:
        module.fail_json(msg="root is needed on the host: set become: true for the play. Nothing was changed.")
    runner = Runner(module.run_command)
    try:
        wanted = removal.check_parameters(module.params)
        manager = manager_of(wanted, module.params["service_manager"], runner)
        if module.check_mode:
            plan = removal.make_plan(wanted, manager)
        else:
            with lock.locked(wanted.service):
                plan = removal.make_plan(wanted, manager)
                removal.carry_out(plan, manager, runner)
                removal.forget_locks(wanted)
    except (InvalidValue, SupervisorError) as error:
        module.fail_json(msg=f"{error}. Nothing was changed.")
    except DeployError as error:
        module.fail_json(msg=str(error))
    except RemovalError as error:
        module.fail_json(msg=f"{error}. What was removed before stays so; the next run goes on.")
    for sentence in plan.left if plan.changes else ():
        module.warn(f"{sentence}: it stays.")
    before = "".join(f"{change}\n" for change in plan.changes)
    module.exit_json(
        changed=bool(plan.changes or plan.disable),
        removed=plan.changes,
        left=list(plan.left),
        diff={"before": before, "after": ""},
    )


if __name__ == "__main__":
    main()
