# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to happen to a service so that what runs is what is wanted.

The decision goes by what is there and what runs, not by what this run of Ansible happened to write: a play that was
killed has lost its handlers, and the next one finds its files already in place.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


class SystemdSpec(NamedTuple):
    """A service as it shall be."""

    name: str
    started: bool
    enabled: bool
    user: str
    group: str
    log_file: str
    config_directory: str
    configuration: WantedFile
    unit: WantedFile
    socket: WantedFile
    logrotate: WantedFile
    secret_files: tuple[WantedFile, ...]
    standin_unit: str
    binds: tuple[Address, ...]
    argv: tuple[str, ...]
    workers: int
    venv: str
    venv_directory: str
    venv_backup: str
    gunicorn_version: str
    # Hashes of what the process is started with, and of its secrets alone.
    configuration_hash: str
    secrets_hash: str
    health: HealthRequest
    health_timeout: float

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, the units last: they name the others."""
        return [self.configuration, *self.secret_files, self.socket, self.unit]

    @property
    def all_files(self) -> list[WantedFile]:
        """What the host shall have; the rotation of the logs comes last, after a change that worked."""
        return [*self.files, self.logrotate]

    @property
    def idle_paths(self) -> tuple[str, str]:
        """The files that a running process does not read, and need not be started anew for."""
        return self.logrotate.path, self.socket.path


class SystemdState(NamedTuple):
    """What a host has of it."""

    service: Unit
    socket: Unit
    standin: Unit
    running: Running | None
    differing: tuple[str, ...]  # paths of files that are not as wanted
    addresses: frozenset[str]  # of the live socket unit
    closed: tuple[str, ...]  # wanted addresses on which nothing listens
    venv_directory: str
    interrupted: bool


def decide(wanted: SystemdSpec, observed: SystemdState) -> Decision:
    """Compare what a host has and runs with what it shall."""
    idle = _idle_reasons(wanted, observed)
    if wanted.started:
        reasons = _reasons_to_switch(wanted, observed)
        return Decision(reasons + idle, switch=bool(reasons))
    if observed.service.active or observed.service.starting or observed.socket.active:
        idle.append("the service runs and shall be stopped")
    return Decision(idle, switch=False)


def _idle_reasons(wanted: SystemdSpec, observed: SystemdState) -> list[str]:
    """What can be put right without starting anything."""
    service, socket = observed.service, observed.socket
    reasons = [
        comparison.unlike(path) for path in observed.differing if not wanted.started or path in wanted.idle_paths
    ]
    if service.enabled != wanted.enabled or socket.enabled != wanted.enabled:
        reasons.append(f"the service shall {'' if wanted.enabled else 'not '}start at boot")
    if service.stale or socket.stale:
        reasons.append("systemd has not read the units since they changed")
    if observed.standin.active or observed.standin.starting:
        reasons.append("the stand-in of an interrupted deployment still runs")
    if not wanted.started and (observed.interrupted or _has_new_venv(wanted, observed)):
        reasons.append("a deployment was not finished")
    return reasons


def _reasons_to_switch(wanted: SystemdSpec, observed: SystemdState) -> list[str]:
    reasons = []
    if not observed.socket.active:
        reasons.append("the listening sockets are not open")
    if observed.closed:
        reasons.append(f"nothing listens on {', '.join(observed.closed)}")
    elif observed.addresses != {bind.listen_stream for bind in wanted.binds}:
        reasons.append("the listening addresses are not the ones that are configured")
    if observed.interrupted:
        reasons.append("the last change was interrupted")
    if _has_new_venv(wanted, observed):
        reasons.append("the virtual environment was changed")
    reasons += [comparison.unlike(path) for path in observed.differing if path not in wanted.idle_paths]
    if not observed.service.active or observed.running is None:
        reasons.append("the service does not run")
    else:
        reasons += comparison.mismatches(wanted, observed.running)
    return reasons


def _has_new_venv(wanted: SystemdSpec, observed: SystemdState) -> bool:
    return bool(wanted.venv_backup) or observed.venv_directory != wanted.venv_directory
