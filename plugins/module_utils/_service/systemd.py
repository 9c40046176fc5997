# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service under systemd: what it must be, and what has to be done so that what runs is what is wanted.

The decision compares what is there and what runs. It does not ask what this run of Ansible has written: a play that was
killed has lost its handlers, and the next one finds its files already in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import (
    companion_units,
    comparison,
    names,
    spec,
    systemd_state,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import ABSENT, CompanionState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

ARGUMENTS = {
    **spec.ARGUMENTS,
    "unit": {"type": "str", "required": True},
    "standin_unit": {"type": "str", "required": True},
    "socket_unit": {"type": "str", "required": True},
    "optional_directives": {"type": "list", "elements": "str", "default": []},
    "left_out": {"type": "dict", "default": {}},
    "observed": {"type": "dict"},
}


@dataclass(frozen=True)
class SystemdSpec(ServiceSpec):
    """A service under systemd as it must be."""

    enabled: bool  # whether the web workers must start at boot
    companions_enabled: bool
    unit: WantedFile
    socket: WantedFile
    standin_unit: str
    optional: tuple[str, ...] = ()  # directives that the unit may do without
    made_from: tuple = ()  # the arguments of spec_from

    def without(self, directives: Iterable[str], tried_with: str) -> SystemdSpec:
        """The same service without these directives, which its host can't apply."""
        given, *others = self.made_from
        left_out = LeftOut((*given["left_out"].get("directives", ()), *directives), tried_with)
        return spec_from({**given, "left_out": left_out._asdict()}, *others)

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, the units last: they name the others."""
        return [self.configuration, *self.secret_files, self.socket, self.unit]

    @property
    def common(self) -> Common:
        """What its companions have in common."""
        return Common(
            self.name, self.unit.content or "", self.code, self.venv_directory, self.asked["venv_fingerprint"]
        )

    @property
    def idle_paths(self) -> tuple[str, ...]:
        """The files that a running process does not read, so that a change of them starts nothing."""
        return (*(file.path for file in self.files_of_success), self.socket.path)


def spec_from(given: dict, group: int, secret_files: list[WantedFile], secrets_hash: str) -> SystemdSpec:
    """What the module's arguments ask for; see spec.common_values for the others."""
    paths = names.paths(given["name"], given["config_directory"])
    left_out = LeftOut(**given["left_out"])
    unit, standin_unit = (sandbox.without(given[text], left_out) for text in ("unit", "standin_unit"))
    configuration_hash = comparison.digest(unit, given["configuration"], given["venv_fingerprint"])
    unit, standin_unit = (
        comparison.fill_in(text, "CONFIGURATION", configuration_hash) for text in (unit, standin_unit)
    )
    return SystemdSpec(
        **spec.common_values(given, group, secret_files, secrets_hash, configuration_hash),
        enabled=given["enabled"] and given["workers"] > 0,
        companions_enabled=given["enabled"],
        unit=WantedFile(paths.unit, unit),
        socket=WantedFile(paths.socket, given["socket_unit"]),
        standin_unit=standin_unit,
        optional=tuple(given["optional_directives"]),
        made_from=(given, group, secret_files, secrets_hash),
    )


def observe(wanted: SystemdSpec, runner: Runner) -> SystemdState:
    """Read what the host has and runs."""
    paths = (file.path for file in wanted.all_files)
    asked = systemd_state.ask(wanted.name, runner)
    state = systemd_state.read(wanted.name, paths, wanted.binds, wanted.venv, wanted.group, wanted.log_files, asked)
    return state._replace(release_problems=tuple(live.problems(wanted.release) if wanted.release else ()))


def decide(wanted: SystemdSpec, state: SystemdState) -> Decision:
    """Compare what a host has and runs with what it must have."""
    differing = state.differing(wanted.all_files)
    idle = [*_idle_reasons(wanted, state, differing), *_companion_reasons(wanted, state)]
    if wanted.started:
        reasons = _reasons_to_switch(wanted, state, differing)
        return Decision(reasons + idle, switch=bool(reasons))
    if state.service.active or state.service.starting or state.socket.active:
        idle.append("the service runs and must be stopped")
    return Decision(idle, switch=False)


def _idle_reasons(wanted: SystemdSpec, state: SystemdState, differing: list[str]) -> list[str]:
    """What can be put right without starting anything."""
    service, socket = state.service, state.socket
    reasons = [comparison.unlike(path) for path in differing if not wanted.started or path in wanted.idle_paths]
    if service.enabled != wanted.enabled or socket.enabled != wanted.enabled:
        reasons.append(f"the service must {'' if wanted.enabled else 'not '}start at boot")
    reasons += comparison.command_problems(wanted, state.has_command, state.sudoers)
    if service.stale or socket.stale:
        reasons.append("systemd has not read the units since they changed")
    if state.standin.active or state.standin.starting:
        reasons.append("the stand-in of an interrupted deployment still runs")
    if wanted.started:
        reasons += [*state.release_problems, *comparison.logs_to_reopen(state.lost_logs)]
    if state.refused and not (wanted.started and wanted.code_in_place):
        reasons.append(comparison.REFUSED_BEFORE)
    if not wanted.started and (state.interrupted or comparison.has_new_venv(wanted, state.venv_directory)):
        reasons.append("a deployment was not finished")
    return reasons


def companion_problems(wanted: SystemdSpec, state: SystemdState) -> dict[str, list[str]]:
    """What has to be put right of each companion that is wanted, in words that follow its name."""
    return {
        each.name: state.companions.get(each.name, ABSENT).problems(
            each, wanted.common, wanted.companions_started, wanted.companions_enabled, wanted.secrets_hash
        )
        for each in wanted.companions
    }


def companion_differences(wanted: SystemdSpec, found: dict[str, CompanionState]) -> list[dict[str, str]]:
    """What diff mode shows of the companions' units; to be called before anything is changed."""
    texts: dict[str, str] = {}
    for each in wanted.companions:
        # By the numbers of what runs, or all would differ.
        generation = found.get(each.name, ABSENT).generation or 1
        texts.update(companion_units.texts(wanted.common, each, generation))
    there = [unit for each in found.values() for unit in each.files]
    paths = {companion_units.path_of(unit): texts.get(unit) for unit in [*there, *texts]}
    return atomic_files.differences([WantedFile(path, text) for path, text in paths.items()])


def _companion_reasons(wanted: SystemdSpec, state: SystemdState) -> list[str]:
    problems = companion_problems(wanted, state)
    gone = (name for name, each in state.companions.items() if name not in problems and each.is_there)
    return [
        *(f"the companion {name} {problem}" for name, found in problems.items() for problem in found),
        *(f"the companion {name} is not wanted any more" for name in gone),
    ]


def _reasons_to_switch(wanted: SystemdSpec, state: SystemdState, differing: list[str]) -> list[str]:
    """What needs a new process."""
    reasons = []
    closed = state.closed(wanted.binds)
    if not state.socket.active:
        reasons.append("the listening sockets are not open")
    if closed:
        reasons.append(f"nothing listens on {', '.join(closed)}")
    elif not state.has_addresses(wanted.binds):
        reasons.append("the listening addresses are not the ones that are configured")
    if state.interrupted:
        reasons.append("the last change was interrupted")
    if state.refused and wanted.code_in_place:
        reasons.append(comparison.REFUSED)
    if comparison.has_new_venv(wanted, state.venv_directory):
        reasons.append("the virtual environment was changed")
    reasons += [comparison.unlike(path) for path in differing if path not in wanted.idle_paths]
    if not state.service.active or state.running is None:
        reasons.append("the service does not run")
    else:
        reasons += comparison.mismatches(wanted, state.running)
        reasons += comparison.logs_out_of_reach(state.lost_logs)
    return reasons
