# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The units of a service, to be removed."""

from __future__ import annotations

import glob
import itertools
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import Found
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import (
    companion_state,
    companion_texts,
    companion_units,
    launcher,
    marks,
    names,
    running,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, socket_units, units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit


class SystemdManager:
    """What systemd has of one service."""

    log_directory = ""  # what goes to no file is in the journal

    def __init__(self, service: str, runner: Runner) -> None:
        self._service = service
        self._runner = runner
        own = (f"{service}.{suffix}" for suffix in ("service", "socket"))
        self.replaced = tuple(os.path.join(units.UNIT_DIRECTORY, name) for name in own)

    @property
    def own_units(self) -> tuple[str, ...]:
        """The units of the service, of what runs beside it, and of its companions."""
        names_of_units = (f"{name}.service" for name in (self._service, *launcher.others(self._service)))
        return (*names_of_units, *self._companion_paths())

    def own_processes(self) -> set[int]:
        """None: its units have them all."""
        return set()

    def read(self) -> Found:
        """Look what there is; raises InvalidValue if the role did not make it."""
        known = units.read_units(self._unit_names(), self._runner)
        self._check_ours(known)
        _service_path, socket_path = self.replaced
        addresses = sorted(socket_units.socket_addresses(files.read(socket_path)))
        companions = self._companion_paths()
        known.update(units.read_units(list(companions), self._runner) if companions else {})
        return Found(
            # Those that finish are waited for.
            stop=tuple(name for name, unit in known.items() if unit.active or unit.starting or unit.stopping),
            disable=tuple(name for name, unit in known.items() if unit.enabled),
            addresses=tuple(address for address in addresses if address.startswith("/")),
            active=known[f"{self._service}.socket"].active,
            files=(),
            definitions=(*self._companion_definitions(), *self._definitions()),
            foreign=tuple(self._drop_ins(companions)),
            logs=tuple(sorted({companion_units.log_of(files.read(path) or "") for path in companions.values()} - {""})),
        )

    def stop(self, found: Found) -> None:
        """Stop the units, so that nothing starts them again; raises RemovalError."""
        if found.disable:
            manager.command(self._runner, "systemctl", "--quiet", "disable", *found.disable)
        # All in one command, or a request to a socket would start its service again.
        if found.stop:
            manager.command(self._runner, "systemctl", "stop", *found.stop)
        # The plan could not see these files: the added sockets have left them as they stopped.
        added = map(os.path.basename, runtime_units.added_sockets(self._service))
        for name in set(added) & set(found.stop):
            files.remove(socket_units.ended_flag(name))

    def forget(self, found: Found, removed: tuple[str, ...]) -> None:
        """Have systemd notice that its units are removed; raises RemovalError."""
        folders = (f"{units.UNIT_DIRECTORY}/", f"{units.RUNTIME_DIRECTORY}/")
        if found.stop or found.disable or any(path.startswith(folders) for path in removed):
            manager.command(self._runner, "systemctl", "daemon-reload")
            gone = [os.path.basename(path) for path in removed if path.startswith(folders)]
            companions = [name for name in gone if name.endswith((".service", ".timer")) and not name.startswith(".")]
            self._runner.run(["systemctl", "reset-failed", *dict.fromkeys([*self._unit_names(), *companions])])

    def _check_ours(self, known: dict[str, Unit]) -> None:
        for path in self.replaced:
            name = os.path.basename(path)
            unit = known[name]
            if manager.is_foreign(path):
                raise manager.refusal(self._service, path)
            if unit.exists and unit.path != path and not names.is_ours(files.read(unit.path)):
                raise manager.refusal(self._service, unit.path or name)
        service_path, _socket_path = self.replaced
        main_pid = known[f"{self._service}.service"].main_pid
        gone = not os.path.lexists(service_path)
        if gone and main_pid and not running.read(self._service, main_pid).configuration:
            raise manager.refusal(self._service, f"what runs as {self._service}.service")

    def _unit_names(self) -> list[str]:
        """Sockets first: they would start the services again."""
        name = self._service
        added = map(os.path.basename, runtime_units.added_sockets(name))
        others = (f"{other}.service" for other in launcher.others(name))
        return [*added, f"{name}.socket", f"{name}.service", f"{name}-standin.socket", *others]

    def _companion_paths(self) -> dict[str, str]:
        """The units of the service's companions, and their paths. Timers are first: they would start the jobs again."""
        found = {
            unit: path for paths in companion_state.paths_of(self._service).values() for unit, path in paths.items()
        }
        return dict(sorted(found.items(), key=lambda pair: (not pair[0].endswith(".timer"), pair[0])))

    def _companion_definitions(self) -> list[str]:
        """All files of the companions' units, also where an interrupted change has left some."""
        found = []
        prefixes = ("", files.CANDIDATE, files.PREVIOUS)
        for folder, prefix in itertools.product((units.UNIT_DIRECTORY, units.RUNTIME_DIRECTORY), prefixes):
            for path in sorted(glob.glob(os.path.join(folder, f"{prefix}{glob.escape(self._service)}-*"))):
                if path.endswith((".service", ".timer")) and self._is_companion(path):
                    found.append(path)
        timers = {os.path.basename(path) for path in found if path.endswith(".timer")}
        return [*(companion_units.stamp_of(timer) for timer in sorted(timers)), *found]

    def _is_companion(self, path: str) -> bool:
        return companion_texts.owner_of(files.read(path))[0] == self._service

    def _drop_ins(self, companions: dict[str, str]) -> list[str]:
        """The directories of drop-ins, which the role does not write."""
        own = [f"{self._service}.service", *companions]
        templates = (f"{name.partition('@')[0]}@.service" for name in companions if "@" in name)
        paths = (os.path.join(units.UNIT_DIRECTORY, f"{name}.d") for name in dict.fromkeys([*own, *templates]))
        return [path for path in paths if os.path.isdir(path)]

    def _definitions(self) -> list[str]:
        name = self._service
        others = launcher.others(name)
        directories = [f"{name}.service.wants", f"{name}.service.d/gunicorn-adoption.conf"]
        directories += [f"{other}.service.d" for other in others]
        return [
            *self.replaced,
            names.journal_of(name),
            *manager.left_beside(self.replaced),
            *map(runtime_units.path_of, (*self._unit_names(), *directories)),
            *glob.glob(socket_units.ended_flag(f"{glob.escape(name)}-added-*")),
            f"/run/gunicorn-{name}-standin.sock",
            marks.refused(name),
            marks.untried(name),
            launcher.folder_of_step(name),
            *map(launcher.runtime_directory, (name, *others)),
        ]
