# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has and runs of a service under systemd, in a form that can be compared anywhere.

gunicorn_plan_info reads it along with the rest of the host, and the controller compares it with what is wanted, without
another task on the host.
"""

from __future__ import annotations

import os
from typing import Callable, Iterable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _files, _hoststate, _running, _sockets, _switch
from ansible_collections.pyweb.gunicorn.plugins.module_utils._binds import Bind
from ansible_collections.pyweb.gunicorn.plugins.module_utils._switch import Observed, Wanted


class Observation(NamedTuple):
    """What a host has of a service, whatever it shall have."""

    service: _hoststate.Unit
    socket: _hoststate.Unit
    standin: _hoststate.Unit
    running: _running.Running | None
    files: dict[str, _files.State | None]  # by their paths
    addresses: tuple[str, ...]  # of the live socket unit
    listening: tuple[str, ...]  # of the addresses that were asked about
    venv_directory: str
    interrupted: bool
    group: int  # the id of the group that may read the configuration
    differing_secrets: tuple[str, ...] = ()  # paths, where it is not for others to compare them


class Paths(NamedTuple):
    """Where the files of a service stand, apart from its secrets."""

    configuration: str
    unit: str
    socket: str
    logrotate: str


def paths(name: str, config_directory: str) -> Paths:
    """Where the files of a service stand."""
    units = (os.path.join(_hoststate.UNIT_DIRECTORY, f"{name}.{suffix}") for suffix in ("service", "socket"))
    return Paths(os.path.join(config_directory, "gunicorn.conf.py"), *units, f"/etc/logrotate.d/gunicorn-{name}")


def journal_of(name: str) -> str:
    """Where a change notes how to go back: beside the unit, where nobody but root can write."""
    return os.path.join(_hoststate.UNIT_DIRECTORY, f".{name}.gunicorn-switch.json")


def read(
    name: str, files: Iterable[str], binds: Iterable[Bind], venv: str, group: str, run: Callable[[list[str]], str]
) -> Observation:
    """Read a service of the host; `run` takes a command and returns what it prints."""
    names = [f"{name}.service", f"{name}.socket", f"{name}-standin.service"]
    service, sockets, standin = _hoststate.read_units(names, run).values()
    socket_text = _files.read(os.path.join(_hoststate.UNIT_DIRECTORY, f"{name}.socket"))
    return Observation(
        service=service,
        socket=sockets,
        standin=standin,
        running=_running.read_settled(name, service.main_pid) if service.main_pid else None,
        files={path: _files.state(path) for path in files},
        addresses=tuple(sorted(_switch.socket_addresses(socket_text))),
        listening=tuple(bind.listen_stream for bind in binds if _sockets.is_open(bind)),
        venv_directory=os.path.realpath(venv),
        interrupted=os.path.lexists(journal_of(name)),
        group=_hoststate.group_id(group),
    )


def compare(wanted: Wanted, found: Observation) -> Observed:
    """What of an observation matters to what is wanted."""
    asked = (bind.listen_stream for bind in wanted.binds)
    differing = (file.path for file in wanted.all_files if _files.is_another(file, found.files[file.path]))
    return Observed(
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


def without_secrets(found: Observation, files: Iterable[_files.WantedFile], secrets_hash: str) -> Observation:
    """The same, which says of the secrets only whether they are as wanted; for one who wants none of them."""
    differing = tuple(file.path for file in files if _files.differs(file))
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
    units = {name: _hoststate.Unit(**_with_tuples(told[name])) for name in ("service", "socket", "standin")}
    return Observation(
        **{
            **_with_tuples(told),
            **units,
            "running": told["running"] and _running.Running(**_with_tuples(told["running"])),
            "files": {path: state and _files.State(**state) for path, state in told["files"].items()},
        }
    )


def _with_tuples(told: dict) -> dict:
    """JSON has lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
