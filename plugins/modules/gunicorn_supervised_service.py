#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_supervised_service
short_description: Deploy a Gunicorn service under supervisor, or go back
version_added: 1.0.0
description:
  - Does on a host without systemd what M(pyweb.gunicorn.gunicorn_service) does on one with it. This is the last step
    of the role P(pyweb.gunicorn.gunicorn#role) there.
  - A change is tried first. While the live service goes on, Gunicorn starts with the new configuration on a separate
    unix socket, as the same user. Each of its workers sends the application one request in-process before it accepts a
    connection. If that fails, the live service, its files and its virtual environment stay as they were.
  - Then the module puts the new files and the link of the virtual environment in place, and supervisor restarts the
    service. The module sends the health request to every address, and compares the running master's command line,
    version and number of workers with what you ask for. If something does not match, it puts everything back.
  - Nothing holds the sockets while the service restarts, so connections are refused for that moment.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
  - pyweb.gunicorn.service
  - pyweb.gunicorn.service.release
  - pyweb.gunicorn.service.secrets
  - pyweb.gunicorn.health
options:
  description:
    description: What the service is, as a comment in the program's file.
    type: str
    default: ""
  enabled:
    description: Whether supervisor starts the service when supervisor itself starts, as at boot.
  directory:
    description: The working directory of the service.
    type: path
    required: true
  environment:
    description: The environment variables of the service. All values are strings. Secrets belong in O(secrets).
    type: dict
    default: {}
  service_directives:
    description: >-
      Directives of a systemd unit. Only C(UMask), C(NoNewPrivileges) and C(OOMScoreAdjust) take effect. Those that are
      not given have systemd's defaults.
    type: dict
    default: {}
  launcher:
    description:
      - The text of the program that supervisor starts as root. It becomes the service's master, as the service's user.
      - It is called with the path of a description (JSON) and with a hash. It must put the hash into the environment of
        the service as E(GUNICORN_CONFIGURATION).
    type: str
    required: true
  config_directory:
    description:
      - The directory of C(gunicorn.conf.py), C(gunicorn.launch.py), C(secrets.env) and C(credentials).
  logrotate:
    description:
      - The text of the file in C(/etc/logrotate.d) that rotates the logs. It is written after a change that worked. If
        empty, there is no such file.
  socket_directives:
    description: >-
      What M(pyweb.gunicorn.gunicorn_plan_info) returns under this name. C(BindIPv6Only) counts, and for unix sockets
      C(SocketUser), C(SocketGroup) and C(SocketMode).
    type: dict
    default: {}
  trial_command:
    description: The same as O(command), with the paths of the candidate files.
    type: list
    elements: str
    required: true
  stop_timeout:
    description:
      - Seconds that the service may take to finish its requests when it stops. Must be more than Gunicorn's own
        time-out.
    type: int
    default: 40
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - supervisor 4 from the distribution
  - Python 3.9 or newer as C(/usr/bin/python3)
  - setpriv
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_service
  - module: pyweb.gunicorn.gunicorn_venv
"""

EXAMPLES = r"""
- name: Bring the service to what is wanted
  pyweb.gunicorn.gunicorn_supervised_service:
    name: mysite
    user: mysite
    group: mysite
    directory: /var/opt/mysite
    environment: {PYTHONPATH: "/etc/opt/mysite:/opt/mysite", DJANGO_SETTINGS_MODULE: settings}
    launcher: "{{ lookup('ansible.builtin.file', 'gunicorn.launch.py') }}"
    configuration: "{{ lookup('ansible.builtin.template', 'gunicorn.conf.py.j2') }}"
    config_directory: /etc/opt/mysite
    binds: ["127.0.0.1:8000"]
    command: [/opt/mysite/venv/bin/gunicorn, --config=/etc/opt/mysite/gunicorn.conf.py, --workers=5, mysite.wsgi]
    trial_command:
      [/opt/mysite/venv/bin/gunicorn, --config=/etc/opt/mysite/.candidate.gunicorn.conf.py, --workers=5, mysite.wsgi]
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
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import supervisor as change_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import facts as service_facts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import supervisor as service_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError


def main() -> None:
    module = AnsibleModule(argument_spec=service_supervisor.ARGUMENTS, supports_check_mode=True)
    given = {**module.params, "venv_directory": os.path.realpath(module.params["venv_directory"])}
    os.umask(0o022)
    try:
        wanted = service_supervisor.spec_from(given)
        diff = files.differences(wanted.all_files)
        if module._diff:
            diff += service_supervisor.companion_differences(wanted)
        live_release = live.live_id(wanted.release)
        if module.check_mode:
            observed = service_supervisor.observe(wanted, client.this_supervisor())
            decision = service_supervisor.decide(wanted, observed)
        else:
            decision = change_supervisor.deploy(wanted, Runner(module.run_command), host_commands.install)
    except (DeployError, NotOurs, SupervisorError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**service_facts.result(wanted, decision, live_release), diff=diff)


if __name__ == "__main__":
    main()
