#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_directories
short_description: Make directories where others than root may write, without following their links
version_added: 1.0.0
description:
  - Makes directories, and gives them their owner, group and mode. The roles P(pyweb.gunicorn.gunicorn#role) and
    P(pyweb.gunicorn.proxy#role) use it for what M(pyweb.gunicorn.gunicorn_plan_info) and
    M(pyweb.gunicorn.gunicorn_proxy_plan_info) say.
  - Reaches each directory component by component. If somebody who may write on the way puts a link or another directory
    there, even while the module runs, the module fails, and changes nothing there. It follows links that root owns, in
    directories in which nobody else can have put them.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.full
options:
  directories:
    description: The directories, in the order in which they are made.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: An absolute path. Only its last component is made; its parents must exist, or be named before.
        type: str
        required: true
      owner:
        description: The name of the owner. Without one, a new directory is root's, and another keeps its own.
        type: str
      group:
        description: The name of the group. Without one, a new directory is in root's, and another keeps its own.
        type: str
      mode:
        description: The mode in octal digits. Without one, a new directory gets 0700, and another keeps its own.
        type: str
author:
  - The pyweb.gunicorn authors (@pyweb)
requirements:
  - root on the managed host
seealso:
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Make a directory for logs in the data directory of mysite
  pyweb.gunicorn.gunicorn_directories:
    directories:
      - path: /var/opt/mysite/logs
        owner: mysite
        group: mysite
        mode: "0750"
  become: true
"""

RETURN = r"""
paths:
  description: The directories that were made or changed.
  returned: success
  type: list
  elements: str
  sample: ["/var/opt/mysite/logs"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.directories import UnsafeDirectory

ARGUMENTS = {
    "directories": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "str", "required": True},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str"},
        },
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if os.geteuid() != 0:
        module.fail_json(msg="root is needed on the host: set become: true for the play. Nothing was changed.")
    changes = []
    for directory in module.params["directories"]:
        path = directory["path"]
        try:
            if not os.path.isabs(path):
                raise ValueError("its path is not absolute")
            before, after = directories.ensure(directory, module.check_mode)
        except (UnsafeDirectory, OSError, KeyError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error.args[0]
            module.fail_json(msg=f"{path} can't be made, or given away: {reason}. It was left as it is.")
        if before != after:
            changes.append({"before_header": path, "after_header": path, "before": before, "after": after})
    module.exit_json(changed=bool(changes), paths=[one["after_header"] for one in changes], diff=changes)


if __name__ == "__main__":
    main()
