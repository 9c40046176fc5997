# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has and runs of a service under systemd, in a form that can be compared anywhere.

gunicorn_plan_info reads it along with the rest of the host, and the controller compares it with what is wanted, without
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
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names as service_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec, SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import socket_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


class Observation(NamedTuple):
    """What a host has of a service, whatever it shall have."""

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
    differing_secrets: tuple[str, ...] = ()  # paths, where it is not for others to compare them


def read(
    name: str, files: Iterable[str], binds: Iterable[Address], venv: str, group: str, runner: Runner
) -> Observation:
    """Read a service of the host."""
    names = [f"{name}.service", f"{name}.socket", f"{name}-standin.service"]
    service, sockets, standin = systemd_units.read_units(names, runner).values()
    socket_text = atomic_files.read(os.path.join(systemd_units.UNIT_DIRECTORY, f"{name}.socket"))
    return Observation(
        service=service,
        socket=sockets,
        standin=standin,
        running=service_running.read_settled(name, service.main_pid) if service.main_pid else None,
        files={path: atomic_files.state(path) for path in files},
        addresses=tuple(sorted(socket_units.socket_addresses(socket_text))),
        listening=tuple(bind.listen_stream for bind in binds if host_sockets.is_open(bind)),
        venv_directory=os.path.realpath(venv),
        interrupted=os.path.lexists(service_names.journal_of(name)),
        group=accounts.group_id(group),
    )


def compare(wanted: SystemdSpec, found: Observation) -> SystemdState:
    """What of an observation matters to what is wanted."""
    asked = (bind.listen_stream for bind in wanted.binds)
    differing = (file.path for file in wanted.all_files if atomic_files.is_another(file, found.files[file.path]))
    return SystemdState(
        service=found.service,
        socket=found.socket,
        standin=found.standin,
        running=found.running,
        differing=(*found.differing_secrets, *differing),
        addresses=frozenset(found.addresses),
        closed=tuple(address for address in asked if address not in found.listening) if found.socket.active else (),
        venv_directory=found.venv_directory,
        interrupted=found.interrupted,
    )


def without_secrets(found: Observation, files: Iterable[WantedFile], secrets_hash: str) -> Observation:
    """The same, which says of the secrets only whether they are as wanted; for one who wants none of them."""
    differing = tuple(file.path for file in files if atomic_files.differs(file))
    running = found.running
    if running:
        running = running._replace(secrets="" if running.secrets == secrets_hash else "others")
    return found._replace(differing_secrets=differing, running=running)


def as_dict(found: Observation) -> dict:
    """An observation as a module can return it."""
    units = {name: getattr(found, name)._asdict() for name in ("service", "socket", "standin")}
    files = {path: state and state._asdict() for path, state in found.files.items()}
    return {**found._asdict(), **units, "running": found.running and found.running._asdict(), "files": files}


def from_dict(told: dict) -> Observation:
    """The observation that as_dict told of."""
    units = {name: Unit(**_with_tuples(told[name])) for name in ("service", "socket", "standin")}
    return Observation(
        **{
            **_with_tuples(told),
            **units,
            "running": told["running"] and Running(**_with_tuples(told["running"])),
            "files": {path: state and FileState(**state) for path, state in told["files"].items()},
        }
    )


def _with_tuples(told: dict) -> dict:
    """JSON has lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}


def observe(wanted: SystemdSpec, runner: Runner) -> SystemdState:
    """Read what the host has and runs."""
    files = (file.path for file in wanted.all_files)
    found = read(wanted.name, files, wanted.binds, wanted.venv, wanted.group, runner)
    return compare(wanted, found)
