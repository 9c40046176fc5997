# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The units of a service that is to go."""

from __future__ import annotations

import glob
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import (
    Found,
    RemovalPlan,
    aside,
    command,
    is_other,
    refusal,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names as service_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, socket_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses


class Units:
    """What systemd has of one service."""

    log_directory = ""  # what has no file is in the journal

    def __init__(self, service: str, runner: Runner) -> None:
        self.service = service
        self.runner = runner
        names = (f"{service}.{suffix}" for suffix in ("service", "socket"))
        self.replaced = tuple(os.path.join(systemd_units.UNIT_DIRECTORY, name) for name in names)

    def read(self) -> Found:
        """Look what there is; raises InvalidValue where it is not the role's."""
        names = self._names()
        units = systemd_units.read_units(names, self.runner)
        self._check_ours(units)
        text = files.read(self.replaced[1])
        binds = addresses.parse_streams(sorted(socket_units.socket_addresses(text)))
        drop_ins = os.path.join(systemd_units.UNIT_DIRECTORY, f"{self.service}.service.d")
        return Found(
            stop=tuple(name for name in names if units[name].active or units[name].starting),
            disable=tuple(name for name in names if units[name].enabled),
            addresses=tuple(bind.path for bind in binds if bind.path),
            active=units[f"{self.service}.socket"].active,
            files=(),
            definitions=tuple(self._files()),
            foreign=(drop_ins,) if os.path.isdir(drop_ins) else (),
        )

    def stop(self, plan: RemovalPlan) -> None:
        """End the service, and let nothing start it again; raises RemovalError."""
        if plan.disable:
            command(self.runner, "systemctl", "--quiet", "disable", *plan.disable)
        # Together, or a request would start the one by the other.
        if plan.stop:
            command(self.runner, "systemctl", "stop", *plan.stop)

    def forget(self, plan: RemovalPlan) -> None:
        """Have systemd read its units, of which these are gone; raises RemovalError."""
        folders = (f"{systemd_units.UNIT_DIRECTORY}/", f"{runtime_units.DIRECTORY}/")
        if plan.stop or plan.disable or any(path.startswith(folders) for path in plan.paths):
            command(self.runner, "systemctl", "daemon-reload")
            self.runner.run(["systemctl", "reset-failed", *self._names()])

    def _names(self) -> list[str]:
        """Sockets first: they would start the services again."""
        name = self.service
        added = runtime_units.added_sockets(name)
        own = [f"{name}.socket", f"{name}.service", f"{name}-standin.socket", f"{name}-standin.service"]
        return [*map(os.path.basename, added), *own]

    def _check_ours(self, units: dict[str, Unit]) -> None:
        for path in self.replaced:
            name = os.path.basename(path)
            unit = units[name]
            if is_other(path):
                raise refusal(self.service, path)
            if unit.exists and unit.path != path and not service_names.is_ours(files.read(unit.path)):
                raise refusal(self.service, unit.path or name)
        running = units[f"{self.service}.service"].main_pid
        gone = not os.path.lexists(self.replaced[0])
        if gone and running and not service_running.read(self.service, running).configuration:
            raise refusal(self.service, f"what runs as {self.service}.service")

    def _files(self) -> list[str]:
        name = self.service
        run = [runtime_units.path_of(each) for each in self._names()]
        more = (f"{name}-standin.service.d", f"{name}.service.wants", f"{name}.service.d/gunicorn-adoption.conf")
        run += [runtime_units.path_of(each) for each in more]
        run += glob.glob(socket_units.ended_flag(f"{glob.escape(name)}-added-*"))
        run += [f"/run/gunicorn-{name}-standin.sock", f"/run/gunicorn/{name}", f"/run/gunicorn/{name}-standin"]
        return [*self.replaced, service_names.journal_of(name), *aside(self.replaced), *run]
