# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action gunicorn_service; its documentation is in the module of the same name."""

from __future__ import annotations

from ansible.plugins.action import normal

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import facts, systemd, systemd_state


class ActionModule(normal.ActionModule):
    """Compares on the controller with what the plan has read of the host; all else is the module's."""

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        """Return the module's result."""
        if self._task.check_mode and self._task.args.get("observed"):
            _validated, given = self.validate_argument_spec(systemd.ARGUMENTS)
            result = compare(given)
            if not (result["changed"] and self._task.diff):
                return result
        self._task.args = {name: value for name, value in self._task.args.items() if name != "observed"}
        return super().run(tmp, task_vars)


def compare(given: dict) -> dict:
    """Return the module's result: how what the plan has observed differs from what the arguments ask for."""
    state = systemd_state.from_dict(given["observed"])
    # The host has said already whether the secrets are as wanted.
    wanted = systemd.spec_from(given, state.group, [], "")
    return facts.result(wanted, systemd.decide(wanted, state), state.live_release)
