# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of companions under supervisor, what a host has of them, and what differs from what is wanted.

The companion ``worker`` of the service ``mysite`` is the program ``mysite-worker``. Its processes are
``mysite-worker:1``, ``mysite-worker:2`` and so on, which the launcher starts from one description.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import (
    companion,
    comparison,
    launcher,
    names,
    running,
    unit_base,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import ANOTHER, OTHER_SECRETS
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import directives, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess, Supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_MARK = re.compile(r"^; A companion of (\S+): (\S+)$", re.MULTILINE)
# Problems that need new processes
OTHER_CONFIGURATION = "was started with another configuration"
ANEW = {ANOTHER, OTHER_CONFIGURATION, OTHER_SECRETS}


class CompanionProgram(NamedTuple):
    """A companion as supervisor must have it."""

    companion: Companion
    program: WantedFile
    description: WantedFile
    configuration: str  # a hash of all that its processes are started with, but for their secrets

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, the program last: it names the other."""
        return [self.description, self.program]

    @property
    def numbers(self) -> list[str]:
        """The names of its processes, which are what {instance} is."""
        return [str(number) for number in range(1, self.companion.instances + 1)]


class ProgramState(NamedTuple):
    """What a host has of one companion."""

    paths: tuple[str, ...]  # of its files
    processes: Mapping[str, ProgramProcess]  # as supervisor knows them, by their names
    configurations: tuple[str, ...] = ()  # with which its processes were started
    secrets: tuple[str, ...] = ()  # the hashes of the secrets with which they were started

    def problems(self, wanted: CompanionProgram, started: bool, secrets: str) -> list[str]:
        """What has to be put right, in words that follow the companion's name."""
        found = []
        if any(map(files.differs, wanted.files)):
            found.append(ANOTHER)
        if not started:
            return [*found, *(["runs and must be stopped"] if self.active else [])]
        up = [name for name, process in self.processes.items() if process.is_up]
        if set(up) != set(wanted.numbers):
            found.append("does not run")
        if ANOTHER not in found and any(each != wanted.configuration for each in self.configurations):
            found.append(OTHER_CONFIGURATION)
        if any(each != secrets for each in self.secrets):
            found.append(OTHER_SECRETS)
        return found

    @property
    def active(self) -> list[str]:
        """The names of the processes that run or are about to."""
        return [name for name, each in self.processes.items() if each.is_up or each.state == "BACKOFF"]


ABSENT = ProgramState((), {})


def check(wanted: Companion) -> None:
    """Raise InvalidValue for what supervisor can't do."""
    variable = f"{companion.VARIABLE}['{wanted.name}']"
    if wanted.is_job:
        expected = "none under supervisor: timers need systemd; use ansible.builtin.cron"
        raise InvalidValue(f"{variable}['calendar']", wanted.calendar, expected)
    directives.check(dict(wanted.directives), f"{variable}['directives']")


def name_of(service: str, name: str) -> str:
    """The name of a companion's program."""
    return f"{service}-{name}"


def path_of(service: str, name: str) -> str:
    """The path of a program's file."""
    return os.path.join(programs.PROGRAMS, f"{name_of(service, name)}.conf")


def console_of(service: str, name: str, number: str) -> str:
    """Where supervisor writes what a process prints that is not in its log."""
    return os.path.join(programs.LOGS, service, f"{name}-{number}.log")


def description_of(folder: str, name: str) -> str:
    """The path of the description of a companion's processes."""
    return os.path.join(folder, f"gunicorn.launch.{name}.json")


def runtime_paths(service: str, name: str) -> list[str]:
    """What the launcher has made in /run for the processes of a companion."""
    program = name_of(service, name)
    patterns = launcher.runtime_paths(f"{glob.escape(program)}@[0-9]*")
    return sorted({path for pattern in patterns for path in glob.glob(pattern)})


def started_names(service: str, name: str) -> list[str]:
    """The names under which the launcher has started processes of a companion."""
    program = name_of(service, name)
    found = (re.search(r"@[0-9]+(?=\.group\Z)", path) for path in runtime_paths(service, name))
    return [program + each[0] for each in found if each]


def left_running(service: str, name: str) -> list[int]:
    """The processes that the launcher has started for a companion, and theirs.

    They have the service's user and can deny it. The environment tells the process groups with a noted number apart.
    """
    noted = {
        (files.read(launcher.group_note(each)) or "").strip(): launcher.runtime_directory(each)
        for each in started_names(service, name)
    }
    started = []
    for pid in processes.read_ids() if noted else ():
        with contextlib.suppress(ProcessLookupError):
            directory = noted.get(str(os.getpgid(pid)))
            if directory and processes.read_environment(pid).get("RUNTIME_DIRECTORY") == directory:
                started.append(pid)
    return started


def described(folder: str) -> list[str]:
    """The names of the companions of which a folder has a description."""
    paths = glob.glob(description_of(glob.escape(folder), "*"))
    return sorted(os.path.basename(path).split(".")[2] for path in paths)


def owner_of(text: str | None) -> tuple[str, str]:
    """The service and the name of the companion to which a program belongs; empty for another program."""
    found = _MARK.search(text or "") if names.is_ours(text) else None
    return (found[1], found[2]) if found else ("", "")


def start_seconds_of(text: str) -> int:
    """How long a process must stay up until supervisor calls it RUNNING, by the text of its program."""
    found = re.search(r"^startsecs=([0-9]{1,9})$", text, re.MULTILINE)
    return int(found[1]) if found else companion.START_SECONDS


def wanted_program(common: Common, wanted: Companion, live: dict, given: Mapping, group: int) -> CompanionProgram:
    """A companion as it must be; raises InvalidValue. `live` is what the launcher is told of the service.

    `given` are the arguments of the module; the hash follows from its launcher, too.
    """
    check(wanted)
    name = name_of(common.service, wanted.name)
    path = {} if "PATH" in live["environment"] else {"PATH": unit_base.search_path(common.venv)}
    options = directives.process_options({**given["service_directives"], **wanted.directives})
    told = launcher.describe_companion(
        name,
        live,
        **options._asdict(),
        directory=common.directory,
        environment={
            **path,
            **live["environment"],
            **wanted.environment,
            companion.NAME_IN_ENVIRONMENT: wanted.name,
        },
        command=companion.by_shell(wanted, list(wanted.command)),
    )
    description = json.dumps(told, indent=2, sort_keys=True) + "\n"
    configuration = comparison.digest(given["launcher"], common.fingerprint, description)
    folder = given["config_directory"]
    described = description_of(folder, wanted.name)
    text = programs.program_text(
        name,
        f"A companion of {common.service}: {wanted.name}",
        {
            **launcher.options(given["enabled"], wanted.start_seconds, wanted.stop_signal, wanted.stop_timeout),
            "numprocs": str(wanted.instances),
            "numprocs_start": "1",
            "process_name": programs.NUMBER,
            "command": f"{launcher.command(folder, os.path.basename(described), configuration)} {programs.NUMBER}",
            "stdout_logfile": console_of(common.service, wanted.name, programs.NUMBER),
        },
    )
    return CompanionProgram(
        wanted,
        WantedFile(path_of(common.service, wanted.name), text),
        WantedFile(described, description, 0o640, group),
        configuration,
    )


def read(service: str, folder: str, supervisor: Supervisor | None) -> dict[str, ProgramState]:
    """What the host has of the companions of a service, by their names; `supervisor` is the one that runs, if any."""
    found = {}
    for path in sorted(glob.glob(os.path.join(programs.PROGRAMS, f"{glob.escape(service)}-*.conf"))):
        owner, name = owner_of(files.read(path))
        if owner == service:
            paths = [each for each in (description_of(folder, name), path) if os.path.lexists(each)]
            found[name] = _state(paths, supervisor.group(name_of(service, name)) if supervisor else {})
    return found


def _state(paths: list[str], known: dict[str, ProgramProcess]) -> ProgramState:
    started = [processes.read_environment(process.pid) for process in known.values() if process.is_up]
    return ProgramState(
        paths=tuple(paths),
        processes=known,
        # A process that has cleared its environment says nothing.
        configurations=_values(started, running.CONFIGURATION),
        secrets=_values(started, running.SECRETS),
    )


def _values(environments: list[dict[str, str]], name: str) -> tuple[str, ...]:
    return tuple(sorted({each[name] for each in environments if name in each}))
