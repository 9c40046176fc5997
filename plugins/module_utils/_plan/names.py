# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the service's name is free, or belongs to a service that may be taken over."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import sockets as host_sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_texts, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import AskedUnits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def read_service(name: str, asked: AskedUnits | None) -> tuple[Unit, Unit]:
    """The service that is there, and its sockets; raises InvalidValue if the name belongs to another one.

    What systemd was `asked` is None where supervisor runs the service.
    """
    if asked is None:
        return _read_supervised(name)
    owner, companion = companion_texts.owner_of(files.read(os.path.join(units.UNIT_DIRECTORY, f"{name}.service")))
    if owner:
        expected = f"a name that no other unit of the host has (it is the companion {companion} of {owner})"
        raise InvalidValue("gunicorn_service_name", name, expected)
    _check_unit(name, ".service", asked.service)
    _check_unit(name, ".socket", asked.socket)
    return asked.service, asked.socket


def _read_supervised(service: str) -> tuple[Unit, Unit]:
    """The program of supervisor as if it were a unit, and its sockets."""
    # Only here: a host with systemd would take a hundredth of a second for what this imports.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_programs
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client

    ours = os.path.join(programs.PROGRAMS, f"{service}.conf")
    owner, companion = companion_programs.owner_of(files.read(ours))
    if owner:
        expected = f"a name that no other program of supervisor has (it is the companion {companion} of {owner})"
        raise InvalidValue("gunicorn_service_name", service, expected)
    others = [path for path in programs.find_program(service, programs.PROGRAMS) if path != ours]
    if others:
        expected = f"a name that no other program of supervisor has (it is in {others[0]})"
        raise InvalidValue("gunicorn_service_name", service, expected)
    supervisor = client.this_supervisor()
    process = supervisor.process(service) if supervisor.runs() else client.ProgramProcess()
    listens = (host_sockets.read_listening(process.pid) or []) if process.is_up else []
    unit = Unit(
        exists=bool(process.state),
        active=process.is_up,
        starting=process.state == "BACKOFF",
        enabled=False,
        main_pid=process.pid,
        stale=False,
        path=ours,
        listen=(),
    )
    streams = tuple(each[len("unix:") :] if each.startswith("unix:") else each for each in listens)
    return unit, unit._replace(active=process.is_up, listen=streams)


def _check_unit(name: str, suffix: str, unit: Unit) -> None:
    if unit.masked:
        raise InvalidValue(
            "gunicorn_service_name", name, f"a unit that is not masked (systemctl unmask {name}{suffix})"
        )
    ours = os.path.join(units.UNIT_DIRECTORY, name + suffix)
    if unit.exists and unit.path != ours and not names.is_ours(files.read(unit.path)):
        source = unit.path or "generated"
        raise InvalidValue("gunicorn_service_name", name, f"a name that no other unit of the host has (it is {source})")
