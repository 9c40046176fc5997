# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gunicorn_sizing_info returns for its options: it reads the host, and sizes the workers to it."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.cgroups import check_slice
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import (
    Host,
    Resource,
    read_host,
    read_memory,
    read_tasks,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import rule
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand, read_demand, read_resources
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import Sizing, size_workers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import (
    NO_LIMITS,
    Limits,
    Whole,
    service_limits,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import parse_size

# The values of options that are not given
DEFAULTS = {
    **Demand()._asdict(),
    "memory_per_worker": "128M",
    "memory_reserve": None,
    "memory_companions": None,
    "memory_neighbours": None,
    "memory_kept": None,
    "slice": "system.slice",
    "service_directives": {},
    "cpus": None,
    "memory": None,
}


def size(options: dict) -> tuple[dict, list[str]]:
    """Return the module's result and its warnings; raises InvalidValue, or HostFactsError if the host can't be read."""
    demand = read_demand(options)
    cpus, memory = read_resources(options)
    host = read_host(check_slice(options["slice"]), cpus=cpus, memory=memory)
    sizing = size_workers(host, demand, find_limits(options))
    return _describe(sizing, host), list(sizing.warnings)


def memory_for_projects(options: dict) -> tuple[int, Resource]:
    """Return the bytes that the host has for all projects, and the memory that these are of; raises as `size` does."""
    demand = read_demand(options)
    _cpus, given = read_resources(options)
    memory = read_memory(check_slice(options["slice"])) if given is None else Resource(given, "option")
    return max(0, int(memory.amount) - rule.reserve_of(int(memory.amount), demand)), memory


def find_limits(options: dict) -> Limits:
    """Return the limits of the service; what percentages are percentages of is read only if there are directives."""
    directives = options["service_directives"]
    if not directives:
        return NO_LIMITS
    return service_limits("service_directives", directives, Whole(memory=whole_memory(options), tasks=read_tasks()))


def whole_memory(options: dict) -> int:
    """Return the bytes that a percentage is taken of: the memory that systemd may use itself, whatever the slice is."""
    return int(read_memory("-.slice").amount) if options["memory"] is None else parse_size("memory", options["memory"])


def _describe(sizing: Sizing, host: Host) -> dict:
    """Return the module's result without the warnings: given to module.warn, Ansible returns and shows them."""
    result = sizing._asdict()
    del result["warnings"]
    result["bounds"] = sizing.bounds._asdict()
    result["connections"] = sizing.connections._asdict() if sizing.connections else None
    result["host"] = {}
    for name, resource in host._asdict().items():
        result["host"].update(
            {
                name: resource.amount,
                f"{name}_limited_by": resource.limited_by,
                f"{name}_source": resource.source,
            }
        )
    return result
