#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_run
short_description: Run a command of a project as its service runs
version_added: 1.0.0
description:
  - Runs a command as the user of the service, in its sandbox, with its environment, secrets and credentials, in the
    directory of the live release, with the virtual environment first in the search path.
  - It calls C(/usr/local/sbin/NAME-run), which the role P(pyweb.gunicorn.gunicorn#role) has put on the host.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
attributes:
  check_mode:
    support: partial
    details: In check mode, nothing is run, and the task counts as skipped.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: It runs each time. Use C(changed_when) where you know better.
options:
  name:
    description: The name of the service.
    type: str
    required: true
  command:
    description:
      - The program and its arguments, as a list, or as a text that is split like a shell's words. No shell is used.
      - A Python file of the project, such as V(manage.py), is run by the Python of the virtual environment.
      - Every local user can see the arguments. Give a secret by O(stdin), or as a secret of the service.
    type: raw
    required: true
  release:
    description: Another release that the host has kept, by its ID, or V(previous). It is the live one by default.
    type: str
    default: ""
  stdin:
    description: What the command reads.
    type: str
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_release_steps
"""

EXAMPLES = r"""
- name: Delete the sessions that are over
  pyweb.gunicorn.gunicorn_run:
    name: mysite
    command: manage.py clearsessions
  become: true
  run_once: true

- name: Ask whether migrations are missing
  pyweb.gunicorn.gunicorn_run:
    name: mysite
    command: [python, -m, django, migrate, --check]
  become: true
  register: migrations
  changed_when: false
  failed_when: migrations.rc not in [0, 1]
"""

RETURN = r"""
cmd:
  description: The command.
  returned: always
  type: list
  elements: str
  sample: [manage.py, clearsessions]
rc:
  description: Its exit status; 125 if it was not run.
  returned: always
  type: int
  sample: 0
stdout:
  description: What it printed.
  returned: always
  type: str
  sample: ""
stderr:
  description: What it printed to its standard error.
  returned: always
  type: str
  sample: ""
start:
  description: When it began, in the host's time.
  returned: if it was run
  type: str
  sample: "2026-11-28 04:00:00.000000"
end:
  description: When it ended.
  returned: if it was run
  type: str
  sample: "2026-11-28 04:00:01.500000"
delta:
  description: How long it took.
  returned: if it was run
  type: str
  sample: "0:00:01.500000"
"""

import datetime
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks, commands
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# How PROJECT-run says that a command was not run
_NOT_RUN = 125

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    # no_log keeps both out of the host's journal, where any module notes its parameters.
    "command": {"type": "raw", "required": True, "no_log": True},
    "release": {"type": "str", "default": ""},
    "stdin": {"type": "str", "no_log": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = dict(module.params)
    # What the command says is not masked where it has the same words. But nobody shows its input again.
    module.no_log_values.clear()
    module.params["stdin"] = None
    try:
        program = names.run_command(checks.check_service_name("name", given["name"]))
        command = commands.check_command("command", given["command"])
    except InvalidValue as error:
        module.fail_json(msg=f"{error}. Nothing was run.")
    result = {"cmd": list(command), "rc": 0, "stdout": "", "stderr": "", "changed": False}
    if not os.path.isfile(program):
        result["rc"] = _NOT_RUN
        module.fail_json(
            msg=f"there is no {program}: deploy the project with the role first. Nothing was run.", **result
        )
    if module.check_mode:
        module.exit_json(msg="The command would have run, if this were not check mode.", skipped=True, **result)
    release = [f"--release={given['release']}"] if given["release"] else []
    start = datetime.datetime.now()
    code, output, errors = module.run_command([program, *release, "--", *command], data=given["stdin"] or "")
    end = datetime.datetime.now()
    result.update(rc=code, stdout=output.rstrip("\r\n"), stderr=errors.rstrip("\r\n"), changed=code != _NOT_RUN)
    times = {"start": str(start), "end": str(end), "delta": str(end - start)}
    if code:
        module.fail_json(msg="non-zero return code", **result, **times)
    module.exit_json(**result, **times)


if __name__ == "__main__":
    main()
