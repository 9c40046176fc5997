# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service under supervisor: what it must be, what it is, and what has to be done."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import (
    companion_programs,
    comparison,
    launcher,
    marks,
    names,
    secrets,
    spec,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_programs import (
    ABSENT,
    CompanionProgram,
    ProgramState,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess, Supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses

ARGUMENTS = {
    **spec.ARGUMENTS,
    "description": {"type": "str", "default": ""},
    "directory": {"type": "path", "required": True},
    "environment": {"type": "dict", "default": {}},
    "service_directives": {"type": "dict", "default": {}},
    "launcher": {"type": "str", "required": True},
    "socket_directives": {"type": "dict", "default": {}},
    "trial_command": {"type": "list", "elements": "str", "required": True},
    "stop_timeout": {"type": "int", "default": 40},
}


@dataclass(frozen=True)
class SupervisorSpec(ServiceSpec):
    """A service under supervisor as it must be."""

    launcher: WantedFile
    description: WantedFile
    program: WantedFile
    trial: str
    stop_timeout: int
    companion_programs: tuple[CompanionProgram, ...] = ()

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, the program last: it names the others."""
        return [self.configuration, *self.secret_files, self.launcher, self.description, self.program]


class SupervisorState(NamedTuple):
    """What a host has of a service."""

    process: ProgramProcess
    running: Running | None
    differing: tuple[str, ...]  # paths of files that are not as wanted
    closed: tuple[str, ...]  # wanted addresses on which nothing listens
    addresses: tuple[str, ...]  # that the live description names
    venv_directory: str
    interrupted: bool
    lost_logs: dict[str, bool] = {}  # see running.lost_logs
    release_problems: tuple[str, ...] = ()  # see live.problems
    refused: bool = False  # see marks.refused
    has_command: bool = True  # to run commands of the project
    sudoers: str | None = None  # the rule that lets a group call it
    companions: Mapping[str, ProgramState] = {}


def spec_from(given: dict, secret: tuple[list[WantedFile], str] | None = None) -> SupervisorSpec:
    """What the module's arguments ask for; raises ValueError for what supervisor can't be told.

    `secret` are the files of the secrets and their hash, if those of the host stay as they are.
    """
    name, folder = given["name"], given["config_directory"]
    group = accounts.group_id(given["group"])
    secret_files, secrets_hash = secret or secrets.secret_files(given["secrets"], given["credentials"], folder)
    live = _describe(given)
    description = json.dumps(live, indent=2, sort_keys=True) + "\n"
    options = (name, folder, given["enabled"] and given["workers"] > 0, given["stop_timeout"])
    texts = (given["launcher"], given["configuration"], given["venv_fingerprint"], description)
    configuration_hash = comparison.digest(*texts, json.dumps(launcher.program_options(*options, "")))
    program = programs.program_text(name, given["description"], launcher.program_options(*options, configuration_hash))
    values = spec.common_values(given, group, secret_files, secrets_hash, configuration_hash)
    code = values["release"].path if values["release"] else values["code_directory"]
    common = Common(name, "", code, given["venv_directory"], given["venv_fingerprint"])
    return SupervisorSpec(
        **values,
        launcher=WantedFile(os.path.join(folder, launcher.LAUNCHER), given["launcher"]),
        description=WantedFile(os.path.join(folder, launcher.DESCRIPTION), description, 0o640, group),
        program=WantedFile(os.path.join(programs.PROGRAMS, f"{name}.conf"), program),
        trial=json.dumps(launcher.describe_trial(name, live, given["trial_command"])),
        stop_timeout=given["stop_timeout"],
        companion_programs=tuple(
            companion_programs.wanted_program(common, each, live, given, group) for each in values["companions"]
        ),
    )


def _describe(given: dict) -> dict:
    """What the launcher is told of the live service."""
    binds = addresses.parse_binds(given["binds"], given["user"], given["group"])
    credentials = sorted(json.loads(base64.b64decode(given["credentials"])))
    sockets_told = launcher.describe_sockets(binds, given["socket_directives"])
    return launcher.describe(given["name"], given, sockets_told, credentials)


def observe(wanted: SupervisorSpec, supervisor: Supervisor) -> SupervisorState:
    """Read what the host has and runs."""
    runs = supervisor.runs()
    process = supervisor.process(wanted.name) if runs else ProgramProcess()
    folder = os.path.dirname(wanted.description.path)
    running = service_running.read_settled(wanted.name, process.pid) if process.is_up else None
    return SupervisorState(
        process=process,
        running=running,
        differing=tuple(file.path for file in wanted.all_files if files.differs(file)),
        closed=tuple(bind.listen_stream for bind in wanted.binds if not sockets.is_open(bind)) if running else (),
        addresses=launcher.unix_sockets(files.read(wanted.description.path)),
        venv_directory=os.path.realpath(wanted.venv),
        interrupted=os.path.lexists(launcher.journal_of(wanted.name)),
        lost_logs=service_running.lost_logs(process.pid, wanted.log_files) if running else {},
        refused=os.path.lexists(marks.refused(wanted.name)),
        release_problems=tuple(live.problems(wanted.release) if wanted.release else ()),
        has_command=os.path.isfile(names.run_command(wanted.name)),
        sudoers=files.read(names.sudoers(wanted.name)),
        companions=companion_programs.read(wanted.name, folder, supervisor if runs else None),
    )


def decide(wanted: SupervisorSpec, state: SupervisorState) -> Decision:
    """Compare what a host has and runs with what it must have."""
    idle_paths = [file.path for file in wanted.files_of_success]
    idle = [comparison.unlike(path) for path in state.differing if path in idle_paths]
    reasons = [comparison.unlike(path) for path in state.differing if path not in idle_paths]
    if state.interrupted:
        reasons.append("the last change was interrupted")
    if state.refused and wanted.code_in_place:
        reasons.append(comparison.REFUSED)
    elif state.refused:
        idle.append(comparison.REFUSED_BEFORE)
    idle += comparison.command_problems(wanted, state.has_command, state.sudoers)
    if comparison.has_new_venv(wanted, state.venv_directory):
        reasons.append("the virtual environment was changed")
    if not wanted.started:
        if state.process.is_up or state.process.state == "BACKOFF":
            reasons.append("the service runs and must be stopped")
    elif state.running is None:
        reasons.append("the service does not run")
    else:
        if state.closed:
            reasons.append(f"nothing listens on {', '.join(state.closed)}")
        reasons += comparison.mismatches(wanted, state.running)
        reasons += comparison.logs_out_of_reach(state.lost_logs)
        idle += [*state.release_problems, *comparison.logs_to_reopen(state.lost_logs)]
    idle += _companion_reasons(wanted, state)
    return Decision(reasons + idle, switch=wanted.started and bool(reasons))


def companion_problems(wanted: SupervisorSpec, state: SupervisorState) -> dict[str, list[str]]:
    """What has to be put right of each companion that is wanted, in words that follow its name."""
    return {
        each.companion.name: state.companions.get(each.companion.name, ABSENT).problems(
            each, wanted.companions_started, wanted.secrets_hash
        )
        for each in wanted.companion_programs
    }


def companion_differences(wanted: SupervisorSpec) -> list[dict[str, str]]:
    """What diff mode shows of the companions' files; to be called before anything is changed."""
    made = [file for each in wanted.companion_programs for file in each.files]
    there = companion_programs.read(wanted.name, os.path.dirname(wanted.description.path), None)
    known = {file.path for file in made}
    gone = [WantedFile(path, None) for each in there.values() for path in each.paths if path not in known]
    return files.differences([*made, *gone])


def _companion_reasons(wanted: SupervisorSpec, state: SupervisorState) -> list[str]:
    problems = companion_problems(wanted, state)
    return [
        *(f"the companion {name} {problem}" for name, found in problems.items() for problem in found),
        *(f"the companion {name} is not wanted any more" for name in state.companions if name not in problems),
    ]
