#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_release
short_description: Bring a version of an application's code to the host, complete or not at all
version_added: 1.0.0
description:
  - Brings the code from a git repository, an archive, a checkout on the controller or as a requirement into a directory
    of its own, the release. Its name, the ID, comes from what it is made of, so a second run finds it and does nothing.
  - A release belongs to root, can be read by O(group), and can be written by nobody else. It is made beside its path
    and renamed, so that it is complete or absent. It is never changed afterwards.
  - In check mode, the module only says which release is wanted, and whether it is there. For a branch or a tag, this is
    one look at the repository; for a commit, none.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - ansible.builtin.action_common_attributes.flow
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    support: full
  async:
    support: none
  bypass_host_loop:
    support: none
options:
  source:
    description:
      - Where the code is from. Either a mapping with exactly one of C(git), C(archive), C(checkout) and
        C(requirement), or V(previous), or the ID of a release that is on the host.
      - C(git) is the URL of a repository (https or ssh) or the absolute path of one on the host. C(version) is a
        branch, a tag or all 40 digits of a commit; the default is the repository's default branch. With
        C(submodules=true), submodules are brought as well.
      - C(archive) is a tar (gz, bz2, xz) or zip file on the controller, on the host with C(remote_src=true), or at a
        URL with C(checksum) (C(sha256:) and 64 hexadecimal digits). A single directory at its top is left out, if it is
        no Python package.
      - C(checkout) is a directory on the controller. What is committed there counts, at C(version).
      - Of these three, C(path) is a directory in it that alone is the release.
      - C(requirement) is a package with its exact version, such as C(mysite==1.4.2), or the absolute path of a wheel or
        of a source archive on the host. The release is then what a virtual environment has; see RV(requirement).
    type: raw
    required: true
  login:
    description:
      - JSON of a mapping, encoded in base64, with what opens a private repository or archive - C(key) (the text of an
        SSH private key), C(known_hosts) (its lines), C(user) and C(password) (for https).
      - Nothing of it is written to the host's disk, is on a command line, or is shown.
    type: str
    default: ""
  directory:
    description: The directory of the releases. The service's user must not be able to change it.
    type: path
    required: true
  user:
    description:
      - The user who runs the application. The module refuses what this user could change, such as an archive on the
        host.
    type: str
    required: true
  group:
    description: The group that may read the release. The default is a group with the name of O(user).
    type: str
    default: ""
  service:
    description: The service that the releases are of. Only one change of it runs at a time.
    type: str
    default: ""
  steps:
    description: The steps of the release. Those that build make another release of the same code.
    type: list
    elements: raw
    default: []
  static:
    description: The directory of the static files in a release.
    type: str
    default: staticfiles
  revision:
    description: Makes another release of the same code, if it is not empty.
    type: str
    default: ""
  identity:
    description: What the action has found on the controller. Not for playbooks.
    type: str
    default: ""
  file:
    description: What the action has brought from the controller or a URL. Not for playbooks.
    type: str
    default: ""
notes:
  - The host needs git for a repository, and an ssh client for one by ssh. The controller needs git for a checkout.
  - Files that C(.gitattributes) marks with C(export-ignore) are left out, as git archive does. C(.git) is never in a
    release.
  - What the repository last gave is kept in C(.repository) beside the releases, so that the next release fetches what
    is new.
  - A relative link that leads out of the release is an error. An absolute one stays.
author:
  - The pyweb.gunicorn authors (@pyweb)
seealso:
  - module: ansible.builtin.git
  - module: ansible.builtin.unarchive
"""

EXAMPLES = r"""
- name: Bring what the branch has now
  pyweb.gunicorn.gunicorn_release:
    source: {git: "https://git.example.com/mysite.git", version: main}
    directory: /opt/mysite/releases
    user: mysite
  become: true
  register: release

- name: See which release an archive would be
  pyweb.gunicorn.gunicorn_release:
    source:
      archive: https://example.com/mysite-1.4.2.tar.gz
      checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    directory: /opt/mysite/releases
    user: mysite
  become: true
  check_mode: true
  register: release
"""

RETURN = r"""
id:
  description: The name of the release. Empty if the host has no git yet to find the commit of a branch or a tag.
  returned: success
  type: str
  sample: 3f2a9c1d4e5b-0a1b2c
path:
  description: The directory of the release, whether it is there or not.
  returned: success
  type: str
  sample: /opt/mysite/releases/3f2a9c1d4e5b-0a1b2c
known:
  description: Whether RV(id) is known.
  returned: success
  type: bool
there:
  description: Whether the release is there.
  returned: success
  type: bool
identity:
  description: The commit, or the SHA-256 of what the release is made of, in full.
  returned: success
  type: str
  sample: 3f2a9c1d4e5b60718293a4b5c6d7e8f901234567
live:
  description: The ID of the release that is live. Empty if none is.
  returned: success
  type: str
source:
  description: Where the release is from, without secrets. Of one that is there, where it was brought from first.
  returned: success
  type: dict
  sample: {"git": "https://git.example.com/mysite.git", "identity": "3f2a9c1d4e5b60718293a4b5c6d7e8f901234567"}
venv:
  description: >-
    The virtual environment with which the release was live or, before that, the one with which its steps began. Empty
    if there is none.
  returned: success
  type: dict
steps:
  description: The steps of the release with their defaults, and whether each is C(pending).
  returned: success
  type: list
  elements: dict
requirement:
  description: What the virtual environment needs of the release. Empty for code.
  returned: success
  type: str
  sample: mysite==1.4.2
packages:
  description: The packages that the host needs to bring the release, and does not have.
  returned: success
  type: list
  elements: str
  sample: [git]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import git, look, wanted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ARGUMENTS = {
    "source": {"type": "raw", "required": True},
    "login": {"type": "str", "default": "", "no_log": True},
    "directory": {"type": "path", "required": True},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "default": ""},
    "service": {"type": "str", "default": ""},
    "steps": {"type": "list", "elements": "raw", "default": []},
    "static": {"type": "str", "default": "staticfiles"},
    "revision": {"type": "str", "default": ""},
    "identity": {"type": "str", "default": ""},
    "file": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    os.umask(0o022)  # root's may be stricter, and the service's user must be able to reach the releases
    git.forget_callers_repository()
    descriptors: list[int] = []
    # In /, where no repository's configuration is.
    runner = Runner(module.run_command, cwd="/", pass_fds=descriptors)
    try:
        asked = wanted.read(module.params)
        if module.check_mode:
            result = _look(asked, runner)
        else:
            result = _bring(asked, runner, module.params["service"], descriptors)
    except (InvalidValue, ReleaseError, OSError) as error:  # the last as of a full disk
        what = str(error) if isinstance(error, InvalidValue) else f"gunicorn_release: {error}"
        module.fail_json(msg=f"{what}. {'Nothing' if module.check_mode else 'No release'} was changed.")
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


def _look(asked: wanted.Wanted, runner: Runner) -> dict:
    found = look.look(asked, runner)
    return {"changed": found.note is None, **look.result(asked, found)}


def _bring(asked: wanted.Wanted, runner: Runner, service: str, descriptors: list) -> dict:
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import bring
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import lock
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError

    try:
        with lock.locked(service or asked.user):
            return bring.bring(asked, runner, descriptors)
    except DeployError as error:
        raise ReleaseError(str(error).replace(". Nothing was changed.", "")) from None


if __name__ == "__main__":
    main()
