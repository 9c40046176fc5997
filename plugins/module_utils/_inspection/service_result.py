# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gunicorn_service_info returns of a service."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters, cgroups, resources, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, plain, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    command_line,
    companion_result,
    configuration,
    measurement,
    process_memory,
    versions,
    worker_exits,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import services as inspection_services
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.other_cpu import SampledCpu
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.service_details import Counted, ServiceDetails
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services import Service
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.unit_details import UnitDetails
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.unit_state import UnitState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox, sandbox_effect
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class OfAllServices(t.NamedTuple):
    """What is read once, for all services."""

    journal: dict[int, list[str]] | None  # as worker_exits.read_journal returns it
    companions: dict[str, UnitState]  # as companion_result.read_states returns it
    listening: dict[int, list[str] | None]  # as sockets.read_all_listening returns it, by the master
    cpu: SampledCpu


def read_service(
    details: ServiceDetails,
    counted: tuple[Counted, Counted],
    read: OfAllServices,
    boot_time: float,
    log_bytes: int,
    root: str,
) -> dict[str, t.Any]:
    """Return what the module returns of a service, which was counted at the beginning and at the end of a sample."""
    service, configured = details.service, details.configured
    unit = service.unit
    unseen: list[str] = []
    hidden = bool(unit and unit.main_pid and not service.master)
    if hidden:
        unseen.append("processes: this user may not see those of others")
    if not configured.complete:
        unseen.append("configuration: what Gunicorn's configuration file says is not known")
    processes = process_memory.read_processes(service, boot_time, root, unseen)
    memory = process_memory.summarize_memory(processes)
    limits = _limits(details, root)
    watched = measurement.Watched(counted, read.cpu, limits["cpus"], measurement.slots_of(details))
    measured = measurement.read_requests(details, watched, processes, log_bytes, root, unseen)
    return {
        "name": service.name,
        "unit": unit.name if unit else None,
        "state": unit.state if unit else _state_without_unit(service),
        "sub_state": unit.sub_state if unit else _state_without_unit(service),
        "description": unit.description if unit else None,
        "user": inspection_services.read_user(service, root),
        "slice": unit.slice if unit else None,
        "started": details.started,
        "restarts": unit.restarts if unit else None,
        "application": configured.application,
        "command": command_line.mask(details.arguments),
        "gunicorn_version": _gunicorn_version(details, root),
        "python_version": versions.read_python(service.master, service.arguments, root) if service.master else None,
        "worker_class": configured.worker_class,
        "threads": configured.threads,
        "workers": {"configured": configured.workers, "running": None if hidden else len(service.workers)},
        "dirty_workers": {
            "configured": configured.dirty_workers,
            "running": None if hidden else len(service.dirty_workers),
        },
        "processes": processes,
        "memory": memory,
        "cgroup": _accounting(details),
        "limits": limits,
        "sandbox": _read_sandbox(service, root, unseen),
        "sockets": _read_sockets(details, read.listening, root, unseen),
        "exits": worker_exits.read_exits(details, read.journal, root, unseen),
        "requests": measured.requests,
        "measured": measurement.measured_needs(measured, memory),
        "companions": companion_result.read_companions(service, read.companions, boot_time, root, unseen),
        "unseen": unseen,
    }


def _state_without_unit(service: Service) -> str:
    """Return the state of a master that systemd does not run, or of a service that has companions alone here."""
    return "running" if service.master else "inactive"


def _accounting(details: ServiceDetails) -> dict[str, t.Any]:
    """Return what the kernel counts for the unit's cgroup, or else systemd."""
    unit = details.service.unit
    cpu, memory = cgroup_counters.read_cpu(details.groups), cgroup_counters.read_memory(details.groups)
    return {
        "cpu_seconds": cpu.used if cpu else (unit.cpu_seconds if unit else None),
        "memory": memory.current if memory else (unit.memory if unit else None),
        "memory_peak": memory.peak if memory else (unit.memory_peak if unit else None),
        "throttled_seconds": cpu.throttled if cpu else None,
    }


def _limits(details: ServiceDetails, root: str) -> dict[str, t.Any]:
    """Return what the service may use; a stopped service has no cgroup, so its unit tells."""
    service, tasks = details.service, None
    unit = service.unit
    if service.master:
        host = resources.read_host_in(details.all_groups, service.master, root)
        tasks = cgroup_counters.read_tasks_limit(details.all_groups)
    else:
        host = resources.read_host(_slice(unit), root=root)
        if unit:
            host, tasks = _with_own_limits(host, unit), unit.tasks_max
    return {
        "cpus": host.cpus.amount,
        "cpus_limited_by": host.cpus.limited_by,
        "cpus_source": host.cpus.source,
        "memory": int(host.memory.amount),
        "memory_limited_by": host.memory.limited_by,
        "memory_source": host.memory.source,
        "tasks": tasks,
    }


def _read_sandbox(service: Service, root: str, unseen: list[str]) -> dict[str, list[str]] | None:
    """Return which directives took effect, by the main process; None where there is none that systemd started."""
    unit = service.unit
    if unit is None or not unit.main_pid:
        return None
    effect = sandbox_effect.read_effect(unit.name, unit.main_pid, unit.sandbox, root)
    if effect is None:
        return None
    if effect.unknown:
        unseen.append(f"sandbox: whether {', '.join(effect.unknown)} took effect is not known")
    left_out = sandbox.left_out_of(read(join(root, unit.path)) if unit.path else "")
    not_applied = sorted({*effect.not_applied, *left_out} - {*effect.applied})
    return {"applied": list(effect.applied), "not_applied": not_applied}


def _slice(unit: UnitDetails | None) -> str:
    try:
        return cgroups.check_slice(unit.slice if unit else "system.slice")
    except InvalidValue:
        return "system.slice"


def _with_own_limits(host: Host, unit: UnitDetails) -> Host:
    if unit.cpus_max is not None and unit.cpus_max < host.cpus.amount:
        host = host._replace(cpus=Resource(unit.cpus_max, "quota", unit.name))
    if unit.memory_max is not None and unit.memory_max < host.memory.amount:
        host = host._replace(memory=Resource(unit.memory_max, "cgroup", unit.name))
    return host


def _read_sockets(
    details: ServiceDetails, listening: dict[int, list[str] | None], root: str, unseen: list[str]
) -> list[dict[str, str]]:
    service = details.service
    held = list(service.listens)
    if service.master:
        addresses = listening[service.master]
        if addresses is not None:
            # On this one it takes commands, and no requests.
            control = os.path.basename(details.configured.control_socket or configuration.DEFAULTS["control_socket"])
            addresses = [address for address in addresses if os.path.basename(address) != control]
            owner = "systemd" if details.running and details.running.holds_sockets else "gunicorn"
            return [{"address": address, "owner": owner} for address in addresses]
        unseen.append("sockets: those that were configured; only root and the service's user may see others")
    streams = held or (list(details.configured.binds or ()) if service.master else [])
    owner = "systemd" if held else "gunicorn"
    return [{"address": address, "owner": owner} for address in sockets.configured_listening(streams, root)]


def _gunicorn_version(details: ServiceDetails, root: str) -> str | None:
    """Return the version of the running master by its own words, else the one that was installed before it started."""
    if not details.service.master or details.started is None:
        return None
    if details.running and details.running.gunicorn_version:
        return plain(details.running.gunicorn_version)
    service = details.service
    return versions.read_gunicorn((service.arguments, service.exec_start), details.started, root)
