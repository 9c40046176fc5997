# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The companions of all services of a host, by the files of their units, which only root can write."""

from __future__ import annotations

import glob
import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_texts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.unit_processes import SERVICE

ALWAYS, SINGLE, JOB = "service", "single", "job"
# What follows the names of the service and the companion in the name of a unit
_SUFFIX = re.compile(r"(@[0-9]{1,9}-[0-9]{1,9})?\.service|\.timer", re.ASCII)
_ENDS = re.compile(r"^Type=oneshot$", re.MULTILINE)


class CompanionFiles(t.NamedTuple):
    """A companion as the files of its units say, or that of its program."""

    service: str
    name: str
    kind: str  # ALWAYS, SINGLE or JOB
    unit: str | None  # which a person starts and stops; None if the companion is removed, and only finishes
    processes: tuple[str, ...]  # the units of the processes that must be up
    units: tuple[str, ...]  # all of them, with those that only finish
    supervised: bool = False  # whether these are no units of systemd, but processes of supervisor

    @property
    def runs(self) -> str:
        """The unit that has the companion's name: of the job, or of the process that is single."""
        return f"{self.service}-{self.name}.service"


def read_installed(root: str = "/") -> list[CompanionFiles]:
    """Return the companions that the host has, by their services and names."""
    found: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    # The first directory that has a unit of some name counts.
    for directory in (units.UNIT_DIRECTORY, units.RUNTIME_DIRECTORY):
        for path in sorted(glob.glob(os.path.join(glob.escape(join(root, directory)), "*-*.*"))):
            unit = os.path.basename(path)
            if _is_unit(unit) and not os.path.islink(path):
                text = read(path)
                service, name = companion_texts.owner_of(text)
                prefix = f"{service}-{name}"
                if service and unit.startswith(prefix) and _SUFFIX.fullmatch(unit[len(prefix) :]):
                    found.setdefault((service, name), {}).setdefault(unit, (directory, text))
    return [_companion(service, name, files) for (service, name), files in sorted(found.items())]


def _is_unit(name: str) -> bool:
    stem, _dot, suffix = name.rpartition(".")
    return suffix in ("service", "timer") and bool(SERVICE.fullmatch(f"{stem}.service"))


def _companion(service: str, name: str, files: dict[str, tuple[str, str]]) -> CompanionFiles:
    main, timer = f"{service}-{name}.service", f"{service}-{name}.timer"
    in_place = {unit: text for unit, (directory, text) in files.items() if directory == units.UNIT_DIRECTORY}
    every = tuple(sorted(files))
    if timer in in_place:
        return CompanionFiles(service, name, JOB, timer, (), every)
    if main not in in_place:
        return CompanionFiles(service, name, _kind_of_ended(main, files), None, (), every)
    processes = tuple(companion_texts.stands_for(main, in_place[main]))
    if processes:
        return CompanionFiles(service, name, ALWAYS, main, processes, every)
    return CompanionFiles(service, name, SINGLE, main, (main,), every)


def _kind_of_ended(main: str, files: dict[str, tuple[str, str]]) -> str:
    """Return what a companion was that is removed, and that goes on until its tasks are done."""
    if main not in files:
        return ALWAYS
    return JOB if _ENDS.search(files[main][1]) else SINGLE
