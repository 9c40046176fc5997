# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has and runs of the companions of a service under systemd, and what differs from what is wanted."""

from __future__ import annotations

import glob
import os
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import FileState, WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_texts, companion_units, running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit


class CompanionState(NamedTuple):
    """What a host has of one companion."""

    files: dict[str, FileState | None]  # of its units, by their names; those that only finish are not among them
    units: dict[str, Unit]  # by their names, with those that only finish
    generation: int = 0  # the live one, as the unit says that stands for all processes
    newest: int = 0  # of all that there are
    secrets: tuple[str, ...] = ()  # the hashes of the secrets with which its processes were started

    def problems(self, wanted: Companion, common: Common, started: bool, enabled: bool, secrets: str) -> list[str]:
        """What has to be put right, in words that follow the companion's name."""
        texts = companion_units.texts(common, wanted, self.generation)
        wanted_files = {name: WantedFile(companion_units.path_of(name), text) for name, text in texts.items()}
        if any(atomic_files.is_another(file, self.files.get(name)) for name, file in wanted_files.items()):
            return [ANOTHER]
        top = companion_units.top_units(common.service, wanted)
        needed = [*top, *companion_units.processes(common.service, wanted, self.generation)]
        if started and not all(self.units[name].active for name in needed):
            return ["does not run"]
        if not started and self.active:
            return ["runs and must be stopped"]
        found = []
        if any(each != secrets for each in self.secrets):
            found.append(OTHER_SECRETS)
        if any(self.units[name].enabled != enabled for name in top):
            found.append(f"must {'' if enabled else 'not '}start at boot")
        if any(self.units[name].stale for name in texts):
            found.append("has units that systemd has not read since they changed")
        if self.leftovers(texts):
            found.append("has processes of an earlier change")
        return found

    def leftovers(self, texts: dict[str, str]) -> list[str]:
        """The units that must go: processes of earlier generations that nobody has asked to finish."""
        return [
            name
            for name, unit in self.units.items()
            if name not in texts and (name in self.files or unit.active or unit.starting)
        ]

    @property
    def is_there(self) -> bool:
        """Whether it is there, but for what only finishes."""
        return bool(self.files or self.active)

    @property
    def active(self) -> list[str]:
        """The units that run or are about to."""
        return [name for name, unit in self.units.items() if unit.active or unit.starting]


ABSENT = CompanionState({}, {})
# Problems that need new processes
ANOTHER, OTHER_SECRETS = "is not as configured", "was started with other secrets"


def read(service: str, runner: Runner) -> dict[str, CompanionState]:
    """What the host has of the companions of a service, by their names."""
    found = paths_of(service)
    names = units_of(found)
    return read_asked(service, found, units.read_units(names, runner) if names else {})


def read_asked(service: str, found: dict[str, dict[str, str]], known: dict[str, Unit]) -> dict[str, CompanionState]:
    """The same, if systemd was asked before about the units that `paths_of` found."""
    return {name: _state(service, name, paths, known) for name, paths in sorted(found.items())}


def units_of(found: dict[str, dict[str, str]]) -> list[str]:
    """The names of the units that `paths_of` found."""
    return [unit for paths in found.values() for unit in paths]


def paths_of(service: str) -> dict[str, dict[str, str]]:
    """The paths of the units of a service's companions, by the companions' names and then by the units' names."""
    found: dict[str, dict[str, str]] = {}
    for folder in (units.RUNTIME_DIRECTORY, units.UNIT_DIRECTORY):
        for suffix in ("service", "timer"):
            for path in sorted(glob.glob(os.path.join(folder, f"{glob.escape(service)}-*.{suffix}"))):
                owner, name = companion_texts.owner_of(atomic_files.read(path))
                if owner == service:
                    found.setdefault(name, {})[os.path.basename(path)] = path
    return found


def _state(service: str, name: str, paths: dict[str, str], known: dict[str, Unit]) -> CompanionState:
    in_place = {unit: path for unit, path in paths.items() if os.path.dirname(path) == units.UNIT_DIRECTORY}
    generations = [companion_texts.generation_of(unit) for unit in paths]
    main = f"{service}-{name}.service"
    stands_for = atomic_files.read(in_place.get(main, "")) or ""
    own = {unit: known[unit] for unit in paths}
    # A job that runs has what it needs, and the next one gets what is there then. So it is with what finishes.
    going_on = [] if f"{service}-{name}.timer" in in_place else in_place
    started = [processes.read_environment(own[unit].main_pid) for unit in going_on if own[unit].main_pid]
    return CompanionState(
        files={unit: atomic_files.state(path) for unit, path in in_place.items()},
        units=own,
        generation=companion_texts.live_generation(main, stands_for),
        newest=max(generations, default=0),
        # A process that has cleared its environment does not use them.
        secrets=tuple(sorted({each[running.SECRETS] for each in started if running.SECRETS in each})),
    )


def as_dict(state: CompanionState) -> dict:
    """A state as a module can return it."""
    return {
        **state._asdict(),
        "files": {name: file and file._asdict() for name, file in state.files.items()},
        "units": {name: unit._asdict() for name, unit in state.units.items()},
    }


def from_dict(told: dict) -> CompanionState:
    """The state that as_dict returned."""
    return CompanionState(
        **{
            **told,
            "secrets": tuple(told["secrets"]),
            "files": {name: file and FileState(**file) for name, file in told["files"].items()},
            "units": {name: Unit(**{**unit, "listen": tuple(unit["listen"])}) for name, unit in told["units"].items()},
        }
    )
