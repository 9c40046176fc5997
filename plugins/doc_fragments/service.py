# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that deploy a service, under systemd or under supervisor."""

from __future__ import annotations


class ModuleDocFragment:
    """What a service needs under both."""

    DOCUMENTATION = r"""
attributes:
  diff_mode:
    details: Secrets and credentials are not shown.
options:
  name:
    description: The name of the service, which is that of its units without their suffix, or of supervisor's program.
    type: str
    required: true
  state:
    description: Whether the service must run.
    type: str
    choices: [started, stopped]
    default: started
  enabled:
    description: Whether the service starts at boot.
    type: bool
    default: true
  user:
    description: The user that the service runs as. The module reads the log as this user, too.
    type: str
    required: true
  group:
    description: The group that the service runs as. It may read the configuration.
    type: str
    required: true
  configuration:
    description:
      - The text of C(gunicorn.conf.py). It must make Gunicorn write into its runtime directory what runs, as
        C(running.json), and a file C(worker-PID) for each worker that accepts connections.
    type: str
    required: true
  config_directory:
    description: The directory of C(gunicorn.conf.py), C(secrets.env) and C(credentials).
    type: path
    required: true
  logrotate:
    description: The text of the file in C(/etc/logrotate.d) that rotates the logs. If empty, there is no such file.
    type: str
    default: ""
  memory_note:
    description:
      - The text of the file that says how much memory the service was given, as M(pyweb.gunicorn.gunicorn_plan_info)
        returns it. It is written after a change that worked. If empty, there is no such file.
    type: str
    default: ""
    version_added: 1.1.0
  log_file:
    description: Gunicorn's error log, the end of which is shown in errors. V(-) is where systemd or supervisor logs.
    type: str
    default: "-"
  binds:
    description: The addresses as Gunicorn's C(--bind) takes them. The health request is sent to each.
    type: list
    elements: str
    required: true
  command:
    description: The command line that the running master must have.
    type: list
    elements: str
    required: true
  workers:
    description:
      - The number of workers that the running master must have. With 0, there is none, and the companions run alone.
    type: int
    required: true
  companions:
    description:
      - The other processes of the project, by name, as C(gunicorn_companions) of the role
        P(pyweb.gunicorn.gunicorn#role) has them. They start once the web workers were verified.
    type: dict
    default: {}
  run_group:
    description: The group whose members may run commands of the project with C(SERVICE-run); empty for root alone.
    type: str
    default: ""
  venv:
    description: The path of the virtual environment, as O(command) names it.
    type: path
    required: true
  venv_directory:
    description: The directory that O(venv) must be, or must link to, from M(pyweb.gunicorn.gunicorn_venv).
    type: path
    required: true
  venv_backup:
    description:
      - The backup of O(venv) from before it was changed in place, from M(pyweb.gunicorn.gunicorn_venv). Empty if there
        is none.
    type: str
    default: ""
  venv_fingerprint:
    description: A hash of what is installed, from M(pyweb.gunicorn.gunicorn_venv).
    type: str
    default: ""
  gunicorn_version:
    description: The version of Gunicorn that the running master must have.
    type: str
    default: ""
  code_directory:
    description:
      - Where the code is, if it is not a release. If a change is refused, the error says what that means for the code
        there, and C(/run/gunicorn-NAME.refused) keeps C(max_requests) from ending workers until a change succeeds.
    type: str
    default: ""
notes:
  - A service has one deployment at a time; a second one waits. The next deployment cleans up after one that was killed.
"""

    RELEASE = r"""
options:
  release:
    description: The release that must be live. Without it, the code is in place, and not the role's.
    type: dict
    suboptions:
      id:
        description: Its ID, which is its directory's name in O(release.directory). The plan may not know it yet.
        type: str
        required: true
      directory:
        description: The directory of all releases.
        type: path
        required: true
      kept:
        description: How many releases stay, the live one included. The others are removed with what only they need.
        type: int
        default: 3
      static:
        description: Where a release has its static files, relative to it. Empty for none.
        type: str
        default: ""
      public_static:
        description:
          - A link that leads to the static files of all releases that stay. Those of the live one come first.
          - What was there before comes last.
        type: str
        default: ""
      back:
        description: Whether the release is gone back to.
        type: bool
        default: false
"""

    SECRETS = r"""
options:
  secrets:
    description:
      - The text of the environment file with secrets, in which C(@SECRETS@) is replaced by a hash. Empty for no such
        file.
    type: str
    default: ""
  credentials:
    description: A mapping of the credentials' names to their contents, as JSON in Base64.
    type: str
    default: e30=
"""
