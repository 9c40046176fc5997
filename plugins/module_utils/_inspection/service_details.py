# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a service was started: its command line and environment, its settings and its cgroups."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters, cgroups, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, plain
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    command_line,
    configuration,
    request_counters,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.access_log import Spent
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.configuration import Configured
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.request_counters import Counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services import Service
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes


class Counted(t.NamedTuple):
    """What the counters of a service say at one moment."""

    spent: Spent
    access_log_size: int
    counters: list[Counters]  # of its workers


class ServiceDetails(t.NamedTuple):
    """A service, and what is known of it before the sample."""

    service: Service
    started: float | None
    running: Running | None
    arguments: tuple[str, ...]
    configured: Configured
    all_groups: list[str]  # the cgroups that the master is in, the outermost of each hierarchy first
    groups: list[str]  # the unit's own ones among them


def read_details(service: Service, boot_time: float, root: str) -> ServiceDetails:
    """Read what a service was started with."""
    master, unit = service.master, service.unit
    running = environment = None
    started = None
    if master:
        running = service_running.read(service.name, master, root)
        environment = processes.read_environment(master, root)
        stat = processes.read_stat(master, root)
        started = boot_time + stat.started if stat else None
    arguments = (running.argv if running else ()) or service.arguments
    if not arguments or (command_line.is_title(arguments) and service.exec_start):
        arguments = service.exec_start
    directory = _directory(service, root)
    groups = cgroups.cgroups_of(master, root) if master else []
    return ServiceDetails(
        service=service,
        started=started,
        running=running,
        arguments=tuple(plain(argument) for argument in arguments),
        configured=configuration.configured(arguments, environment or {}, directory, root),
        all_groups=groups,
        groups=unit_processes.own_groups(groups, unit.name) if unit else [],
    )


def groups_of_all(services: list[Service], known: list[ServiceDetails], root: str) -> dict[int, list[str]]:
    """Return the cgroups of all services of systemd by their masters, also of those without known details."""
    found = {details.service.master: details.groups for details in known}
    for service in services:
        if service.master and service.unit and service.master not in found:
            found[service.master] = unit_processes.unit_groups(service.master, service.unit.name, root)
    return {master: groups for master, groups in found.items() if master and groups}


def _runtime_directory(service: Service, root: str) -> str:
    """Return where the role's gunicorn.conf.py keeps what workers count."""
    return join(root, f"/run/gunicorn/{service.name}")


def _directory(service: Service, root: str) -> str | None:
    """Return the working directory, in which Gunicorn looks for its configuration file."""
    if service.master:
        try:
            return os.readlink(join(root, f"/proc/{service.master}/cwd"))
        except OSError:
            pass
    return service.unit.directory if service.unit else None


def read_counted(details: ServiceDetails, root: str) -> Counted:
    """Read what the counters of a service say now."""
    cpu = cgroup_counters.read_cpu(details.groups)
    scheduled = [processes.read_scheduling(pid, root) for pid in details.service.workers]
    return Counted(
        spent=Spent(
            cpu=cpu.used if cpu else sum(worker.ran for worker in scheduled),
            queued=sum(worker.queued for worker in scheduled),
        ),
        access_log_size=_size(details.configured.accesslog, root) if details.service.master else 0,
        counters=request_counters.read_all(_runtime_directory(details.service, root)) if details.service.master else [],
    )


def _size(path: str | None, root: str) -> int:
    try:
        return os.stat(join(root, path), follow_symlinks=False).st_size if path and path.startswith("/") else 0
    except (OSError, ValueError):
        return 0
