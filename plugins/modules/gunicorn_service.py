#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_service
short_description: Bring a Gunicorn service to a new configuration without losing a request, or back
version_added: 0.1.0
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.service
  - pyweb.gunicorn.health
description:
  - Compares what a host has and runs with what is wanted, and does what there is to do. This is the last step of the
    role P(pyweb.gunicorn.gunicorn#role), which makes the units and the configuration that this module takes.
  - A change is tried first. While the live service goes on, C(NAME-standin.service) starts with the new configuration,
    on the same listening sockets, as the same user and in the same sandbox; its workers ask the application one request
    in-process before they accept a connection. If they fail, the live service, its files and its virtual environment
    stay as they were.
  - Then the files and the link of the virtual environment become the new ones, and the service restarts while the
    stand-in serves. The health request on every address, and the running master's command line, version and number of
    workers decide whether it stays. Otherwise everything is put back.
  - One deployment of a service at a time; a second one waits. One that was killed is ended by the next.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Of secrets and credentials nothing is shown.
  idempotent:
    support: full
options:
  name:
    description: The units' name without their suffix.
    type: str
    required: true
  enabled:
    description: Whether the service shall start at boot.
    type: bool
    default: true
  group:
    description: The group that may read the configuration.
    type: str
    required: true
  unit:
    description:
      - The service unit's text. C(@CONFIGURATION@) in it becomes a hash over all that the process is started with.
      - The unit has Type=notify, C(RuntimeDirectory=gunicorn/NAME), and waits in ExecStartPost for the file C(ready).
    type: str
    required: true
  standin_unit:
    description: The text of the unit that stands in; the same but for the candidates' paths. Check mode needs none.
    type: str
    required: true
  socket_unit:
    description: The socket unit's text.
    type: str
    required: true
  config_directory:
    description: Where C(gunicorn.conf.py), C(secrets.env) and C(credentials) stand.
    type: path
    required: true
  logrotate:
    description: The text of the rotation of its logs for C(/etc/logrotate.d). Empty for none.
    type: str
    default: ""
  log_file:
    description: Gunicorn's error log, of which errors show the end; V(-) for the journal.
    type: str
    default: "-"
  venv:
    description: The virtual environment's path, as the unit names it.
    type: path
    required: true
  observed:
    description:
      - What M(pyweb.gunicorn.gunicorn_plan_info) returned as RV(pyweb.gunicorn.gunicorn_plan_info#module:observed).
      - In check mode the controller compares with that, and the host is asked only where a diff is to be shown.
    type: dict
requirements:
  - systemd 247 or newer
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_venv
  - name: Listening sockets held by systemd
    description: Gunicorn's own documentation of the way to run it under systemd.
    link: https://docs.gunicorn.org/en/stable/deploy.html#systemd
"""

EXAMPLES = r"""
- name: Bring the service to what is wanted
  pyweb.gunicorn.gunicorn_service:
    name: mysite
    user: mysite
    group: mysite
    unit: "{{ lookup('ansible.builtin.template', 'mysite.service.j2') }}"
    standin_unit: "{{ lookup('ansible.builtin.template', 'mysite-standin.service.j2') }}"
    socket_unit: "{{ lookup('ansible.builtin.template', 'mysite.socket.j2') }}"
    configuration: "{{ lookup('ansible.builtin.template', 'gunicorn.conf.py.j2') }}"
    config_directory: /etc/opt/mysite
    binds: ["127.0.0.1:8000"]
    command: [/opt/mysite/venv/bin/gunicorn, --config=/etc/opt/mysite/gunicorn.conf.py, --workers=5, mysite.wsgi]
    workers: 5
    venv: /opt/mysite/venv
    venv_directory: /opt/mysite/venv
    gunicorn_version: 27.0.1
    health:
      path: /health
  become: true
"""

RETURN = r"""
name:
  description: The service's name.
  returned: success
  type: str
  sample: mysite
reasons:
  description: What was not as wanted, a sentence each; empty where nothing was changed.
  returned: success
  type: list
  elements: str
  sample: ["the number of workers is 3, not 5"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import systemd as change_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import observation, systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.arguments import ARGUMENTS, wanted_from
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = {**module.params, "venv_directory": os.path.realpath(module.params["venv_directory"])}
    os.umask(0o022)
    runner = Runner(module.run_command)
    try:
        secrets = service_secrets.secret_files(given["secrets"], given["credentials"], given["config_directory"])
        wanted = wanted_from(given, accounts.group_id(given["group"]), *secrets)
        diff = files.differences(wanted.all_files)
        if module.check_mode:
            decision = systemd.decide(wanted, observation.observe(wanted, runner))
        else:
            decision = change_systemd.deploy(wanted, runner, module.warn)
    except (DeployError, NotOurs) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(decision.reasons), name=wanted.name, reasons=decision.reasons, diff=diff)


if __name__ == "__main__":
    main()
