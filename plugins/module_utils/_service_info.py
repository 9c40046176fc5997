# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that gunicorn_service_info returns: read in the order that disturbs the readings least, and put together."""

from __future__ import annotations

import os
import pwd
import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils import (
    _access_log,
    _cgroup,
    _configured,
    _exits,
    _host_info,
    _host_readings,
    _hostfacts,
    _hoststate,
    _processes,
    _requests,
    _running,
    _services,
    _sockets,
    _versions,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._kernel_files import join, plain, read_tail, whole_lines
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import Host, Resource

SAMPLE_LEAST, SAMPLE_MOST = 0.1, 60.0
MIB = 1 << 20
# Of the ends of all access logs together, and of one error log
ACCESS_LOG_BYTES = 1 * MIB
ERROR_LOG_BYTES = 256 << 10
JOURNAL_LINES = 1000
# MiB to which the memory of workers is rounded up
MEMORY_STEP = 8
# Where Gunicorn takes commands and no requests, see control_socket in its settings
CONTROL_SOCKET = "gunicorn.ctl"
# Workers that are this much younger than their master, or less, are its first ones
START_SECONDS = 60

Run = t.Callable[[t.List[str]], str]


class _Counted(t.NamedTuple):
    """What the counters of a service say at one moment."""

    spent: _access_log.Spent
    access_log_size: int


class _Subject(t.NamedTuple):
    """A service with what is known of it before the sample."""

    service: _services.Service
    started: float | None
    running: _running.Running | None
    arguments: tuple[str, ...]
    configured: _configured.Configured
    groups: list[str]  # the unit's own cgroups


def read_all(name: str | None, sample: float, run: Run, root: str = "/") -> dict[str, t.Any]:
    """Return what the module returns; raises InvalidValue for a name that no Gunicorn service has."""
    check_sample(sample)
    boot_time = _processes.boot_time()
    services = _services.read_services(run, root)
    if name is not None:
        services = _named(name, services)
    place = _host_readings.read_place(root)
    subjects = [_subject(service, boot_time, root) for service in services]
    counted = [_count(subject, root) for subject in subjects]
    before = _host_readings.read_moment(place, time.monotonic(), root)
    time.sleep(sample)
    after = _host_readings.read_moment(place, time.monotonic(), root)
    counted_after = [_count(subject, root) for subject in subjects]
    journal = _read_journal(subjects, run)
    return {
        "services": [
            _service(subject, (early, late), journal, boot_time, ACCESS_LOG_BYTES // max(1, len(subjects)), root)
            for subject, early, late in zip(subjects, counted, counted_after)
        ],
        "host": _host_info.read_host(place, before, after, root),
    }


def check_sample(sample: float) -> None:
    """Raise InvalidValue unless the sample is one that can be taken."""
    if not SAMPLE_LEAST <= sample <= SAMPLE_MOST:
        raise InvalidValue("sample", sample, f"seconds from {SAMPLE_LEAST} to {SAMPLE_MOST:.0f}")


def _named(name: str, services: list[_services.Service]) -> list[_services.Service]:
    wanted = name[: -len(".service")] if name.endswith(".service") else name
    found = [service for service in services if service.name == wanted]
    if not found:
        known = ", ".join(service.name for service in services) or "none"
        raise InvalidValue("name", name, f"a Gunicorn service of this host, which are: {known}")
    return found


def _subject(service: _services.Service, boot_time: float, root: str) -> _Subject:
    """Read what a service was started with."""
    master, unit = service.master, service.unit
    running = environment = None
    started = None
    if master:
        running = _running.read(service.name, master, root)
        environment = _hoststate.read_environment(master, root)
        stat = _processes.read_stat(master, root)
        started = boot_time + stat.started if stat else None
    arguments = (running.argv if running else ()) or service.arguments
    if not arguments or (_configured.is_title(arguments) and service.exec_start):
        arguments = service.exec_start
    directory = _directory(service, root)
    return _Subject(
        service=service,
        started=started,
        running=running,
        arguments=tuple(plain(argument) for argument in arguments),
        configured=_configured.configured(arguments, environment or {}, directory, root),
        groups=_services.unit_groups(master, unit.name, root) if master and unit else [],
    )


def _directory(service: _services.Service, root: str) -> str | None:
    """Return the working directory, in which Gunicorn looks for its configuration file."""
    if service.master:
        try:
            return os.readlink(join(root, f"/proc/{service.master}/cwd"))
        except OSError:
            pass
    return service.unit.directory if service.unit else None


def _count(subject: _Subject, root: str) -> _Counted:
    cpu = _cgroup.read_cpu(subject.groups)
    scheduled = [_processes.read_scheduling(pid, root) for pid in subject.service.workers]
    return _Counted(
        spent=_access_log.Spent(
            cpu=cpu.used if cpu else sum(worker.ran for worker in scheduled),
            queued=sum(worker.queued for worker in scheduled),
        ),
        access_log_size=_size(subject.configured.accesslog, root) if subject.service.master else 0,
    )


def _size(path: str | None, root: str) -> int:
    try:
        return os.stat(join(root, path), follow_symlinks=False).st_size if path and path.startswith("/") else 0
    except (OSError, ValueError):
        return 0


def _read_journal(subjects: list[_Subject], run: Run) -> dict[int, list[str]] | None:
    """Return what the masters wrote to the journal whose error log goes there; None if it can't be read."""
    masters = {subject.service.master: subject for subject in subjects if _logs_to_journal(subject)}
    if not masters:
        return {}
    since = min(subject.started or 0.0 for subject in masters.values())
    printed = run(_exits.journal_command(sorted(pid for pid in masters if pid), JOURNAL_LINES, since))
    return _exits.parse_journal(printed) or None


def _logs_to_journal(subject: _Subject) -> bool:
    return bool(subject.service.master and subject.service.unit and subject.configured.errorlog == "-")


def _service(
    subject: _Subject,
    counted: tuple[_Counted, _Counted],
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
    processes = _read_processes(service, boot_time, root, unseen)
    memory = _memory(processes)
    requests = _read_requests(subject, counted, processes, log_bytes, root, unseen)
    return {
        "name": service.name,
        "unit": unit.name if unit else None,
        "state": unit.state if unit else "running",
        "sub_state": unit.sub_state if unit else "running",
        "description": unit.description if unit else None,
        "user": unit.user if unit else _user(service.master, root),
        "slice": unit.slice if unit else None,
        "started": subject.started,
        "restarts": unit.restarts if unit else None,
        "application": configured.application,
        "command": _configured.mask(subject.arguments),
        "gunicorn_version": _gunicorn_version(subject, root),
        "python_version": _versions.read_python(service.master, service.arguments, root) if service.master else None,
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
        "measured": _measured(requests, memory),
        "unseen": unseen,
    }


def _user(pid: int | None, root: str) -> str | None:
    sizes = _processes.read_sizes(pid, root) if pid else None
    if sizes is None or sizes.uid is None:
        return None
    try:
        return pwd.getpwuid(sizes.uid).pw_name
    except (KeyError, OverflowError):
        return str(sizes.uid)


def _read_processes(
    service: _services.Service, boot_time: float, root: str, unseen: list[str]
) -> list[dict[str, t.Any]]:
    """Return the processes that are still there, the master first."""
    processes = []
    hidden = False
    for pid in ((service.master,) if service.master else ()) + service.workers:
        stat, sizes = _processes.read_stat(pid, root), _processes.read_sizes(pid, root)
        if stat is None or sizes is None:
            continue
        pages = _processes.read_pages(pid, root)
        hidden = hidden or pages is None
        processes.append(
            {
                "pid": pid,
                "role": "master" if pid == service.master else "worker",
                "started": boot_time + stat.started,
                "cpu_seconds": stat.cpu_seconds,
                **(pages._asdict() if pages else dict.fromkeys(_processes.Pages._fields)),
                "rss": sizes.rss,
                "peak_rss": sizes.peak_rss,
                "swap": sizes.swap,
                "threads": sizes.threads,
            }
        )
    if hidden:
        who = service.unit.user if service.unit else _user(service.master, root)
        others = "" if who in (None, "root") else f" and the user {who}"
        unseen.append(f"memory of the processes (pss, private, shared): only root{others} may read it")
    return processes


def _memory(processes: list[dict[str, t.Any]]) -> dict[str, int | None]:
    """Sum up the memory of the processes, and say what one more worker costs."""

    def total(name: str) -> int | None:
        values = [process[name] for process in processes]
        return sum(values) if values and None not in values else None

    private, pss = total("private"), total("pss")
    costs = [cost_of(process) for process in processes if process["role"] == "worker"]
    return {
        "private": private,
        # Proportional shares of what is shared, added up: each shared page counts once.
        "shared": None if pss is None or private is None else pss - private,
        "pss": pss,
        "rss": total("rss"),
        "swap": total("swap"),
        "per_worker": max((cost for cost in costs if cost is not None), default=None),
    }


def cost_of(worker: dict[str, t.Any]) -> int | None:
    """Return the memory that a worker costs at its peak, in bytes; None where it may not be seen.

    Anonymous pages count in full even where they are shared: after preload_app, each write copies them.
    """
    parts = [worker["anonymous"], worker["pss_file"], worker["pss_shmem"]]
    if None in parts:
        return None
    return sum(parts) + max(0, (worker["peak_rss"] or 0) - worker["rss"])


def _accounting(subject: _Subject) -> dict[str, t.Any]:
    """Return what the kernel, or else systemd, accounts to the unit."""
    unit = subject.service.unit
    cpu, memory = _cgroup.read_cpu(subject.groups), _cgroup.read_memory(subject.groups)
    return {
        "cpu_seconds": cpu.used if cpu else (unit.cpu_seconds if unit else None),
        "memory": memory.current if memory else (unit.memory if unit else None),
        "memory_peak": memory.peak if memory else (unit.memory_peak if unit else None),
        "throttled_seconds": cpu.throttled if cpu else None,
    }


def _limits(subject: _Subject, root: str) -> dict[str, t.Any]:
    """Return what the service may use: of a stopped one by its unit, since it has no cgroup."""
    service, tasks = subject.service, None
    unit = service.unit
    if service.master:
        host = _hostfacts.read_host_of(service.master, root)
        tasks = _cgroup.read_tasks_limit(_hostfacts.cgroups_of(service.master, root))
    else:
        host = _hostfacts.read_host(_slice(unit), root=root)
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


def _slice(unit: _services.Unit | None) -> str:
    try:
        return _hostfacts.check_slice(unit.slice if unit else "system.slice")
    except InvalidValue:
        return "system.slice"


def _with_own_limits(host: Host, unit: _services.Unit) -> Host:
    if unit.cpus_max is not None and unit.cpus_max < host.cpus.amount:
        host = host._replace(cpus=Resource(unit.cpus_max, "quota", unit.name))
    if unit.memory_max is not None and unit.memory_max < host.memory.amount:
        host = host._replace(memory=Resource(unit.memory_max, "cgroup", unit.name))
    return host


def _read_sockets(subject: _Subject, root: str, unseen: list[str]) -> list[dict[str, str]]:
    service = subject.service
    held = list(service.listens)
    if service.master:
        addresses = _sockets.read_listening(service.master, root)
        if addresses is not None:
            control = os.path.basename(subject.configured.control_socket or CONTROL_SOCKET)
            addresses = [address for address in addresses if os.path.basename(address) != control]
            owner = "systemd" if subject.running and subject.running.holds_sockets else "gunicorn"
            return [{"address": address, "owner": owner} for address in addresses]
        unseen.append("sockets: those that were configured; only root and the service's user may see others")
    streams = held or (list(subject.configured.binds or ()) if service.master else [])
    owner = "systemd" if held else "gunicorn"
    return [{"address": address, "owner": owner} for address in _sockets.configured_listening(streams, root)]


def _read_exits(
    subject: _Subject, journal: dict[int, list[str]] | None, root: str, unseen: list[str]
) -> dict[str, t.Any]:
    exits, source = _exits.Exits(), None
    path = subject.configured.errorlog
    if _logs_to_journal(subject):
        if journal is None:
            unseen.append("worker exits: the journal may not be read, or has nothing of this service")
        else:
            exits, source = _exits.count_exits(journal.get(subject.service.master or 0, [])), "journal"
            exits = exits._replace(since=subject.started)
    elif path and path.startswith("/"):
        try:
            lines = whole_lines(*read_tail(join(root, path), ERROR_LOG_BYTES))
            exits, source = _exits.count_exits(lines, subject.service.master), path
            exits = exits._replace(since=max(exits.since or 0.0, subject.started or 0.0) or None)
        except (OSError, ValueError) as error:
            unseen.append(f"worker exits: {path} can't be read ({_strerror(error)})")
    elif subject.service.master:
        unseen.append("worker exits: it is not known where the error log is")
    return {
        **{name: getattr(exits, name) if source else None for name in ("timeout", "killed", "failed")},
        "out_of_memory": _cgroup.read_oom_kills(subject.groups),
        "since": exits.since,
        "source": source,
    }


def _strerror(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _read_requests(
    subject: _Subject,
    counted: tuple[_Counted, _Counted],
    processes: list[dict[str, t.Any]],
    log_bytes: int,
    root: str,
    unseen: list[str],
) -> dict[str, t.Any] | None:
    """Return the requests by the service's own counters, else by its access log."""
    if not subject.service.master:
        return None
    counters = _requests.read(join(root, f"/run/gunicorn/{subject.service.name}"), time.time())
    if counters is not None:
        if counters.wait_ratio is None:
            unseen.append(f"wait ratio: it takes {_requests.ENOUGH} requests that are alone in their process")
        return _told(counters, "counters")
    path, log_format = subject.configured.accesslog, subject.configured.access_log_format
    if not path or not path.startswith("/") or not log_format or subject.started is None:
        unseen.append("requests: no access log in a file, with a format that is known")
        return None
    early, late = counted
    sample = _access_log.Sample(
        early.access_log_size,
        late.access_log_size,
        _access_log.Spent(*(_difference(before, after) for before, after in zip(early.spent, late.spent))),
    )
    life = (subject.started, time.time())
    try:
        requests = _access_log.read_requests(
            join(root, path), log_format, log_bytes, life, sample, _spent_in_life(late.spent, processes)
        )
    except _access_log.AccessLogError as error:
        unseen.append(f"requests: {path} does not tell ({error})")
        return None
    if requests is None:
        return None
    if requests.latency is None:
        unseen.append("latency: the access log's format has none of %(D)s, %(L)s, %(M)s and %(T)s")
    elif requests.wait_ratio is None:
        unseen.append(
            f"wait ratio: it takes {_access_log.ENOUGH_IN_SAMPLE} requests within the sample, or "
            f"{_access_log.ENOUGH_IN_LIFE} in a log since the start whose workers all are still there"
        )
    return _told(requests, "access_log")


def _told(requests: _requests.Requests, source: str) -> dict[str, t.Any]:
    return {**requests._asdict(), "latency": requests.latency and requests.latency._asdict(), "source": source}


def _difference(before: float | None, after: float | None) -> float | None:
    """Return what was spent in the sample; not known where a worker ended, and what it had spent is gone with it."""
    return after - before if before is not None and after is not None and after >= before else None


def _spent_in_life(spent: _access_log.Spent, processes: list[dict[str, t.Any]]) -> _access_log.Spent:
    """Return what was spent since the start; how long workers queued for a CPU is lost with those that have ended."""
    started = [process["started"] for process in processes]
    from_the_start = bool(started) and max(started) - min(started) < START_SECONDS
    return spent if from_the_start else spent._replace(queued=None)


def _measured(requests: dict[str, t.Any] | None, memory: dict[str, int | None]) -> dict[str, t.Any] | None:
    """Return what gunicorn_sizing_info takes, rounded so that measuring again gives the same for the same service."""
    per_worker = memory["per_worker"]
    # A worker that has served little has not yet taken what it will.
    if requests is None or requests["count"] < _requests.ENOUGH or per_worker is None:
        return None
    ratio = requests["wait_ratio"]
    return {
        "wait_ratio": None if ratio is None else float(f"{ratio:.2g}"),
        "memory_per_worker": f"{-(-2 * per_worker // (MEMORY_STEP * MIB)) * MEMORY_STEP}M",
        "requests": requests["count"],
    }


def _gunicorn_version(subject: _Subject, root: str) -> str | None:
    """Return the version of the running master: in its own words, else that which was installed before it started."""
    if not subject.service.master or subject.started is None:
        return None
    if subject.running and subject.running.gunicorn_version:
        return plain(subject.running.gunicorn_version)
    service = subject.service
    return _versions.read_gunicorn((service.arguments, service.exec_start), subject.started, root)
