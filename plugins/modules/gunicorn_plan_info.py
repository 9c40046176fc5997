#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_plan_info
short_description: Check a deployment's parameters against the host that it is for
version_added: 0.1.0
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.info_module
description:
  - Checks the variables of the role P(pyweb.gunicorn.gunicorn#role) beyond their types, reads what the host has, and
    returns what the deployment needs and the host lacks, and how many workers the host can have. All at once, since
    each module that runs on a host costs it a start of Python.
  - This is the first step of the role. It changes nothing, and a value that can't be used ends here, with one error
    that names the variable, the value, and what was expected.
options:
  project:
    description: The project's name; a Python package's name that is also fit to name a user and a unit.
    type: str
    required: true
  service_name:
    description: The systemd unit's name without its suffix, or the name of supervisor's program.
    type: str
    required: true
  service_manager:
    description: What shall run the service. V(auto) is V(systemd) where it runs the host, and else V(supervisor).
    type: str
    choices: [auto, systemd, supervisor]
    default: auto
  user:
    description: The user that the service runs as. Must not be root.
    type: str
    required: true
  group:
    description: The group that the service runs as.
    type: str
    required: true
  manage_user:
    description: Whether the role makes the user and the group; else both must exist.
    type: bool
    default: true
  app:
    description: What Gunicorn loads, as C(MODULE:NAME).
    type: str
    required: true
  venv:
    description: The virtual environment's path.
    type: str
    required: true
  python:
    description: The interpreter to make the virtual environment with, where there is none.
    type: str
    default: python3
  venv_rebuild:
    description: Whether a new virtual environment is made where O(python) is another than it was made with, or is gone.
    type: bool
    default: false
  version:
    description: V(newest), a version or version specifiers of Gunicorn.
    type: str
    default: newest
  requirements:
    description: What else shall be in the virtual environment, a list or the path of a file of the host.
    type: raw
  installer:
    description: What installs into the virtual environment.
    type: str
    choices: [pip, uv]
    default: pip
  upgrade:
    description: Whether newer versions are asked for.
    type: bool
    default: false
  workers:
    description: V(auto) or a number.
    type: str
    default: auto
  threads:
    description: V(auto) or a number.
    type: str
    default: auto
  worker_class:
    description: Gunicorn's worker class.
    type: str
    default: sync
  bind:
    description:
      - Addresses to listen on, TCP (C(127.0.0.1:8000), C([::1]:8000)) or unix (C(unix:/run/project.sock), or a mapping
        with C(path), C(owner), C(group), C(mode)).
      - Without any, it is O(port) on 127.0.0.1 and, where the host has IPv6, on ::1.
    type: list
    elements: raw
    default: []
  port:
    description: The port of the default addresses.
    type: int
    default: 8000
  environment:
    description: Environment variables of the service. A null takes a variable out.
    type: dict
    default: {}
  settings:
    description: Further settings of Gunicorn; here only those are refused that have a variable of their own.
    type: dict
    default: {}
  health_path:
    description: The path that a worker asks of the application before it accepts a connection.
    type: str
    default: /
  health_host:
    description: The host name of that request.
    type: str
    default: localhost
  health_statuses:
    description: The statuses of its answer that are accepted. Without any, all below 500 are.
    type: list
    elements: int
    default: []
  description:
    description: The service's description.
    type: str
    default: ""
  service_directives:
    description: Directives of the unit's section Service.
    type: dict
    default: {}
  sizing:
    description: Options of M(pyweb.gunicorn.gunicorn_sizing_info).
    type: dict
    default: {}
  unfit_secrets:
    description: Names of secrets that can't be handed to a process, from P(pyweb.gunicorn.unfit_secrets#filter).
    type: list
    elements: str
    default: []
  secrets:
    description: The text of the environment file with secrets, as M(pyweb.gunicorn.gunicorn_service) takes it.
    type: str
    default: ""
  credentials:
    description: Names and contents of the credentials, as JSON in Base64.
    type: str
    default: e30=
  pip_extra_args:
    description: Further arguments of C(pip install).
    type: list
    elements: str
    default: []
  pip_environment:
    description: Names of pip's environment variables. Their values may be secret, and are not asked for.
    type: list
    elements: str
    default: []
  code_directory:
    description: Where the project's code stands.
    type: str
    required: true
  config_directory:
    description: Where settings and C(gunicorn.conf.py) stand.
    type: str
    required: true
  data_directory:
    description: The service's working directory.
    type: str
    required: true
  log_file:
    description: Gunicorn's error log, or V(-) for the journal.
    type: str
    required: true
  access_log_file:
    description: Gunicorn's access log, V(-) for the journal, or empty for none.
    type: str
    default: ""
requirements:
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_sizing_info
  - module: pyweb.gunicorn.gunicorn_venv
"""

EXAMPLES = r"""
- name: Read what a deployment of mysite would find
  pyweb.gunicorn.gunicorn_plan_info:
    project: mysite
    service_name: mysite
    user: mysite
    group: mysite
    app: mysite.wsgi:application
    venv: /opt/mysite/venv
    code_directory: /opt/mysite
    config_directory: /etc/opt/mysite
    data_directory: /var/opt/mysite
    log_file: /var/log/mysite/gunicorn.log
  become: true
  register: plan
"""

RETURN = r"""
plan:
  description: What the deployment needs, and what is there.
  returned: success
  type: dict
  contains:
    manager:
      description: What shall run the service, V(systemd) or V(supervisor).
      type: str
      sample: systemd
    binds:
      description: The addresses, as Gunicorn's C(--bind) takes them.
      type: list
      elements: str
      sample: ["127.0.0.1:8000", "[::1]:8000"]
    socket_directives:
      description: The directives of the socket unit that follow from the addresses.
      type: dict
    environment:
      description: The environment variables, all values as strings.
      type: dict
    packages:
      description: Debian packages that are missing.
      type: list
      elements: str
    create_user:
      description: Whether the host lacks the user.
      type: bool
    create_group:
      description: Whether the host lacks the group.
      type: bool
    directories:
      description: Directories that are missing or that the user can't write; with owner, group and mode.
      type: list
      elements: dict
lacking:
  description: What the host lacks, a few words each. Empty where nothing is to be installed or made.
  returned: success
  type: list
  elements: str
  sample: ["the package logrotate", "the user"]
observed:
  description:
    - What the host has and runs of the service under systemd, for O(pyweb.gunicorn.gunicorn_service#module:observed).
    - Of secrets it says only whether they are as wanted.
    - Null where supervisor runs the services.
  returned: success
  type: dict
sizing:
  description: >-
    What M(pyweb.gunicorn.gunicorn_sizing_info) says of the host; null where both O(workers) and O(threads) are numbers.
  returned: success
  type: dict
venv:
  description: >-
    What M(pyweb.gunicorn.gunicorn_venv) says in check mode. If C(changed) in it is false, the virtual environment has
    what it shall have.
  returned: success
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import ports
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import HostFactsError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import plan as plan_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import observation
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import substitutes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import ensure
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvError

ARGUMENTS = {
    "project": {"type": "str", "required": True},
    "service_name": {"type": "str", "required": True},
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "supervisor"], "default": "auto"},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "manage_user": {"type": "bool", "default": True},
    "app": {"type": "str", "required": True},
    "venv": {"type": "str", "required": True},
    "python": {"type": "str", "default": "python3"},
    "venv_rebuild": {"type": "bool", "default": False},
    "version": {"type": "str", "default": "newest"},
    "requirements": {"type": "raw"},
    "installer": {"type": "str", "choices": ["pip", "uv"], "default": "pip"},
    "upgrade": {"type": "bool", "default": False},
    "workers": {"type": "str", "default": "auto"},
    "threads": {"type": "str", "default": "auto"},
    "worker_class": {"type": "str", "default": "sync"},
    "bind": {"type": "list", "elements": "raw", "default": []},
    "port": {"type": "int", "default": 8000},
    "environment": {"type": "dict", "default": {}},
    "settings": {"type": "dict", "default": {}},
    "health_path": {"type": "str", "default": "/"},
    "health_host": {"type": "str", "default": "localhost"},
    "health_statuses": {"type": "list", "elements": "int", "default": []},
    "description": {"type": "str", "default": ""},
    "service_directives": {"type": "dict", "default": {}},
    "sizing": {"type": "dict", "default": {}},
    "unfit_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "secrets": {"type": "str", "default": "", "no_log": True},
    "credentials": {"type": "str", "default": "e30=", "no_log": True},
    "pip_extra_args": {"type": "list", "elements": "str", "default": []},
    "pip_environment": {"type": "list", "elements": "str", "default": []},
    "code_directory": {"type": "str", "required": True},
    "config_directory": {"type": "str", "required": True},
    "data_directory": {"type": "str", "required": True},
    "log_file": {"type": "str", "required": True},
    "access_log_file": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    if os.geteuid() != 0:
        module.fail_json(msg="root is needed on the host: set become: true for the play. Nothing was changed.")

    runner = Runner(module.run_command, check_rc=True)
    venv_runner = Runner(module.run_command, binary_data=True, cwd="/")
    given = module.params
    sizing = observed = None
    warnings: list = []
    try:
        wanted = parameters.check_parameters(given, ports.has_ipv6_loopback())
        manager = service_manager.choose(given["service_manager"])
        if manager == service_manager.SUPERVISOR:
            substitutes.check_supervised(wanted.service, given["service_directives"])
            logs = [given["log_file"], given["access_log_file"]]
            warnings.append(substitutes.notice(wanted.service, given["service_directives"], logs))
        plan = plan_plan.make_plan(wanted, runner, manager)
        if manager == service_manager.SYSTEMD:
            observed = observation.as_dict(plan_plan.observe(wanted, given["secrets"], given["credentials"], runner))
        if "auto" in (given["workers"], given["threads"]):
            sizing, told = answer.size(wanted.sizing)
            warnings += told
        venv = ensure.ensure(parameters.wanted_venv(given), venv_runner, check_mode=True)
    except InvalidValue as error:
        module.fail_json(msg=f"{error}. Nothing was changed.")
    except (VenvError, HostFactsError, NotOurs) as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    del venv["diff"]
    lacking = plan_plan.lacking(plan, venv)
    module.exit_json(changed=False, plan=plan, sizing=sizing, venv=venv, lacking=lacking, observed=observed)


if __name__ == "__main__":
    main()
