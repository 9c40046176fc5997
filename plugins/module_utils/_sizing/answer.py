# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of gunicorn_sizing_info to what it returns: the host is read, and the rule is applied."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.cgroups import check_slice
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import (
    Host,
    read_host,
    read_memory,
    read_tasks,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand, read_demand, read_resources
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import Sizing, size_workers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import Whole, service_limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import parse_size

# What the options are where nobody gives them.
DEFAULTS = {
    **Demand()._asdict(),
    "memory_per_worker": "128M",
    "memory_reserve": None,
    "slice": "system.slice",
    "service_directives": {},
    "cpus": None,
    "memory": None,
}


def size(options: dict) -> tuple[dict, list[str]]:
    """The module's result and its warnings; raises InvalidValue, or HostFactsError where the host can't be read."""
    demand = read_demand(options)
    cpus, memory = read_resources(options)
    host = read_host(check_slice(options["slice"]), cpus=cpus, memory=memory)
    sizing = size_workers(host, demand, _find_limits(options))
    return _describe(sizing, host), list(sizing.warnings)


def _find_limits(options: dict) -> Limits:
    """The limits of the service; what percentages are of is read where there is a limit."""
    directives = options["service_directives"]
    if not directives:
        return Limits()
    # systemd takes a percentage of what it was given itself, whatever the slice is.
    memory = read_memory("-.slice").amount if options["memory"] is None else parse_size("memory", options["memory"])
    return service_limits("service_directives", directives, Whole(memory=int(memory), tasks=read_tasks()))


def _describe(sizing: Sizing, host: Host) -> dict:
    """The result without the warnings, which go by module.warn: Ansible returns and shows those."""
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
