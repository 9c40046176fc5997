#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_release_steps
short_description: Do the steps of a release, such as collectstatic and migrate
version_added: 1.0.0
description:
  - Runs the commands that a release needs before it goes live, or afterwards, each of them once. What was done is noted
    beside the release, so that the next run of the same release does not do it again.
  - A step runs as the service's user, with its environment, secrets, credentials and sandbox, with the code and the
    virtual environment of the release. Under systemd it is the unit C(NAME-step.service) in C(/run). Under
    supervisor, the launcher of the service starts it. What it leaves running is ended.
  - A step that fails ends the run with the end of what it printed. The live service is not touched by this module.
  - A step that writes into the release gets a copy of the directories that it names, as the service's user. Afterwards
    the module replaces them by copies that are root's, so that nothing of the service's user can change a release.
  - The role P(pyweb.gunicorn.gunicorn#role) uses this module; it makes the arguments.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
  - pyweb.gunicorn.service.secrets
attributes:
  diff_mode:
    support: none
    description: There is no diff.
  idempotent:
    support: partial
    details: A step with C(repeat) is done again.
options:
  name:
    description: The name of the service.
    type: str
    required: true
  manager:
    description: What runs the service.
    type: str
    choices: [systemd, supervisor]
    default: systemd
  user:
    description: The user that the service runs as.
    type: str
    required: true
  group:
    description: The group that the service runs as, which can read the release.
    type: str
    required: true
  release:
    description: The ID of the release.
    type: str
    required: true
  directory:
    description: The directory of all releases.
    type: path
    required: true
  phase:
    description: The phase whose steps are done.
    type: str
    choices: [build, migrate, after]
    required: true
  steps:
    description:
      - The steps of all phases, as in O(pyweb.gunicorn.gunicorn#role:main:gunicorn_release_steps), or as in
        RV(pyweb.gunicorn.gunicorn_release#module:steps).
    type: list
    elements: raw
    required: true
  static:
    description: Where a release has its static files, relative to it. The word V(collectstatic) writes them there.
    type: str
    default: staticfiles
  switching:
    description: Whether the release is to go live, or the service was replaced. Steps with C(repeat) are done then.
    type: bool
    default: true
  rolling_back:
    description:
      - Whether the release is gone back to. Then the module does the steps with C(on_roll_back) alone, with the secrets
        of the live service.
    type: bool
    default: false
  once:
    description:
      - What to do with the steps with C(once). V(do) them, for all hosts; V(note) that another host has done them; or
        V(leave) them to be done.
    type: str
    choices: [do, note, leave]
    default: do
  venv:
    description: The path of the virtual environment of the service, which no other run changes meanwhile.
    type: path
    required: true
  venv_directory:
    description: The directory of the virtual environment that the release goes live with.
    type: path
    required: true
  config_directory:
    description: The directory of the service's C(secrets.env) and C(credentials).
    type: path
    required: true
  environment:
    description: The environment of the service.
    type: dict
    default: {}
  unit:
    description: The text of the service's unit, which steps have the user, environment and sandbox of. For systemd.
    type: str
    default: ""
  optional_directives:
    description: Names of directives in O(unit) that steps may do without on a host that can't apply them.
    type: list
    elements: str
    default: []
  left_out:
    description: The directives that O(unit) does without already, as from M(pyweb.gunicorn.gunicorn_plan_info).
    type: dict
    default: {}
  service_directives:
    description: The directives of the service, of which the launcher can replace some. For supervisor.
    type: dict
    default: {}
  launcher:
    description: The text of the launcher. For supervisor.
    type: str
    default: ""
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_service
"""

EXAMPLES = r"""
- name: Migrate
  pyweb.gunicorn.gunicorn_release_steps:
    name: mysite
    user: mysite
    group: mysite
    release: 3f2a9c1d4e5b
    directory: /opt/mysite/releases
    phase: migrate
    steps:
      - migrate
      - name: index
        command: python -m mysite.index
        timeout: 1800
    venv: /opt/mysite/venv
    venv_directory: /opt/mysite/venv-1a2b3c4d
    config_directory: /etc/opt/mysite
    unit: "{{ lookup('ansible.builtin.template', 'mysite.service.j2') }}"
  become: true
"""

RETURN = r"""
release:
  description: The ID of the release.
  returned: always
  type: str
  sample: 3f2a9c1d4e5b
phase:
  description: The phase.
  returned: always
  type: str
  sample: migrate
done:
  description: The names of the steps that were done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [migrate, index]
noted:
  description: The names of the steps that another host has done for all.
  returned: success
  type: list
  elements: str
  sample: []
left_out:
  description: O(left_out), and the directives that this host turned out not to be able to apply.
  returned: success
  type: dict
  sample: {}
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import job, parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def main() -> None:
    module = AnsibleModule(argument_spec=parameters.ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)
    told = {name: module.params[name] for name in ("release", "phase")}
    try:
        if module.check_mode:
            result = job.plan(module.params)
        else:
            result = job.carry_out(module.params, Runner(module.run_command), module.warn)
    except InvalidValue as error:
        module.fail_json(msg=f"{error}. Nothing was changed.", **told)
    except (DeployError, NotOurs, Failed) as error:
        module.fail_json(msg=str(error), **told)
    except OSError as error:  # as of a full disk, while what was done is noted
        text = f"{error.filename or 'a file'} can't be written: {error.strerror}. The live service was not touched."
        module.fail_json(msg=f"{module.params['name']}: {text}", **told)
    module.exit_json(**result, **told)


if __name__ == "__main__":
    main()
