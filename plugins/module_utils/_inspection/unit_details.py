# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd says of units: their state, limits, restarts, and what they use."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import whole
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox_effect
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units

_PROPERTIES = (
    "Id",
    "LoadState",
    "Description",
    "ActiveState",
    "SubState",
    "MainPID",
    "NRestarts",
    "User",
    "Slice",
    "WorkingDirectory",
    "CPUUsageNSec",
    "MemoryCurrent",
    "MemoryPeak",
    "MemoryMax",
    "MemoryHigh",
    "CPUQuotaPerSecUSec",
    "TasksMax",
    "Listen",
    "FragmentPath",
    *sandbox_effect.PROPERTIES,
)
# What systemd prints of a time span, such as 1s 500ms
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(us|ms|s|min|h)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


class UnitDetails(t.NamedTuple):
    """A service as systemd describes it, with the limits of its own unit. None is no limit, or not accounted."""

    name: str
    description: str
    state: str
    sub_state: str
    main_pid: int
    restarts: int | None
    user: str
    slice: str
    directory: str | None
    cpu_seconds: float | None
    memory: int | None
    memory_peak: int | None
    memory_max: int | None
    cpus_max: float | None
    tasks_max: int | None
    path: str = ""
    sandbox: t.Mapping[str, str] = {}  # the properties whose effect can be read


def read_details(names: list[str], runner: Runner) -> tuple[dict[str, UnitDetails], dict[str, tuple[str, ...]]]:
    """Return the services of these names, and the addresses of their sockets; both by the service's name."""
    if not names:
        return {}, {}
    sockets = [name[: -len("service")] + "socket" for name in names]
    blocks = systemd_units.show_units([*names, *sockets], _PROPERTIES, runner)
    units = {}
    listens = {}
    for block in blocks:
        name = block.get("Id", [""])[0]
        if block.get("LoadState") != ["loaded"]:
            continue
        if name.endswith(".socket"):
            listens[name[: -len("socket")] + "service"] = tuple(
                value.rpartition(" (")[0] for value in block.get("Listen", [])
            )
        else:
            units[name] = _parse_unit(name, {key: values[0] for key, values in block.items()})
    return units, listens


def _parse_unit(name: str, values: dict[str, str]) -> UnitDetails:
    limits = [whole(values.get(key, "")) for key in ("MemoryMax", "MemoryHigh")]
    usage = whole(values.get("CPUUsageNSec", ""))
    return UnitDetails(
        name=name,
        description=values.get("Description", ""),
        state=values.get("ActiveState", ""),
        sub_state=values.get("SubState", ""),
        main_pid=whole(values.get("MainPID", "")) or 0,
        restarts=whole(values.get("NRestarts", "")),
        user=values.get("User", "") or "root",
        slice=values.get("Slice", "") or "system.slice",
        directory=_directory(values.get("WorkingDirectory", "")),
        cpu_seconds=None if usage is None or usage >= 1 << 63 else usage / 1e9,
        memory=_accounted(values, "MemoryCurrent"),
        memory_peak=_accounted(values, "MemoryPeak"),
        memory_max=min((limit for limit in limits if limit is not None), default=None),
        cpus_max=parse_span(values.get("CPUQuotaPerSecUSec", "")),
        tasks_max=whole(values.get("TasksMax", "")),
        path=values.get("FragmentPath", ""),
        sandbox={key: values[key] for key in sandbox_effect.PROPERTIES if key in values},
    )


def _directory(text: str) -> str | None:
    """Return the directory in which the service starts; None for its user's home, which systemd prints as ~."""
    path = text.lstrip("!-") or "/"
    return path if path.startswith("/") else None


def _accounted(values: dict[str, str], name: str) -> int | None:
    found = whole(values.get(name, ""))
    return None if found is None or found >= 1 << 63 else found


def parse_span(text: str) -> float | None:
    """Return the seconds of a time span as systemd prints it, such as 1s 500ms; None for infinity."""
    parts = text.split()
    found = [_SPAN.fullmatch(part) for part in parts]
    if not parts or not all(found):
        return None
    return sum(float(part[1]) * _SECONDS[part[2]] for part in found if part)
