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
description:
  - Makes the virtual environment if there is none, and installs Gunicorn and the requirements into it with its own pip.
    The host's Python is never touched.
  - The package index is asked only if something is missing or does not satisfy what is wanted, so that a second run is
    quick and does not need the network.
  - Checks O(settings) and O(worker_class) against the Gunicorn that is installed, which alone knows what it takes.
  - Unlike M(ansible.builtin.pip) it needs no Python package on the host beside Python itself, installs Gunicorn and
    requirements in one resolution, and repairs a Gunicorn that an interrupted pip left incomplete.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)).
    support: partial
    details: The versions after the change are known only once it was made.
  idempotent:
    description: A second run with the same arguments indicates no change.
    support: partial
    details: With O(upgrade=true) the package index decides.
options:
  path:
    description: The virtual environment's path.
    type: path
    required: true
  python:
    description: The interpreter to make the virtual environment with, where there is none.
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
    type: raw
  pip_extra_args:
    description: Further arguments of C(pip install).
    type: list
    elements: str
    default: []
  upgrade:
    description: Ask the package index for newer versions that satisfy what is wanted.
    type: bool
    default: false
  settings:
    description: Settings of Gunicorn that the installed version must know and take.
    type: dict
    default: {}
  worker_class:
    description: A worker class that the installed version must have, together with its library.
    type: str
    default: sync
notes:
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
    A hash over the versions of Python and of everything that is installed; a service that was started with another
    one runs what is not there any more. Empty where check mode finds that something is to be installed.
  returned: success
  type: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _venv
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "python": {"type": "str", "default": "python3"},
    "version": {"type": "str", "default": "newest"},
    "requirements": {"type": "raw"},
    "pip_extra_args": {"type": "list", "elements": "str", "default": []},
    "upgrade": {"type": "bool", "default": False},
    "settings": {"type": "dict", "default": {}},
    "worker_class": {"type": "str", "default": "sync"},
}


def ensure(wanted: _venv.Wanted, run: _venv.Run, check_mode: bool) -> dict:
    """Bring the venv to what is wanted; returns what the module returns."""
    before = state = _venv.read(wanted, run)
    changed = before is None or _venv.needs_install(wanted, before)
    if changed and not check_mode:
        if before is None:
            _venv.make(wanted, run)
            state = _venv.read(wanted, run)
        _venv.install(wanted, state, run)
        state = _venv.read(wanted, run)
    if not changed or not check_mode:
        for name, value, expected in state.problems:
            variable = "gunicorn_worker_class" if name == "worker_class" else f"gunicorn_settings['{name}']"
            raise InvalidValue(variable, value, f"{expected}, says Gunicorn {state.gunicorn_version}")
    if wanted.upgrade and before is not None and not check_mode:
        changed = not before.gunicorn_is_whole or before.versions != state.versions
    return {
        "changed": changed,
        "gunicorn_version": state.gunicorn_version if state else None,
        "python_version": state.python_version if state else None,
        "fingerprint": "" if state is None or (changed and check_mode) else state.fingerprint,
        "diff": {"before": before.listing if before else "", "after": state.listing if state else ""},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)  # root's may be stricter, and the service's user has to read what is installed

    def run(command: list, data: str) -> tuple:
        # Not where the connection happens to be: python -m looks for modules there.
        return module.run_command(command, data=data, binary_data=True, cwd="/")

    try:
        given = dict(module.params, requirements=_venv.read_requirements(module.params["requirements"]))
        result = ensure(_venv.Wanted(**given), run, module.check_mode)
    except (InvalidValue, _venv.VenvError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
