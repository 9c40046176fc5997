# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that gunicorn_service_info returns, read in the order that disturbs the readings least."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    companion_result,
    host_result,
    host_usage,
    measurement,
    other_cpu,
    service_details,
    service_result,
    worker_exits,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import services as inspection_services
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.services import Service
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

SAMPLE_LEAST, SAMPLE_MOST = 0.1, 60.0


def read_all(name: str | None, sample: float, runner: Runner, root: str = "/") -> dict[str, t.Any]:
    """Return what the module returns; raises InvalidValue for a name that no Gunicorn service has."""
    check_sample(sample)
    boot_time = processes.boot_time()
    all_services = inspection_services.read_services(runner, root)
    services = all_services if name is None else _named(name, all_services)
    place = host_usage.read_place(root)
    inspected = [service_details.read_details(service, boot_time, root) for service in services]
    groups = service_details.groups_of_all(all_services, inspected, root)
    counted = [service_details.read_counted(details, root) for details in inspected]
    computed = other_cpu.read_services(all_services, groups, root)
    before = host_usage.read_moment(place, time.monotonic(), root)
    time.sleep(sample)
    after = host_usage.read_moment(place, time.monotonic(), root)
    computed_after = other_cpu.read_services(all_services, groups, root)
    counted_after = [service_details.read_counted(details, root) for details in inspected]
    masters = [service.master for service in services if service.master]
    read = service_result.OfAllServices(
        journal=worker_exits.read_journal(inspected, runner),
        companions=companion_result.read_states(services, runner, root),
        listening=sockets.read_all_listening(masters, root),
        cpu=other_cpu.sampled(place, (before, after), all_services, (computed, computed_after)),
    )
    log_bytes = measurement.ACCESS_LOG_BYTES // max(1, len(inspected))
    return {
        "services": [
            service_result.read_service(details, (early, late), read, boot_time, log_bytes, root)
            for details, early, late in zip(inspected, counted, counted_after)
        ],
        "host": host_result.read_host(place, before, after, root),
    }


def check_sample(sample: float) -> None:
    """Raise InvalidValue unless the host can be sampled for so many seconds."""
    if not SAMPLE_LEAST <= sample <= SAMPLE_MOST:
        raise InvalidValue("sample", sample, f"seconds from {SAMPLE_LEAST} to {SAMPLE_MOST:.0f}")


def _named(name: str, services: list[Service]) -> list[Service]:
    wanted = name[: -len(".service")] if name.endswith(".service") else name
    found = [service for service in services if service.name == wanted]
    if not found:
        known = ", ".join(service.name for service in services) or "none"
        raise InvalidValue("name", name, f"a Gunicorn service of this host, which are: {known}")
    return found
