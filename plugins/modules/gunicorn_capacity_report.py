#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_capacity_report
short_description: Write the measurements of a fleet as a page, as JSON and as variables to review
version_added: 1.0.0
description:
  - Takes what M(pyweb.gunicorn.gunicorn_service_info) and M(pyweb.gunicorn.gunicorn_sizing_info) returned for each
    host, judges each service, and writes the report on the controller.
  - C(capacity_report.html) is a single page that loads nothing else. C(capacity_report.json) has the figures.
    C(capacity_report_host_vars) has a file for each host with a recommendation, for you to review and commit. Files of
    hosts that are not in this report stay there.
  - The playbook C(pyweb.gunicorn.capacity_report) ends with this module. Use that playbook rather than the module.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
attributes:
  action:
    support: full
    description: Runs on the controller alone, without a connection to any host.
  check_mode:
    support: full
    details: In check mode, no file is written.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: The report contains the time of the run, so each run writes another one.
options:
  directory:
    description:
      - The directory on the controller to write the files to. It is created if it is missing.
      - If not given, the directory in which Ansible was called.
    type: path
  hosts:
    description: The names of the hosts in the inventory.
    type: list
    elements: str
    required: true
  info:
    description:
      - What M(pyweb.gunicorn.gunicorn_service_info) returned for each of O(hosts), in the same order. Include hosts on
        which it failed, and hosts that could not be reached.
    type: list
    elements: dict
    required: true
  sizing:
    description:
      - What a loop of M(pyweb.gunicorn.gunicorn_sizing_info) over P(pyweb.gunicorn.capacity_demands#filter) returned
        for each of O(hosts), in the same order. Include hosts on which it failed. For a host without a result, give an
        empty mapping.
    type: list
    elements: dict
    required: true
author:
  - The pyweb.gunicorn authors (@pyweb)
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
  description: The fleet as lines for the terminal, the worst service first. A line has at most 88 columns.
  returned: success
  type: list
  elements: str
missing:
  description: The hosts that could not be read, by name, each with the reason.
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
