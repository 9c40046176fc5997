#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_service
short_description: Deploy a Gunicorn service under systemd without losing a request, or go back
version_added: 1.0.0
description:
  - Compares what the host has and runs with what you ask for, and acts on the difference. This is the last step of the
    role P(pyweb.gunicorn.gunicorn#role), which makes the units and the configuration for this module.
  - A change is tried first. While the live service goes on, C(NAME-standin.service) starts with the new configuration,
    on the same listening sockets, as the same user and in the same sandbox. Each of its workers sends the application
    one request in-process before it accepts a connection. If that fails, the live service, its files and its virtual
    environment stay as they were.
  - Then the module puts the new files and the link of the virtual environment in place, and restarts the service while
    the stand-in serves. It sends the health request to every address, and compares the running master's command line,
    version and number of workers with what you ask for. If something does not match, it puts everything back.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
  - pyweb.gunicorn.service
  - pyweb.gunicorn.service.release
  - pyweb.gunicorn.service.secrets
  - pyweb.gunicorn.health
options:
  unit:
    description:
      - The text of the service unit, in which C(@CONFIGURATION@) is replaced by a hash of all that the process is
        started with.
      - The unit must have C(Type=notify) and C(RuntimeDirectory=gunicorn/NAME), and must wait in C(ExecStartPost=) for
        the file C(ready).
    type: str
    required: true
  standin_unit:
    description:
      - The text of the stand-in's unit. It is that of O(unit) with the paths of the candidate files. Not used in check
        mode.
    type: str
    required: true
  socket_unit:
    description: The text of the socket unit.
    type: str
    required: true
  optional_directives:
    description:
      - Names of directives in O(unit) that the service may do without on a host that can't apply them, as in some
        containers.
      - If systemd can't set up the sandbox, the module finds out by trying which of them must go, leaves them out, and
        warns. A comment in the unit names them.
    type: list
    elements: str
    default: []
  left_out:
    description:
      - What M(pyweb.gunicorn.gunicorn_plan_info) returned as C(left_out) in
        RV(pyweb.gunicorn.gunicorn_plan_info#module:plan), the directives that the unit does without already.
    type: dict
    default: {}
  observed:
    description:
      - What M(pyweb.gunicorn.gunicorn_plan_info) returned as RV(pyweb.gunicorn.gunicorn_plan_info#module:observed).
      - In check mode, the controller compares with this value, and connects to the host only if it must show a diff.
    type: dict
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - systemd 247 or newer
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_venv
  - name: Listening sockets held by systemd
    description: Gunicorn's own documentation of how to run it under systemd.
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
  description: What differed from what you asked for, one sentence each. Empty if nothing was changed.
  returned: success
  type: list
  elements: str
  sample: ["the number of workers is 3, not 5"]
ansible_facts:
  description: What was deployed, as a fact of the host; in check mode, what would be.
  returned: success
  type: dict
  contains:
    gunicorn_deployment:
      description: The service, as this task leaves it.
      returned: success
      type: dict
      contains:
        name:
          description: Its name.
          type: str
          sample: mysite
        release:
          description: The ID of the live release; empty if the code is none.
          type: str
          sample: 7c4f1a9be2d0-3f9a1c
        previous_release:
          description: The ID of the release that was live before; the same one if it was not changed.
          type: str
          sample: 52a1c7d80e4b-3f9a1c
        release_changed:
          description: Whether the two differ.
          type: bool
          sample: true
        code_directory:
          description: Where the code is that runs.
          type: str
          sample: /opt/mysite/releases/7c4f1a9be2d0-3f9a1c
        venv:
          description: The virtual environment that runs, and not the link to it.
          type: str
          sample: /opt/mysite/venv-0d131dfd
        gunicorn_version:
          description: The version of Gunicorn in it; empty if it is not there yet, as in check mode.
          type: str
          sample: 27.0.1
        workers:
          description: The number of workers.
          type: int
          sample: 5
        binds:
          description: The addresses on which it listens, and the paths of unix sockets.
          type: list
          elements: str
          sample: ["127.0.0.1:8000", "[::1]:8000"]
        switched:
          description: Whether other processes than before serve now. A change that no process reads switches nothing.
          type: bool
          sample: true
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import host_commands
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import systemd as change_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import facts as service_facts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import systemd as service_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def main() -> None:
    module = AnsibleModule(argument_spec=service_systemd.ARGUMENTS, supports_check_mode=True)
    given = {**module.params, "venv_directory": os.path.realpath(module.params["venv_directory"])}
    os.umask(0o022)
    runner = Runner(module.run_command)
    try:
        secrets = service_secrets.secret_files(given["secrets"], given["credentials"], given["config_directory"])
        wanted = service_systemd.spec_from(given, accounts.group_id(given["group"]), *secrets)
        diff = files.differences(wanted.all_files)
        if module._diff:
            found = companion_state.read(wanted.name, runner)
            diff += service_systemd.companion_differences(wanted, found)
        live_release = live.live_id(wanted.release)
        if module.check_mode:
            decision = service_systemd.decide(wanted, service_systemd.observe(wanted, runner))
        else:
            decision = change_systemd.deploy(wanted, runner, module.warn, host_commands.install)
    except (DeployError, NotOurs, InvalidValue) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**service_facts.result(wanted, decision, live_release), diff=diff)


if __name__ == "__main__":
    main()
