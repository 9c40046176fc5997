# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The units of a companion under systemd.

For the companion ``worker`` of the service ``mysite``::

    mysite-worker.service         stands for all its processes: to start, stop or restart it does that with each of them
    mysite-worker@3-1.service     the first process of the third generation: each change makes a new one
    mysite-worker.service         of one that is single: the process itself
    mysite-hourly.timer           of a job, which is mysite-hourly.service
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_texts, unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting, units

_CALENDAR = re.compile(r"^OnCalendar=(.*)$", re.MULTILINE)
# Of a web service, and not of what runs beside it
_LIMITS = ("MemoryMax", "MemoryHigh", "MemorySwapMax", "CPUQuota", "TasksMax")
# Takes the place of the host's name until the rest is quoted: a character for private use, which no file has.
_HOSTNAME = "\uf8ff"
_RESTART_PAUSE = "2s"


class Common(NamedTuple):
    """What all companions of a service have in common."""

    service: str
    unit: str  # the text of the service's unit
    directory: str  # of the code
    venv: str  # the directory of the virtual environment, without links
    fingerprint: str  # of what is in it


def top_units(service: str, wanted: Companion) -> list[str]:
    """The units that are enabled, and that a person starts and stops."""
    return [f"{service}-{wanted.name}.{'timer' if wanted.is_job else 'service'}"]


def processes(service: str, wanted: Companion, generation: int) -> list[str]:
    """The units of the processes that must go on all the time."""
    if wanted.is_job:
        return []
    if wanted.single:
        return top_units(service, wanted)
    numbers = range(1, wanted.instances + 1)
    return [f"{service}-{wanted.name}@{generation}-{number}.service" for number in numbers]


def instance_of(unit: str) -> str:
    """What {instance} is in the command of a unit."""
    return unit.rpartition(".")[0].partition("@")[2] or "1"


def texts(common: Common, wanted: Companion, generation: int) -> dict[str, str]:
    """The texts of all units of a companion, by their names."""
    service, name = common.service, wanted.name
    main = f"{service}-{name}.service"
    if wanted.is_job:
        timer = {"OnCalendar": wanted.calendar, "Persistent": wanted.persistent, "AccuracySec": "1s"}
        return {
            main: _text(common, wanted, {"Description": _description(common, wanted)}, _job(common, wanted)),
            f"{service}-{name}.timer": "\n".join(
                [
                    *_head(common, wanted, {"Description": f"{_description(common, wanted)}, by the calendar"}),
                    "",
                    "[Timer]",
                    *quoting.directives(timer),
                    "",
                    "[Install]",
                    "WantedBy=timers.target",
                    "",
                ]
            ),
        }
    names = processes(service, wanted, generation)
    if wanted.single:
        unit = {"Description": _description(common, wanted), **_AFTER_NETWORK}
        return {main: _text(common, wanted, unit, _process(common, wanted, main), installed=True)}
    stands = {
        "Description": _description(common, wanted),
        "Wants": " ".join(names),
        "After": "network.target",
    }
    # It may have been the process itself, as what is single is: that is ended as this says.
    own = {
        "Type": "oneshot",
        "RemainAfterExit": True,
        "ExecStart": "/bin/true",
        **_end(wanted),
    }
    found = {}
    for unit_name in names:
        unit = {"Description": f"{_description(common, wanted)} {instance_of(unit_name)}", "PartOf": main}
        found[unit_name] = _text(common, wanted, {**unit, **_AFTER_NETWORK}, _process(common, wanted, unit_name))
    head = [*_head(common, wanted, stands), "", "[Service]", *quoting.directives(own)]
    found[main] = "\n".join([*head, *_INSTALL, ""])
    return found


def path_of(unit: str) -> str:
    """The path of a unit's file."""
    return os.path.join(units.UNIT_DIRECTORY, unit)


def stamp_of(timer: str) -> str:
    """Where systemd keeps when a persistent timer was last due: a new one of its name would count times as missed."""
    return os.path.join("/var/lib/systemd/timers", f"stamp-{timer}")


def log_of(text: str) -> str:
    """The file to which the process of a unit writes; empty if that is the journal, or there is no process."""
    begin = " ".join(map(quoting.command_argument, companion.TO_LOG))
    found = re.search(rf"^ExecStart={re.escape(begin)} \S+ (\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def calendar_of(text: str) -> str:
    """When a timer starts its job, by its text; empty for another unit."""
    found = _CALENDAR.search(text)
    return found[1] if found else ""


# Over its start limit, one would stay down when what it needs is there again.
_AFTER_NETWORK = {"After": "network.target", "StartLimitIntervalSec": 0}
_INSTALL = ("", "[Install]", "WantedBy=multi-user.target")


def _head(common: Common, wanted: Companion, unit: dict) -> list[str]:
    marks = [companion_texts.MARKER, f"# A companion of {common.service}: {wanted.name}"]
    return [*marks, "[Unit]", *quoting.directives(unit)]


def _text(common: Common, wanted: Companion, unit: dict, own: dict, installed: bool = False) -> str:
    """The text of a unit that runs the companion's command."""
    lines = unit_base.service_lines(common.unit, _LIMITS)
    if not unit_base.has_path(lines) and "PATH" not in wanted.environment:
        path = quoting.environment_assignment("PATH", unit_base.search_path(common.venv))
        own = {**own, "Environment": [*own["Environment"], path]}
    # Lines that come later replace those of the service, or add to them.
    directives = quoting.with_drop_in({**own, **_limits(wanted)}, dict(wanted.directives))
    return "\n".join(
        [
            *_head(common, wanted, unit),
            "",
            "[Service]",
            f"# The virtual environment has {common.fingerprint or 'no fingerprint'}.",
            *lines,
            *quoting.directives(directives),
            *(_INSTALL if installed else ()),
            "",
        ]
    )


def _limits(wanted: Companion) -> dict:
    found = {"MemoryMax": wanted.memory_max, "CPUQuota": wanted.cpu_quota}
    return {name: value for name, value in found.items() if value}


def _process(common: Common, wanted: Companion, unit: str) -> dict:
    """What makes a unit a process that goes on."""
    return {
        "Type": "exec",
        **_command(common, wanted, instance_of(unit)),
        "Restart": "always",
        "RestartSec": _RESTART_PAUSE,
        # The process asks its children itself. What is left then is killed with all of them.
        "KillMode": "mixed",
        **_end(wanted),
    }


def _job(common: Common, wanted: Companion) -> dict:
    """What makes a unit a job that ends."""
    return {
        "Type": "oneshot",
        **_command(common, wanted, "1"),
        "KillMode": "mixed",
        **_end(wanted),
    }


def _end(wanted: Companion) -> dict:
    """How a process is asked to end, and when it is killed."""
    return {"KillSignal": f"SIG{wanted.stop_signal}", "TimeoutStopSec": wanted.stop_timeout}


def _command(common: Common, wanted: Companion, instance: str) -> dict:
    command = companion.by_shell(wanted, companion.filled_in(wanted.command, instance, _HOSTNAME))
    environment = companion.environment_of(wanted, instance)
    return {
        "ExecStart": " ".join(map(quoting.command_argument, command)).replace(_HOSTNAME, "%H"),
        "WorkingDirectory": common.directory,
        "Environment": [quoting.environment_assignment(name, value) for name, value in environment.items()],
    }


def _description(common: Common, wanted: Companion) -> str:
    return f"{common.service}: {wanted.name}"
