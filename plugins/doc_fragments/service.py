# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that bring a service to what is wanted, whoever runs it."""

from __future__ import annotations


class ModuleDocFragment:
    """What both managers of services have to be told."""

    DOCUMENTATION = r"""
options:
  state:
    description: Whether the service shall run.
    type: str
    choices: [started, stopped]
    default: started
  user:
    description: The user that the service runs as; the log is read as that one.
    type: str
    required: true
  configuration:
    description:
      - The text of C(gunicorn.conf.py), which says in C(running.json) of the runtime directory what runs, and makes a
        file C(worker-PID) for each worker that accepts connections.
    type: str
    required: true
  secrets:
    description: The text of the environment file with secrets; C(@SECRETS@) in it becomes a hash. Empty for no file.
    type: str
    default: ""
  credentials:
    description: Names and contents of the credentials, as JSON in Base64.
    type: str
    default: e30=
  binds:
    description: The addresses as Gunicorn's C(--bind) takes them; the health request is sent to each.
    type: list
    elements: str
    required: true
  command:
    description: The command line that the running master must have.
    type: list
    elements: str
    required: true
  workers:
    description: The number of workers that the running master must have.
    type: int
    required: true
  venv_directory:
    description: The directory that O(venv) shall be, or shall be a link to; from M(pyweb.gunicorn.gunicorn_venv).
    type: path
    required: true
  venv_backup:
    description: What O(venv) was before it was changed in place, if it was; from M(pyweb.gunicorn.gunicorn_venv).
    type: str
    default: ""
  venv_fingerprint:
    description: A hash of what is installed; from M(pyweb.gunicorn.gunicorn_venv).
    type: str
    default: ""
  gunicorn_version:
    description: The version that the running master must have.
    type: str
    default: ""
"""
