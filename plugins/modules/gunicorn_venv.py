#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_venv
short_description: Install Gunicorn and an application's requirements in a virtual environment
version_added: 1.0.0
description:
  - Creates the virtual environment if there is none, and installs Gunicorn and the requirements with the pip in it. The
    host's own Python is never changed.
  - With O(requirements), an existing virtual environment is never changed. The module builds a new one beside it, in a
    directory whose name is that of O(path) with C(-) and eight hexadecimal digits. When the new one is complete,
    O(path) becomes a link to it. Processes that run from the old one keep it.
  - Without O(requirements), the content of the virtual environment is yours, and the module changes it in place. If
    that fails, the module restores the old content. If pip was killed, the next run does so.
  - The package index is used only if something is missing or does not satisfy the requirements, so a second run is
    quick and does not need the network.
  - Checks O(settings) and O(worker_class) against the installed Gunicorn, which alone knows its settings and worker
    classes.
  - Unlike M(ansible.builtin.pip), the module needs no Python package on the host beside Python itself, installs
    Gunicorn and the requirements in one resolution, and repairs a Gunicorn that an interrupted pip left incomplete.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: The new versions are known only after the change.
  idempotent:
    support: partial
    details: With O(upgrade=true), the result depends on the package index.
options:
  path:
    description:
      - The path of the virtual environment. With O(requirements), it becomes a link the first time that something must
        be installed, and it must not be a mount point.
    type: path
    required: true
  python:
    description:
      - The interpreter to create the virtual environment with, if there is none. An existing virtual environment keeps
        its own unless O(rebuild) is set.
    type: str
    default: python3
  version:
    description:
      - The version of Gunicorn, as V(newest), a version or version specifiers. With V(newest), the module installs the
        newest version that runs on the Python of the virtual environment, and later runs keep that version.
      - Versions before 23.0.0 are refused (CVE-2024-1135, CVE-2024-6827).
    type: str
    default: newest
  requirements:
    description:
      - A list of requirements, or the path of a requirements file on the managed host.
      - The pip of the virtual environment, or that of Python's ensurepip, reads them. Paths are relative to the folder
        of the file, as for C(pip install -r) in it. In a list, paths must be absolute.
      - They are installed again if a line changes, also in a file that a requirements file includes, and if the content
        of a local directory or file changes that they name. Of an editable directory, C(pyproject.toml), C(setup.cfg)
        and C(setup.py) count.
      - Exactly what requirements with hashes say is installed. If they don't name Gunicorn, it is added without a hash.
        A Gunicorn in them that O(version) does not allow is refused.
      - A new virtual environment has the same version of each installed package as before, if that satisfies the
        requirements without conflicts. At the first conflict, pip forgets the old versions and resolves as it does in
        an empty virtual environment. It does not have packages that are no longer required.
    type: raw
  pip_extra_args:
    description: Further arguments of C(pip install).
    type: list
    elements: str
    default: []
  installer:
    description:
      - What installs. V(uv) is the host's own, on root's C(PATH) or in C(/usr/local/bin), and takes a fraction of the
        time of V(pip). O(pip_extra_args) are then arguments of C(uv pip install).
      - V(uv) must find pip in the package index, too. It installs pip where V(pip) gets it from Python.
    type: str
    choices: [pip, uv]
    default: pip
  revision:
    description:
      - The revision of the application. With another one, the module installs requirements anew that may have moved - a
        branch or a tag of a repository, or a URL without a hash.
    type: str
    default: ""
  upgrade:
    description: Whether to look in the package index for newer versions that satisfy the requirements.
    type: bool
    default: false
  rebuild:
    description:
      - Whether to build a new virtual environment if the existing one was not created with O(python), or if its
        interpreter is gone or has changed, as after an upgrade of the host. Needs O(requirements).
      - If not set, a virtual environment whose interpreter is gone is an error.
    type: bool
    default: false
  standing:
    description:
      - A directory that counts as the virtual environment in place of the one that O(path) leads to, if it is there. If
        it has what is wanted, nothing is built. The role gives the one that a release was live with.
    type: str
    default: ""
  activate:
    description:
      - Whether to make O(path) a link to the new virtual environment, and to remove older ones of the same name, except
        the one that O(path) led to before. This also removes the backup of what was changed in place.
      - What a process of this host runs from, or a unit or a program of supervisor names, stays. A later run that
        builds a virtual environment removes it, once nothing needs it any more.
      - With V(false), the module only builds. O(path) still leads to the old virtual environment, and a backup stays.
    type: bool
    default: true
  settings:
    description: Settings of Gunicorn that the installed version must know and accept.
    type: dict
    default: {}
  worker_class:
    description:
      - A worker class that the installed version must have, with the library that it needs.
      - Gunicorn is installed with its extra that brings the library (C(gunicorn[gevent])), and with those that
        O(settings) need - C(http2) for C(http_protocols) with C(h2), C(fast) for C(http_parser) V(fast).
    type: str
    default: sync
  user:
    description:
      - The user who will run the application. The module refuses what this user could change, since root runs it - the
        virtual environment, O(python), the installer, and what O(requirements) and O(pip_extra_args) name on the host,
        with all directories on the way.
      - If not set, the module refuses only what everybody could change.
    type: str
    default: ""
  group:
    description: The group with which the application will run, if it is not that of O(user).
    type: str
    default: ""
  service:
    description: The service that the virtual environment is for. The module notes it in there.
    type: str
    default: ""
  confidential:
    description:
      - JSON of a mapping, encoded in base64. It may have C(requirements) and C(pip_extra_args), which are used in place
        of the options of these names, and C(environment), the environment variables of what installs.
      - Meant for values with passwords, which nobody else than root may read. What is in the options is in the system's
        log and, with C(-vvv), in Ansible's output. Give them without the passwords there; see the filter
        P(pyweb.gunicorn.without_passwords#filter).
    type: str
    default: ""
notes:
  - No password of a URL gets to a command line, where every local user could read it, with one exception. To build a
    package from its source, pip starts another pip with the index's URL. The module takes the login out of this URL,
    unless it has a user or a token alone, or unless another URL has another login for the same host.
  - Who else than root owns the virtual environment, or a directory on the way to it, is trusted with what the module
    installs as root. To look at what is there, the module runs such a virtual environment with its owner's rights, or
    with those of nobody if it has several.
  - Only one run at a time works on a virtual environment. Others wait for at most ten minutes.
  - Of pip's configuration and environment, C(target), C(prefix), C(root), C(user), C(python) and C(dry-run) are
    ignored, since they lead elsewhere. If pip or uv says that it has succeeded and a requirement is not met, the module
    fails.
  - To give pip an index, a CA bundle or a proxy, use O(confidential), or the task's C(environment) if everybody may
    read it.
author:
  - The pyweb.gunicorn authors (@pyweb)
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
    The real directory of the virtual environment. With O(activate=true), O(path) leads to it. Empty if check mode finds
    that something must be installed.
  returned: success
  type: str
  sample: /opt/mysite/venv-1a2b3c4d
backup:
  description: >-
    A backup of the virtual environment from before it was changed in place, made of hard links. Empty if there is none.
  returned: success
  type: str
  sample: ""
gunicorn_version:
  description: The version that is installed. Null if check mode finds none.
  returned: success
  type: str
  sample: 27.0.1
python_version:
  description: The version of the virtual environment's Python. Null if check mode finds no virtual environment.
  returned: success
  type: str
  sample: 3.13.5
fingerprint:
  description: >-
    A hash of the directory and of the versions of Python and everything that is installed. A service that was started
    with another hash must be restarted. Empty if check mode finds that something must be installed.
  returned: success
  type: str
message:
  description: >-
    What would be installed, into what, and where from, as far as variables and pip's configuration name the index.
    Empty if nothing must be installed.
  returned: in check mode
  type: str
  sample: >-
    pip installs Gunicorn and the requirements in /opt/mysite/requirements.txt into a new virtual environment beside
    /opt/mysite/venv, from PyPI. This can take minutes.
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import uses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import ensure, spec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "python": {"type": "str", "default": "python3"},
    "version": {"type": "str", "default": "newest"},
    "requirements": {"type": "raw"},
    "pip_extra_args": {"type": "list", "elements": "str", "default": []},
    "installer": {"type": "str", "choices": ["pip", "uv"], "default": "pip"},
    "revision": {"type": "str", "default": ""},
    "upgrade": {"type": "bool", "default": False},
    "rebuild": {"type": "bool", "default": False},
    "standing": {"type": "str", "default": ""},
    "activate": {"type": "bool", "default": True},
    "settings": {"type": "dict", "default": {}},
    "worker_class": {"type": "str", "default": "sync"},
    "user": {"type": "str", "default": ""},
    "group": {"type": "str", "default": ""},
    "service": {"type": "str", "default": ""},
    "confidential": {"type": "str", "default": "", "no_log": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)  # root's may be stricter, and the service's user must be able to read what is installed
    path = os.path.abspath(module.params["path"])
    locks = []
    # In /, since python -m looks for modules in the current directory. A pip that outlives this process holds the lock.
    runner = Runner(module.run_command, binary_data=True, cwd="/", pass_fds=locks)
    try:
        wanted = spec.read(module.params)
        if not module.check_mode:
            locks.append(directories.lock(path))
        result = ensure.ensure(wanted, runner, module.check_mode, uses.Uses().unused)
    except (InvalidValue, VenvError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:  # a full disk, for example
        module.fail_json(msg=f"gunicorn_venv: {path} could not be changed as wanted: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
