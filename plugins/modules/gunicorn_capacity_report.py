#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_capacity_report
short_description: Write what was measured on a fleet as a page, as JSON and as snippets to review
version_added: 0.1.0
description:
  - Takes what M(pyweb.gunicorn.gunicorn_service_info) and M(pyweb.gunicorn.gunicorn_sizing_info) returned on each host,
    judges each service, and writes the report on the controller.
  - C(capacity_report.html) is one file that needs nothing but itself, C(capacity_report.json) has the figures, and
    C(capacity_report_host_vars) has a file for each host with a recommendation, to be reviewed and committed. Files
    there of hosts that are not in this report stay.
  - It is what the playbook C(pyweb.gunicorn.capacity_report) ends with, and is meant to be called by that.
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
attributes:
  action:
    support: full
    description: Runs on the controller alone, without a connection to any host.
  check_mode:
    support: full
    details: Nothing is written then.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: The report says when it was made, so that it is another one each time.
options:
  directory:
    description:
      - Where the files are written, on the controller. It is made if it is missing.
      - If not given, the directory in which Ansible was called.
    type: path
  hosts:
    description: The names of the hosts in the inventory.
    type: list
    elements: str
    required: true
  info:
    description:
      - For each of O(hosts), in their order, what M(pyweb.gunicorn.gunicorn_service_info) returned, also where that was
        a failure or the host could not be reached.
    type: list
    elements: dict
    required: true
  sizing:
    description:
      - For each of O(hosts), what a loop of M(pyweb.gunicorn.gunicorn_sizing_info) over
        P(pyweb.gunicorn.capacity_demands#filter) returned, also where that was a failure. Empty where there
        was none.
    type: list
    elements: dict
    required: true
seealso:
  - module: pyweb.gunicorn.gunicorn_service_info
  - module: pyweb.gunicorn.gunicorn_sizing_info
"""

EXAMPLES = r"""
- name: Write the report
  pyweb.gunicorn.gunicorn_capacity_report:
    directory: /srv/reports
    hosts: "{{ ansible_play_hosts_all }}"
    info: "{{ ansible_play_hosts_all | map('extract', hostvars, 'info') }}"
    sizing: "{{ ansible_play_hosts_all | map('extract', hostvars, 'sizing') }}"
  run_once: true
"""

RETURN = r"""
table:
  description: The fleet as lines for the terminal, of at most 88 columns, the worst first.
  returned: success
  type: list
  elements: str
missing:
  description: Why hosts could not be read, by their names.
  returned: success
  type: dict
  sample: {"web3": "Not reachable: Connection timed out"}
files:
  description: The paths of the files.
  returned: success
  type: list
  elements: path
  sample: [/srv/reports/capacity_report.html, /srv/reports/capacity_report.json]
"""

# An action plugin of this name does all of it.
