# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory that the projects of a host were given when they were deployed, as it was noted then.

The notes are where root alone can write. They have what was decided, and no load: they stay the same until a deployment
gives a project something else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from fractions import Fraction
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, list_folder, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_texts, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB, whole_mib

_SLICE = "system.slice"
_HEAD = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): the sizing of other projects on this host reads it."
# A float may be written as 1e-05, and a slice may have what systemd-escape writes.
_NOTE = re.compile(r"memory=([0-9]{1,12})M\n(?:share=([0-9.e-]{1,30})\n)?slice=([\w:.\\-]+\.slice)\n", re.ASCII)
_EXEC_START = re.compile(r"^ExecStart=.*?--workers=([0-9]{1,5})(?![0-9])", re.MULTILINE)
_WORKERS = re.compile(r"--workers=([0-9]{1,5})")


class Grant(NamedTuple):
    """The memory that a project was given."""

    service: str
    memory: int  # bytes that its processes may take together
    share: float | None = None  # its part of the host, where somebody has set one
    slice: str = _SLICE
    workers: int | None = None  # where nothing was noted: how many workers of the default size the memory is for

    def of(self, available: int) -> int:
        """The bytes that are not for other projects, of those that the host has for all of them."""
        promised = int(available * Fraction(str(self.share))) if self.share else 0
        return max(self.memory, promised)


def text_of(grant: Grant) -> str:
    """The text of a note. A share is noted as such, since what it is a part of may grow."""
    share = f"share={grant.share}\n" if grant.share else ""
    return f"{_HEAD}\nmemory={whole_mib(grant.memory)}M\n{share}slice={grant.slice}\n"


def read_all(root: str = "/") -> dict[str, Grant]:
    """What each project of the role on this host was given, by the names of their services."""
    found = {}
    for service, workers in {**_of_supervisor(root), **_of_systemd(root)}.items():
        found[service] = _noted(service, root) or _estimated(service, workers)
    return found


def _noted(service: str, root: str) -> Grant | None:
    """What the note of a service says; None where there is none that can be used."""
    head, _line_break, told = read(join(root, names.memory_note(service))).partition("\n")
    note = _NOTE.fullmatch(told) if names.is_ours(head) else None
    if note is None:
        return None
    with contextlib.suppress(ValueError):
        return Grant(service, int(note[1]) * MIB, float(note[2]) if note[2] else None, note[3])
    return None


def _estimated(service: str, workers: int) -> Grant:
    """What was given to a service that was deployed before there were notes, if its workers are of the usual size."""
    # Not at the top: each host is read for this, and few have such services.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import MASTER_MEMORY

    memory = workers * Demand().memory_per_worker + MASTER_MEMORY if workers else 0
    return Grant(service, memory, workers=workers)


def _of_systemd(root: str) -> dict[str, int]:
    """The services of the role under systemd, and how many workers their units say."""
    found = {}
    for name, text in _texts(units.UNIT_DIRECTORY, ".service", root).items():
        workers = _EXEC_START.search(text)
        if workers and names.is_ours(text) and not companion_texts.owner_of(text)[0]:
            found[name] = int(workers[1])
    return found


def _of_supervisor(root: str) -> dict[str, int]:
    """The services of the role under supervisor, and how many workers their descriptions say."""
    found: dict[str, int] = {}
    texts = _texts(programs.PROGRAMS, ".conf", root)
    if not texts:
        return found
    # Not at the top, for the same reason
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher

    for name, text in texts.items():
        for path in launcher.descriptions_in(text):
            if os.path.basename(path) == launcher.DESCRIPTION and _is_roots(join(root, path)):
                found[name] = _workers_in(read(join(root, path)))
    return found


def _texts(folder: str, suffix: str, root: str) -> dict[str, str]:
    """The texts of files that the role may have written; a link may lead to what a user can write."""
    folder = join(root, folder)
    there = sorted(name for name in list_folder(folder) if name.endswith(suffix) and not name.startswith("."))
    paths = {name[: -len(suffix)]: os.path.join(folder, name) for name in there}
    return {name: read(path) for name, path in paths.items() if _is_roots(path)}


def _is_roots(path: str) -> bool:
    """Whether root has written a file, or who runs this, and nobody else can."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    own = status.st_uid in (0, os.geteuid())
    return own and stat.S_ISREG(status.st_mode) and not status.st_mode & 0o022


def _workers_in(description: str) -> int:
    try:
        arguments = [str(argument) for argument in json.loads(description)["command"]]
    except (ValueError, KeyError, TypeError):
        return 0
    found = [_WORKERS.fullmatch(argument) for argument in arguments]
    return next((int(each[1]) for each in found if each), 0)
