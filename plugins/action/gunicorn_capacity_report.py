# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action gunicorn_capacity_report; its documentation is in the module of the same name."""

from __future__ import annotations

import time
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import files as report_files
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import report as fleet_report
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import text as report_text
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.form import plain

ROOT = Path(__file__).parents[2]


class ActionModule(ActionBase):
    """Judges the fleet and writes the report on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        """Return the module's result."""
        result = super().run(tmp, task_vars)
        lists = {
            name: {"type": "list", "elements": kind, "required": True}
            for name, kind in (("hosts", "str"), ("info", "dict"), ("sizing", "dict"))
        }
        _validated, options = self.validate_argument_spec({"directory": {"type": "path"}, **lists})
        if len({len(options[name]) for name in lists}) != 1:
            raise AnsibleActionFail(f"{', '.join(lists)}: expected lists of the same length. Nothing was written.")
        answers = zip(*(options[name] for name in lists))
        hosts = [fleet_report.report_host(plain(name), info, sizing) for name, info, sizing in answers]
        report = fleet_report.make_report(hosts, time.time(), report_files.collection_version(ROOT))
        # Relative to where the user called Ansible
        directory = Path(options["directory"] or ".").absolute()
        files = {directory / name: text for name, text in report_files.contents(report).items()}
        if not self._task.check_mode:
            report_files.write(files)
        return {
            **result,
            "changed": True,
            "table": report_text.table(hosts),
            "missing": {host["name"]: host["problem"] for host in hosts if host["problem"]},
            "files": [str(path) for path in files],
        }
