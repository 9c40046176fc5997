#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_venv
short_description: Have Gunicorn and an application's requirements in a virtual environment
version_added: 0.1.0
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
description:
  - Makes the virtual environment if there is none, and installs Gunicorn and the requirements into it with its own pip.
    The host's Python is never touched.
  - With O(requirements), an existing virtual environment is never changed. A new one is built beside it, in a directory
    whose name is that of O(path) with C(-) and eight hexadecimal digits, and O(path) becomes a link to it when it is
    whole. What runs from the old one keeps it.
  - Without O(requirements), what is in the virtual environment is the user's own, and it is changed in place. It has
    what it had before if that fails, and also on the next run after pip was killed.
  - The package index is asked only if something is missing or does not satisfy what is wanted, so that a second run is
    quick and does not need the network.
  - Checks O(settings) and O(worker_class) against the Gunicorn that is installed, which alone knows what it takes.
  - Unlike M(ansible.builtin.pip) it needs no Python package on the host beside Python itself, installs Gunicorn and
    requirements in one resolution, and repairs a Gunicorn that an interrupted pip left incomplete.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: The versions after the change are known only once it was made.
  idempotent:
    support: partial
    details: With O(upgrade=true) the package index decides.
options:
  path:
    description:
      - The virtual environment's path. With O(requirements), it becomes a link the first time that something is to be
        installed, and it must be no mount point.
    type: path
    required: true
  python:
    description:
      - The interpreter to make the virtual environment with, where there is none. An existing one keeps its own, unless
        O(rebuild) is set.
    type: str
    default: python3
  version:
    description:
      - V(newest) installs the newest version that the venv's Python can run and then stays with it; a version or
        version specifiers are kept to.
      - Versions before 23.0.0 are refused (CVE-2024-1135, CVE-2024-6827).
    type: str
    default: newest
  requirements:
    description:
      - A list of requirements, or the path of a requirements file on the managed host.
      - They are installed again when a line changes. A change in a file that a requirements file includes is not seen.
      - What is installed and satisfies them keeps its version in a new virtual environment, as far as that can be
        without conflicts. What they don't ask for any more is not in it.
    type: raw
  pip_extra_args:
    description: Further arguments of C(pip install).
    type: list
    elements: str
    default: []
  installer:
    description:
      - What installs. V(uv) is the host's own, on root's C(PATH) or in C(/usr/local/bin), and takes a fraction of the
        time of V(pip). O(pip_extra_args) are then those of C(uv pip install).
      - V(uv) has to find pip, too, which it installs where V(pip) comes with Python.
    type: str
    choices: [pip, uv]
    default: pip
  upgrade:
    description: Ask the package index for newer versions that satisfy what is wanted.
    type: bool
    default: false
  rebuild:
    description:
      - Build a new virtual environment where O(python) is not the interpreter that the existing one was made with, and
        where that interpreter is gone or is another one now, as after an upgrade of the host. Needs O(requirements).
      - Without it, a virtual environment whose interpreter is gone is an error.
    type: bool
    default: false
  activate:
    description:
      - Make O(path) a link to what was built, and remove older ones of the same name, except that which O(path) led to
        before. Remove the backup of what was changed in place.
      - With V(false) the module only builds. O(path) still leads to the old virtual environment, and a backup stays.
    type: bool
    default: true
  settings:
    description: Settings of Gunicorn that the installed version must know and take.
    type: dict
    default: {}
  worker_class:
    description: A worker class that the installed version must have, together with its library.
    type: str
    default: sync
notes:
  - One run at a time works on a virtual environment. Others wait, at most ten minutes.
  - The index, a CA bundle or a proxy are given to pip in the task's C(environment).
seealso:
  - module: ansible.builtin.pip
  - name: Settings of Gunicorn
    description: All settings of the newest version.
    link: https://docs.gunicorn.org/en/stable/settings.html
"""

EXAMPLES = r"""
- name: Have Gunicorn, Django and psycopg in the project's virtual environment
  pyweb.gunicorn.gunicorn_venv:
    path: /opt/mysite/venv
    version: ">=25.3,<28"
    requirements:
      - Django~=5.2
      - psycopg[binary]
    settings:
      graceful_timeout: 30
  become: true
"""

RETURN = r"""
directory:
  description: >-
    The real directory of the virtual environment that was asked for, which O(path) leads to with O(activate=true).
    Empty where check mode finds that something is to be installed.
  returned: success
  type: str
  sample: /opt/mysite/venv-1a2b3c4d
backup:
  description: >-
    A backup, made of hard links, of what the virtual environment was before it was changed in place. Empty where there
    is none.
  returned: success
  type: str
  sample: ""
gunicorn_version:
  description: The version that is installed; null where check mode finds none yet.
  returned: success
  type: str
  sample: 27.0.1
python_version:
  description: The version of the venv's Python; null where check mode finds no venv yet.
  returned: success
  type: str
  sample: 3.13.5
fingerprint:
  description: >-
    A hash over the directory and the versions of Python and of everything that is installed; a service that was started
    with another one runs what is not wanted any more. Empty where check mode finds that something is to be installed.
  returned: success
  type: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import ensure, requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvError, VenvSpec

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "python": {"type": "str", "default": "python3"},
    "version": {"type": "str", "default": "newest"},
    "requirements": {"type": "raw"},
    "pip_extra_args": {"type": "list", "elements": "str", "default": []},
    "installer": {"type": "str", "choices": ["pip", "uv"], "default": "pip"},
    "upgrade": {"type": "bool", "default": False},
    "rebuild": {"type": "bool", "default": False},
    "activate": {"type": "bool", "default": True},
    "settings": {"type": "dict", "default": {}},
    "worker_class": {"type": "str", "default": "sync"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)  # root's may be stricter, and the service's user has to read what is installed
    path = os.path.abspath(module.params["path"])
    locks = []
    # Not where the connection happens to be: python -m looks for modules there.
    # A pip that outlives this process holds the lock until it ends.
    runner = Runner(module.run_command, binary_data=True, cwd="/", pass_fds=locks)
    try:
        given = dict(
            module.params, path=path, requirements=requirements.read_requirements(module.params["requirements"])
        )
        if not module.check_mode:
            locks.append(directories.lock(path))
        result = ensure.ensure(VenvSpec(**given), runner, module.check_mode)
    except (InvalidValue, VenvError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:  # a full disk, for example
        module.fail_json(msg=f"gunicorn_venv: {path} could not be brought to what is wanted: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
