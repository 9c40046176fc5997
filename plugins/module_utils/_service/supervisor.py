# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service under supervisor: what it must be, what it is, and what has to be done."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison, launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess, Supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


class SupervisorSpec(NamedTuple):
    """A service as it shall be."""

    name: str
    started: bool
    user: str
    group: str
    log_file: str
    configuration: WantedFile
    launcher: WantedFile
    description: WantedFile
    program: WantedFile
    logrotate: WantedFile
    secret_files: tuple[WantedFile, ...]
    trial: str
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
    stop_timeout: int
    health: HealthRequest
    health_timeout: float

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, the program last: it names the others."""
        return [self.configuration, *self.secret_files, self.launcher, self.description, self.program]

    @property
    def all_files(self) -> list[WantedFile]:
        """What the host shall have; the rotation of the logs comes last, after a change that worked."""
        return [*self.files, self.logrotate]


class SupervisorState(NamedTuple):
    """What a host has of it."""

    process: ProgramProcess
    running: Running | None
    differing: tuple[str, ...]  # paths of files that are not as wanted
    closed: tuple[str, ...]  # wanted addresses on which nothing listens
    addresses: tuple[str, ...]  # that the live description names
    venv_directory: str
    interrupted: bool


def observe(wanted: SupervisorSpec, supervisor: Supervisor) -> SupervisorState:
    """Read what the host has and runs."""
    process = supervisor.process(wanted.name) if supervisor.runs() else ProgramProcess()
    running = service_running.read_settled(wanted.name, process.pid) if process.is_up else None
    return SupervisorState(
        process=process,
        running=running,
        differing=tuple(file.path for file in wanted.all_files if files.differs(file)),
        closed=tuple(bind.listen_stream for bind in wanted.binds if not sockets.is_open(bind)) if running else (),
        addresses=launcher.unix_sockets(files.read(wanted.description.path)),
        venv_directory=os.path.realpath(wanted.venv),
        interrupted=os.path.lexists(launcher.journal_of(wanted.name)),
    )


def decide(wanted: SupervisorSpec, observed: SupervisorState) -> Decision:
    """Compare what a host has and runs with what it shall."""
    idle = [comparison.unlike(path) for path in observed.differing if path == wanted.logrotate.path]
    reasons = [comparison.unlike(path) for path in observed.differing if path != wanted.logrotate.path]
    if observed.interrupted:
        reasons.append("the last change was interrupted")
    if wanted.venv_backup or observed.venv_directory != wanted.venv_directory:
        reasons.append("the virtual environment was changed")
    if not wanted.started:
        if observed.process.is_up or observed.process.state == "BACKOFF":
            reasons.append("the service runs and shall be stopped")
    elif observed.running is None:
        reasons.append("the service does not run")
    else:
        if observed.closed:
            reasons.append(f"nothing listens on {', '.join(observed.closed)}")
        reasons += comparison.mismatches(wanted, observed.running)
    return Decision(reasons + idle, switch=wanted.started and bool(reasons))
