#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_plan_info
short_description: Check a deployment's parameters against its host
version_added: 1.0.0
description:
  - Checks the variables of the role P(pyweb.gunicorn.gunicorn#role) beyond their types, reads what the host has, and
    returns what the deployment needs and the host lacks, and how many workers the host can have. One module does all of
    this, since each module that runs on a host costs it a start of Python.
  - This is the first step of the role. It changes nothing. If a value can't be used, the module fails with one error
    that names the variable, the value, and what was expected.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.info_module
  - pyweb.gunicorn.deployment
  - pyweb.gunicorn.service.release
  - pyweb.gunicorn.service.secrets
options:
  app:
    description: What Gunicorn loads, as C(MODULE:NAME).
    type: str
    required: true
  python:
    description: The interpreter to create the virtual environment with, if there is none.
    type: str
    default: python3
  venv_rebuild:
    description:
      - Whether to build a new virtual environment if the interpreter of the existing one is gone, or is not O(python).
    type: bool
    default: false
  version:
    description: The version of Gunicorn, as V(newest), a version or version specifiers.
    type: str
    default: newest
  requirements:
    description: What else must be in the virtual environment, as a list or as the path of a file on the host.
    type: raw
  installer:
    description: What installs into the virtual environment.
    type: str
    choices: [pip, uv]
    default: pip
  revision:
    description: The revision of the application. With another one, requirements that may have moved are installed anew.
    type: str
    default: ""
  upgrade:
    description: Whether to look for newer versions.
    type: bool
    default: false
  workers:
    description: The number of workers, or V(auto).
    type: str
    default: auto
  threads:
    description: The number of threads of each worker, or V(auto).
    type: str
    default: auto
  worker_class:
    description: Gunicorn's worker class.
    type: str
    default: sync
  companions:
    description:
      - The other processes of the project, by name, as C(gunicorn_companions) of the role
        P(pyweb.gunicorn.gunicorn#role) has them.
    type: dict
    default: {}
  bind:
    description:
      - The addresses to listen on. An address is TCP (C(127.0.0.1:8000), C([::1]:8000)) or unix
        (C(unix:/run/project.sock), or a mapping with C(path), C(owner), C(group), C(mode)).
      - If empty, O(port) on 127.0.0.1 and, if the host has IPv6, on ::1.
    type: list
    elements: raw
    default: []
  port:
    description: The port of the default addresses.
    type: int
    default: 8000
  environment:
    description: The environment variables of the service. A null removes a variable.
    type: dict
    default: {}
  settings:
    description: Further settings of Gunicorn. Settings that have a variable of their own are refused here.
    type: dict
    default: {}
  health_path:
    description: The path that each worker requests from the application before it accepts a connection.
    type: str
    default: /
  health_host:
    description: The host name of that request.
    type: str
    default: localhost
  health_statuses:
    description: >-
      The accepted statuses of the answer. If empty, every status below 500 is accepted but 400, and a redirect to the
      same address.
    type: list
    elements: int
    default: []
  health_timeout:
    description: Seconds within which the request must succeed on every address, from 1 to 3600.
    type: int
    default: 30
  description:
    description: The service's description.
    type: str
    default: ""
  service_directives:
    description: Directives of the unit's section C([Service]).
    type: dict
    default: {}
  sizing:
    description: Options of M(pyweb.gunicorn.gunicorn_sizing_info).
    type: dict
    default: {}
  unfit_secrets:
    description: The names of secrets that a process can't be given, from P(pyweb.gunicorn.unfit_secrets#filter).
    type: list
    elements: str
    default: []
  unfit_credentials:
    description: The names of credentials that a service can't have, from P(pyweb.gunicorn.unfit_credentials#filter).
    type: list
    elements: str
    default: []
  pip_extra_args:
    description: Further arguments of C(pip install).
    type: list
    elements: str
    default: []
  pip_environment:
    description: The names of pip's environment variables. Their values may be secret, and are not needed.
    type: list
    elements: str
    default: []
  release_steps:
    description: The steps of the release. Code in place has none.
    type: list
    elements: raw
    default: []
  release_packages:
    description: The Debian packages that bringing the release needs and the host lacks.
    type: list
    elements: str
    default: []
  run_group:
    description: The group whose members may run commands of the project with C(SERVICE-run); empty for root alone.
    type: str
    default: ""
  venv_standing:
    description: The directory that counts as the virtual environment, in place of the one that O(venv) leads to.
    type: str
    default: ""
  log_file:
    required: true
author:
  - The pyweb.gunicorn authors (@pyweb)
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
      description: What runs the service, V(systemd) or V(supervisor).
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
    health_protocols:
      description:
        - What the health request speaks on the addresses where Gunicorn takes something else than HTTP/1.1, for
          O(pyweb.gunicorn.gunicorn_service#module:health.protocols).
        - Where the request can't speak it, a warning says what is not proved.
      type: dict
      sample: {"127.0.0.1:8000": [tls, h2]}
    environment:
      description: The environment variables. All values are strings.
      type: dict
    packages:
      description: The Debian packages that are missing.
      type: list
      elements: str
    create_user:
      description: Whether the host lacks the user.
      type: bool
    create_group:
      description: Whether the host lacks the group.
      type: bool
    directories:
      description: The directories that are missing, or that the user can't write to, with owner, group and mode.
      type: list
      elements: dict
    changeable_code:
      description: The first file or directory of the code that the user can change. Empty if there is none.
      type: str
    companion_logs:
      description: The logs of the companions that are files.
      type: list
      elements: str
      sample: [/var/log/mysite/worker.log]
    service:
      description: The name of the service.
      type: str
      sample: mysite
    singles:
      description: The companions of which there must never be two.
      type: list
      elements: str
      sample: [beat]
    left_out:
      description:
        - The C(directives) that the unit does without since the host can't apply them, and what they were
          C(tried_with), for O(pyweb.gunicorn.gunicorn_service#module:left_out).
        - Not there if supervisor runs the service.
        - Empty if they must be tried again, since the host has another systemd or other privileges.
      type: dict
      sample: {directives: [PrivateUsers], tried_with: "systemd 257, podman, capabilities 0000000080a415fb"}
lacking:
  description: What the host lacks, in a few words each. Empty if nothing must be installed or created.
  returned: success
  type: list
  elements: str
  sample: ["the package logrotate", "the user"]
observed:
  description:
    - What the host has and runs of the service under systemd, for O(pyweb.gunicorn.gunicorn_service#module:observed).
    - Of secrets, it only says whether they are as wanted.
    - Null if supervisor runs the service.
  returned: success
  type: dict
sizing:
  description: >-
    What M(pyweb.gunicorn.gunicorn_sizing_info) returns for the host. Null if O(workers) and O(threads) are numbers.
  returned: success
  type: dict
memory_note:
  description: >-
    The text of the file that notes how much memory the project gets. The plans of other projects on the host read it.
  returned: success
  type: str
  sample: |
    # Managed by Ansible (role pyweb.gunicorn.gunicorn): the sizing of other projects on this host reads it.
    memory=672M
    slice=system.slice
venv:
  description: >-
    What M(pyweb.gunicorn.gunicorn_venv) returns in check mode. If C(changed) in it is false, the virtual environment
    needs no change.
  returned: success
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import HostFactsError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import deployment
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError

ARGUMENTS = {
    "project": {"type": "str", "required": True},
    "service_name": {"type": "str", "required": True},
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "supervisor"], "default": "auto"},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "manage_user": {"type": "bool", "default": True},
    "run_group": {"type": "str", "default": ""},
    "app": {"type": "str", "required": True},
    "venv": {"type": "str", "required": True},
    "python": {"type": "str", "default": "python3"},
    "venv_rebuild": {"type": "bool", "default": False},
    "version": {"type": "str", "default": "newest"},
    "requirements": {"type": "raw"},
    "installer": {"type": "str", "choices": ["pip", "uv"], "default": "pip"},
    "revision": {"type": "str", "default": ""},
    "upgrade": {"type": "bool", "default": False},
    "workers": {"type": "str", "default": "auto"},
    "threads": {"type": "str", "default": "auto"},
    "companions": {"type": "dict", "default": {}},
    "worker_class": {"type": "str", "default": "sync"},
    "bind": {"type": "list", "elements": "raw", "default": []},
    "port": {"type": "int", "default": 8000},
    "environment": {"type": "dict", "default": {}},
    "settings": {"type": "dict", "default": {}},
    "health_path": {"type": "str", "default": "/"},
    "health_host": {"type": "str", "default": "localhost"},
    "health_statuses": {"type": "list", "elements": "int", "default": []},
    "health_timeout": {"type": "int", "default": 30},
    "description": {"type": "str", "default": ""},
    "service_directives": {"type": "dict", "default": {}},
    "sizing": {"type": "dict", "default": {}},
    "unfit_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "unfit_credentials": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "secrets": {"type": "str", "default": "", "no_log": True},
    "credentials": {"type": "str", "default": "e30=", "no_log": True},
    "pip_extra_args": {"type": "list", "elements": "str", "default": []},
    "pip_environment": {"type": "list", "elements": "str", "default": []},
    "code_directory": {"type": "str", "required": True},
    "config_directory": {"type": "str", "required": True},
    "data_directory": {"type": "str", "required": True},
    "release": live.ARGUMENT,
    "release_steps": {"type": "list", "elements": "raw", "default": []},
    "release_packages": {"type": "list", "elements": "str", "default": []},
    "venv_standing": {"type": "str", "default": ""},
    "log_file": {"type": "str", "required": True},
    "access_log_file": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    if os.geteuid() != 0:
        module.fail_json(msg="root is needed on the host: set become: true for the play. Nothing was changed.")

    runner = Runner(module.run_command, check_rc=True)
    venv_runner = Runner(module.run_command, binary_data=True, cwd="/")
    try:
        result, warnings = deployment.plan_deployment(module.params, runner, venv_runner)
    except InvalidValue as error:
        module.fail_json(msg=f"{error}. Nothing was changed.")
    except (VenvError, HostFactsError, NotOurs) as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
