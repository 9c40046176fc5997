# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say where a project is deployed, and as whom."""

from __future__ import annotations


class ModuleDocFragment:
    """What belongs to a project on its host; each module says itself whether it needs the log file."""

    DOCUMENTATION = r"""
options:
  project:
    description: The project's name, which must be fit for a Python package, a user and a unit.
    type: str
    required: true
  service_name:
    description: The name of the service's units without their suffix, or of supervisor's program.
    type: str
    required: true
  service_manager:
    description: What runs the service. V(auto) is V(systemd) on a host that runs systemd, else V(supervisor).
    type: str
    choices: [auto, systemd, supervisor]
    default: auto
  user:
    description: The user that the service runs as.
    type: str
    required: true
  group:
    description: The group that the service runs as.
    type: str
    required: true
  manage_user:
    description: Whether the role manages the user and the group. If not, both must exist, and neither is ever removed.
    type: bool
    default: true
  venv:
    description: The path of the virtual environment.
    type: str
    required: true
  code_directory:
    description: The directory of the project's code.
    type: str
    required: true
  config_directory:
    description: The directory of the project's settings, C(gunicorn.conf.py), C(secrets.env) and C(credentials).
    type: str
    required: true
  data_directory:
    description: The directory of the project's data, in which the service runs.
    type: str
    required: true
  log_file:
    description: Gunicorn's error log. V(-) is the journal, or supervisor's log of the program.
    type: str
  access_log_file:
    description: Gunicorn's access log. V(-) is the journal, or supervisor's log of the program. Empty for none.
    type: str
    default: ""
"""
