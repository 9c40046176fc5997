# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has and runs of a service under systemd, in a form that can be compared anywhere.

gunicorn_plan_info reads it along with the rest of the host. The controller compares it with what is wanted, without
another task on the host.
"""

from __future__ import annotations

import os
from typing import Iterable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import FileState, WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import sockets as host_sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_state, marks
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names as service_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import CompanionState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import socket_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


class AskedUnits(NamedTuple):
    """What systemd says of the units of a service and of its companions."""

    service: Unit
    socket: Unit
    standin: Unit
    companions: dict[str, CompanionState]  # by their names


class SystemdState(NamedTuple):
    """What a host has of a service."""

    service: Unit
    socket: Unit
    standin: Unit
    running: Running | None
    files: dict[str, FileState | None]  # by their paths
    addresses: tuple[str, ...]  # of the live socket unit
    listening: tuple[str, ...]  # of the addresses that were asked about
    venv_directory: str
    interrupted: bool
    group: int  # the id of the group that may read the configuration
    differing_secrets: tuple[str, ...] = ()  # paths, where others must not compare them
    lost_logs: dict[str, bool] = {}  # see running.lost_logs
    release_problems: tuple[str, ...] = ()  # see live.problems
    live_release: str = ""  # see live.live_id
    refused: bool = False  # see marks.refused
    companions: dict[str, CompanionState] = {}  # by their names
    has_command: bool = True  # to run commands of the project
    sudoers: str | None = None  # the rule that lets a group call it

    def differing(self, wanted: list[WantedFile]) -> list[str]:
        """The paths of the files that are not as wanted."""
        others = (file.path for file in wanted if atomic_files.is_another(file, self.files[file.path]))
        return [*self.differing_secrets, *others]

    def closed(self, binds: tuple[Address, ...]) -> list[str]:
        """The addresses on which nothing listens; none if systemd holds no socket at all."""
        wanted = (bind.listen_stream for bind in binds)
        return [address for address in wanted if self.socket.active and address not in self.listening]

    def has_addresses(self, binds: tuple[Address, ...]) -> bool:
        """Whether the live socket unit has just these addresses."""
        return set(self.addresses) == {bind.listen_stream for bind in binds}


def ask(name: str, runner: Runner) -> AskedUnits:
    """Ask systemd about all units of a service at once: each systemctl takes more than all that is read of files."""
    own = [f"{name}.service", f"{name}.socket", f"{name}-standin.service"]
    found = companion_state.paths_of(name)
    known = systemd_units.read_units([*own, *companion_state.units_of(found)], runner)
    return AskedUnits(*(known[unit] for unit in own), companion_state.read_asked(name, found, known))


def read(
    name: str,
    files: Iterable[str],
    binds: Iterable[Address],
    venv: str,
    group: str,
    logs: Iterable[str],
    asked: AskedUnits,
) -> SystemdState:
    """Read a service of the host."""
    service = asked.service
    socket_text = atomic_files.read(os.path.join(systemd_units.UNIT_DIRECTORY, f"{name}.socket"))
    return SystemdState(
        service=service,
        socket=asked.socket,
        standin=asked.standin,
        running=service_running.read_settled(name, service.main_pid) if service.main_pid else None,
        files={path: atomic_files.state(path) for path in files},
        addresses=tuple(sorted(socket_units.socket_addresses(socket_text))),
        listening=tuple(bind.listen_stream for bind in binds if host_sockets.is_open(bind)),
        venv_directory=os.path.realpath(venv),
        interrupted=os.path.lexists(service_names.journal_of(name)),
        group=accounts.group_id(group),
        lost_logs=service_running.lost_logs(service.main_pid, logs) if service.main_pid else {},
        refused=os.path.lexists(marks.refused(name)),
        companions=asked.companions,
        has_command=os.path.isfile(service_names.run_command(name)),
        sudoers=atomic_files.read(service_names.sudoers(name)),
    )


def without_secrets(state: SystemdState, files: Iterable[WantedFile], secrets_hash: str) -> SystemdState:
    """The same, but of the secrets it says only whether they are as wanted."""
    differing = tuple(file.path for file in files if atomic_files.differs(file))
    running = state.running
    if running:
        running = running._replace(secrets="" if running.secrets == secrets_hash else "others")
    companions = {
        name: each._replace(secrets=tuple("" if value == secrets_hash else "others" for value in each.secrets))
        for name, each in state.companions.items()
    }
    return state._replace(differing_secrets=differing, running=running, companions=companions)


def as_dict(state: SystemdState) -> dict:
    """A state as a module can return it."""
    units = {name: getattr(state, name)._asdict() for name in ("service", "socket", "standin")}
    files = {path: file and file._asdict() for path, file in state.files.items()}
    return {
        **state._asdict(),
        **units,
        "running": state.running and state.running._asdict(),
        "files": files,
        "companions": {name: companion_state.as_dict(each) for name, each in state.companions.items()},
    }


def from_dict(told: dict) -> SystemdState:
    """The state that as_dict returned."""
    units = {name: Unit(**_with_tuples(told[name])) for name in ("service", "socket", "standin")}
    return SystemdState(
        **{
            **_with_tuples(told),
            **units,
            "running": told["running"] and Running(**_with_tuples(told["running"])),
            "files": {path: file and FileState(**file) for path, file in told["files"].items()},
            "companions": {name: companion_state.from_dict(each) for name, each in told["companions"].items()},
        }
    )


def _with_tuples(told: dict) -> dict:
    """JSON has lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
