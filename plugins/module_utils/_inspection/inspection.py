# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that gunicorn_service_info returns: read in the order that disturbs the readings least, and put together."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters, cgroups, resources, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes as host_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import (
    join,
    plain,
    read_tail,
    whole_lines,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    configuration,
    host_usage,
    versions,
    worker_exits,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import host as inspection_host
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import memory as inspection_memory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import requests as inspection_requests
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import services as inspection_services
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import subject as inspection_subject
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.requests import ACCESS_LOG_BYTES
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services import Service
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.subject import Counted, Subject
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.units import UnitDetails
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.worker_exits import Exits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

SAMPLE_LEAST, SAMPLE_MOST = 0.1, 60.0
ERROR_LOG_BYTES = 256 << 10
JOURNAL_LINES = 1000
# Where Gunicorn takes commands and no requests, see control_socket in its settings
CONTROL_SOCKET = "gunicorn.ctl"


def read_all(name: str | None, sample: float, runner: Runner, root: str = "/") -> dict[str, t.Any]:
    """Return what the module returns; raises InvalidValue for a name that no Gunicorn service has."""
    check_sample(sample)
    boot_time = host_processes.boot_time()
    services = inspection_services.read_services(runner, root)
    if name is not None:
        services = _named(name, services)
    place = host_usage.read_place(root)
    subjects = [inspection_subject.read_subject(service, boot_time, root) for service in services]
    counted = [inspection_subject.read_counted(subject, root) for subject in subjects]
    before = host_usage.read_moment(place, time.monotonic(), root)
    time.sleep(sample)
    after = host_usage.read_moment(place, time.monotonic(), root)
    counted_after = [inspection_subject.read_counted(subject, root) for subject in subjects]
    journal = _read_journal(subjects, runner)
    return {
        "services": [
            _service(subject, (early, late), journal, boot_time, ACCESS_LOG_BYTES // max(1, len(subjects)), root)
            for subject, early, late in zip(subjects, counted, counted_after)
        ],
        "host": inspection_host.read_host(place, before, after, root),
    }


def check_sample(sample: float) -> None:
    """Raise InvalidValue unless the sample is one that can be taken."""
    if not SAMPLE_LEAST <= sample <= SAMPLE_MOST:
        raise InvalidValue("sample", sample, f"seconds from {SAMPLE_LEAST} to {SAMPLE_MOST:.0f}")


def _named(name: str, services: list[Service]) -> list[Service]:
    wanted = name[: -len(".service")] if name.endswith(".service") else name
    found = [service for service in services if service.name == wanted]
    if not found:
        known = ", ".join(service.name for service in services) or "none"
        raise InvalidValue("name", name, f"a Gunicorn service of this host, which are: {known}")
    return found


def _read_journal(subjects: list[Subject], runner: Runner) -> dict[int, list[str]] | None:
    """Return what the masters wrote to the journal whose error log goes there; None if it can't be read."""
    masters = {subject.service.master: subject for subject in subjects if _logs_to_journal(subject)}
    if not masters:
        return {}
    since = min(subject.started or 0.0 for subject in masters.values())
    printed = runner.output(worker_exits.journal_command(sorted(pid for pid in masters if pid), JOURNAL_LINES, since))
    return worker_exits.parse_journal(printed) or None


def _logs_to_journal(subject: Subject) -> bool:
    return bool(subject.service.master and subject.service.unit and subject.configured.errorlog == "-")


def _service(
    subject: Subject,
    counted: tuple[Counted, Counted],
    journal: dict[int, list[str]] | None,
    boot_time: float,
    log_bytes: int,
    root: str,
) -> dict[str, t.Any]:
    service, configured = subject.service, subject.configured
    unit = service.unit
    unseen: list[str] = []
    hidden = bool(unit and unit.main_pid and not service.master)
    if hidden:
        unseen.append("processes: this user may not see those of others")
    if not configured.complete:
        unseen.append("configuration: what stands in Gunicorn's configuration file is not known")
    processes = inspection_memory.read_processes(service, boot_time, root, unseen)
    memory = inspection_memory.summarize_memory(processes)
    requests = inspection_requests.read_requests(subject, counted, processes, log_bytes, root, unseen)
    return {
        "name": service.name,
        "unit": unit.name if unit else None,
        "state": unit.state if unit else "running",
        "sub_state": unit.sub_state if unit else "running",
        "description": unit.description if unit else None,
        "user": unit.user if unit else inspection_memory.user_of(service.master, root),
        "slice": unit.slice if unit else None,
        "started": subject.started,
        "restarts": unit.restarts if unit else None,
        "application": configured.application,
        "command": configuration.mask(subject.arguments),
        "gunicorn_version": _gunicorn_version(subject, root),
        "python_version": versions.read_python(service.master, service.arguments, root) if service.master else None,
        "worker_class": configured.worker_class,
        "threads": configured.threads,
        "workers": {"configured": configured.workers, "running": None if hidden else len(service.workers)},
        "processes": processes,
        "memory": memory,
        "cgroup": _accounting(subject),
        "limits": _limits(subject, root),
        "sockets": _read_sockets(subject, root, unseen),
        "exits": _read_exits(subject, journal, root, unseen),
        "requests": requests,
        "measured": inspection_requests.measured_needs(requests, memory),
        "unseen": unseen,
    }


def _accounting(subject: Subject) -> dict[str, t.Any]:
    """Return what the kernel, or else systemd, accounts to the unit."""
    unit = subject.service.unit
    cpu, memory = cgroup_counters.read_cpu(subject.groups), cgroup_counters.read_memory(subject.groups)
    return {
        "cpu_seconds": cpu.used if cpu else (unit.cpu_seconds if unit else None),
        "memory": memory.current if memory else (unit.memory if unit else None),
        "memory_peak": memory.peak if memory else (unit.memory_peak if unit else None),
        "throttled_seconds": cpu.throttled if cpu else None,
    }


def _limits(subject: Subject, root: str) -> dict[str, t.Any]:
    """Return what the service may use: of a stopped one by its unit, since it has no cgroup."""
    service, tasks = subject.service, None
    unit = service.unit
    if service.master:
        host = resources.read_host_of(service.master, root)
        tasks = cgroup_counters.read_tasks_limit(cgroups.cgroups_of(service.master, root))
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


def _read_sockets(subject: Subject, root: str, unseen: list[str]) -> list[dict[str, str]]:
    service = subject.service
    held = list(service.listens)
    if service.master:
        addresses = sockets.read_listening(service.master, root)
        if addresses is not None:
            control = os.path.basename(subject.configured.control_socket or CONTROL_SOCKET)
            addresses = [address for address in addresses if os.path.basename(address) != control]
            owner = "systemd" if subject.running and subject.running.holds_sockets else "gunicorn"
            return [{"address": address, "owner": owner} for address in addresses]
        unseen.append("sockets: those that were configured; only root and the service's user may see others")
    streams = held or (list(subject.configured.binds or ()) if service.master else [])
    owner = "systemd" if held else "gunicorn"
    return [{"address": address, "owner": owner} for address in sockets.configured_listening(streams, root)]


def _read_exits(
    subject: Subject, journal: dict[int, list[str]] | None, root: str, unseen: list[str]
) -> dict[str, t.Any]:
    exits, source = Exits(), None
    path = subject.configured.errorlog
    if _logs_to_journal(subject):
        if journal is None:
            unseen.append("worker exits: the journal may not be read, or has nothing of this service")
        else:
            exits, source = worker_exits.count_exits(journal.get(subject.service.master or 0, [])), "journal"
            exits = exits._replace(since=subject.started)
    elif path and path.startswith("/"):
        try:
            lines = whole_lines(*read_tail(join(root, path), ERROR_LOG_BYTES))
            exits, source = worker_exits.count_exits(lines, subject.service.master), path
            exits = exits._replace(since=max(exits.since or 0.0, subject.started or 0.0) or None)
        except (OSError, ValueError) as error:
            unseen.append(f"worker exits: {path} can't be read ({_strerror(error)})")
    elif subject.service.master:
        unseen.append("worker exits: it is not known where the error log is")
    return {
        **{name: getattr(exits, name) if source else None for name in ("timeout", "killed", "failed")},
        "out_of_memory": cgroup_counters.read_oom_kills(subject.groups),
        "since": exits.since,
        "source": source,
    }


def _strerror(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _gunicorn_version(subject: Subject, root: str) -> str | None:
    """Return the version of the running master: in its own words, else that which was installed before it started."""
    if not subject.service.master or subject.started is None:
        return None
    if subject.running and subject.running.gunicorn_version:
        return plain(subject.running.gunicorn_version)
    service = subject.service
    return versions.read_gunicorn((service.arguments, service.exec_start), subject.started, root)
