#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_roll_back
short_description: Go back to a release that the host has kept
version_added: 1.0.0
description:
  - Makes a kept release the live one, with the virtual environment that it had, and with all else as it is now. It
    needs neither the package index nor the repository, and loses no request.
  - The switch is that of M(pyweb.gunicorn.gunicorn_service) or M(pyweb.gunicorn.gunicorn_supervised_service). The
    release is tried first, verified, and taken back if it does not work.
  - Steps of the release that build it or migrate the database are not run. Of those after the switch, the ones with
    C(on_roll_back) are.
  - The command C(/usr/local/sbin/NAME-roll-back) on the host does the same.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
attributes:
  diff_mode:
    support: none
options:
  directory:
    description: The directory of the releases.
    type: path
    required: true
  to:
    description:
      - The release, by its ID, or V(previous) for the one that was live before the last deployment. Once that is live,
        to go back to it again changes nothing.
    type: str
    default: previous
  force:
    description:
      - Go back even if a later release has done a step that can't be undone (C(reversible=false)).
    type: bool
    default: false
  once:
    description: Whether to do the steps with C(once), or to V(leave) them to another host, which does them for all.
    type: str
    choices: [do, leave]
    default: do
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - root on the managed host
seealso:
  - module: pyweb.gunicorn.gunicorn_release
"""

EXAMPLES = r"""
- name: Go back to the release before the last one
  pyweb.gunicorn.gunicorn_roll_back:
    directory: /opt/mysite/releases
  become: true
"""

RETURN = r"""
id:
  description: The ID of the release.
  returned: success
  type: str
  sample: 3f2a9c1d4e5b
before:
  description: The ID of the release that was live before.
  returned: success
  type: str
  sample: 9b1deb4d3b7d
reasons:
  description: What differed from the release, one sentence each. Empty if nothing was changed.
  returned: success
  type: list
  elements: str
done:
  description: The names of the steps that were run.
  returned: success
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import roll_back
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.secrets import NotOurs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import SupervisorError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ARGUMENTS = {
    "directory": {"type": "path", "required": True},
    "to": {"type": "str", "default": "previous"},
    "force": {"type": "bool", "default": False},
    "once": {"type": "str", "choices": ["do", "leave"], "default": "do"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)
    given = module.params
    try:
        way = roll_back.find(given["directory"], given["to"], "gunicorn_roll_back_to", given["force"])
        result = roll_back.go(way, Runner(module.run_command), module.warn, module.check_mode, given["once"])
    except InvalidValue as error:
        module.fail_json(msg=f"{error}. Nothing was changed.")
    except (DeployError, Failed, NotOurs, OSError, SupervisorError) as error:  # OSError as of a full disk
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
