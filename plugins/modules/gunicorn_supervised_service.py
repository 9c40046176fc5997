#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_supervised_service
short_description: Deploy a Gunicorn service under supervisor, or go back
version_added: 0.1.0
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
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
  - pyweb.gunicorn.service
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
reasons:
  description: What differed from what you asked for, one sentence each. Empty if nothing was changed.
  returned: success
  type: list
  elements: str
  sample: ["the number of workers is 3, not 5"]
"""

import base64
import json
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import supervisor as change_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison, launcher, secrets, supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.arguments import COMMON
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import SupervisorSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses

ARGUMENTS = {
    **COMMON,
    "description": {"type": "str", "default": ""},
    "directory": {"type": "path", "required": True},
    "environment": {"type": "dict", "default": {}},
    "service_directives": {"type": "dict", "default": {}},
    "launcher": {"type": "str", "required": True},
    "socket_directives": {"type": "dict", "default": {}},
    "trial_command": {"type": "list", "elements": "str", "required": True},
    "stop_timeout": {"type": "int", "default": 40},
}


def wanted_from(given: dict) -> SupervisorSpec:
    """What the module's arguments ask for; raises ValueError for what can't be said to supervisor."""
    name, folder = given["name"], given["config_directory"]
    binds = addresses.parse_binds(given["binds"], given["user"], given["group"])
    secret_files, secrets_hash = secrets.secret_files(given["secrets"], given["credentials"], folder)
    credentials = sorted(json.loads(base64.b64decode(given["credentials"])))
    sockets = launcher.describe_sockets(binds, given["socket_directives"])
    live = launcher.describe(name, given, sockets, credentials)
    description = json.dumps(live, indent=2, sort_keys=True) + "\n"
    options = (name, folder, given["enabled"], given["stop_timeout"])
    texts = (given["launcher"], given["configuration"], given["venv_fingerprint"], description)
    configuration_hash = comparison.digest(*texts, json.dumps(launcher.program_options(*options, "")))
    program = programs.program_text(name, given["description"], launcher.program_options(*options, configuration_hash))
    group = accounts.group_id(given["group"])
    return SupervisorSpec(
        name=name,
        started=given["state"] == "started",
        user=given["user"],
        group=given["group"],
        log_file=given["log_file"],
        configuration=WantedFile(os.path.join(folder, "gunicorn.conf.py"), given["configuration"], 0o640, group),
        launcher=WantedFile(os.path.join(folder, launcher.LAUNCHER), given["launcher"]),
        description=WantedFile(os.path.join(folder, launcher.DESCRIPTION), description, 0o640, group),
        program=WantedFile(os.path.join(programs.PROGRAMS, f"{name}.conf"), program),
        logrotate=WantedFile(f"/etc/logrotate.d/gunicorn-{name}", given["logrotate"] or None),
        secret_files=tuple(secret_files),
        trial=json.dumps(launcher.describe_trial(name, live, given["trial_command"])),
        binds=tuple(binds),
        argv=tuple(given["command"]),
        workers=given["workers"],
        venv=given["venv"],
        venv_directory=os.path.realpath(given["venv_directory"]),
        venv_backup=given["venv_backup"],
        gunicorn_version=given["gunicorn_version"],
        configuration_hash=configuration_hash,
        secrets_hash=secrets_hash,
        stop_timeout=given["stop_timeout"],
        health=_health_request.request_from(given["health"]),
        health_timeout=given["health"]["timeout"],
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)
    runner = Runner(module.run_command)
    try:
        wanted = wanted_from(module.params)
        diff = files.differences(wanted.all_files)
        if module.check_mode:
            decision = supervisor.decide(wanted, supervisor.observe(wanted, client.this_supervisor()))
        else:
            decision = change_supervisor.deploy(wanted, runner)
    except (DeployError, NotOurs, SupervisorError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(decision.reasons), reasons=decision.reasons, diff=diff)


if __name__ == "__main__":
    main()
