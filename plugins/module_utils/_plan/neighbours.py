# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other projects of the role on a host, and what they leave of its memory.

A project keeps the memory that it was given, and gets more only of what the others leave. So a second run changes
nothing, in whichever order the projects are deployed, and the deployment of one never takes workers from another.
"""

from __future__ import annotations

import os
from typing import Iterable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import grants
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.grants import Grant
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import read_demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import MASTER_MEMORY
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import whole_mib

_SUFFIX = ".slice"


class Neighbours(NamedTuple):
    """What the projects of a host were given; the others are those that share the memory of this one."""

    own: Grant | None
    others: tuple[Grant, ...]
    available: int  # bytes of the memory for all projects; 0 if nobody shares it

    @property
    def taken(self) -> int:
        """The bytes that are not for this project."""
        return sum(each.of(self.available) for each in self.others)


def read(service: str, options: dict, root: str = "/") -> Neighbours:
    """Read what the projects of the host were given. The memory is read only if there are others."""
    given = grants.read_all(root)
    own = given.pop(service, None)
    if not given:
        return Neighbours(own, (), 0)
    available, memory = answer.memory_for_projects(options)
    others = tuple(each for each in given.values() if _is_of(each.slice, options["slice"], memory))
    return Neighbours(own, others, available)


def with_neighbours(options: dict, around: Neighbours, has_share: bool) -> dict:
    """The options of gunicorn_sizing_info, with what other projects have. Of its share, a project has all."""
    if has_share or not around.others:
        return options
    kept = around.own.memory if around.own else 0
    if around.own and around.own.workers is not None:
        kept = _taken_by(around.own.workers, options)
    # A small share is less than the least size that a user may give.
    return {**options, "memory_neighbours": f"{whole_mib(around.taken)}M", "memory_kept": str(kept)}


def grant(service: str, workers: int, options: dict, has_share: bool) -> Grant:
    """What a project is given with so many workers, by the options of gunicorn_sizing_info."""
    share = options["share"] if has_share else None
    return Grant(service, _taken_by(workers, options), share, options["slice"])


def remark(around: Neighbours) -> str:
    """The sentence that names the other projects; empty if there are none."""
    if not around.others:
        return ""
    return f"{_number_of(len(around.others))} the host: {_listed(around.others, around.available)}."


def warnings(around: Neighbours, given: Grant) -> list[str]:
    """Say that the projects of the host may take more than it has, if they may. It is only told."""
    if not around.others:
        return []
    together = around.taken + given.of(around.available)
    if together <= around.available:
        return []
    projects = sorted([*around.others, given])
    part = int(1000 / len(projects)) / 1000
    return [
        f"The projects on this host may take {_mib(together)} together, and beside the reserve it has "
        f"{_mib(around.available)}: {_listed(projects, around.available)}. Each keeps what it has. Give each a part of "
        f"the host, such as gunicorn_sizing: {{share: {part:g}}}; or set memory_per_worker to what the workers take, "
        "or have fewer workers."
    ]


def _taken_by(workers: int, options: dict) -> int:
    """The bytes that a project may take: its workers within a limit of their service, and its companions."""
    demand = read_demand(options)
    memory = workers * demand.memory_per_worker + MASTER_MEMORY if workers else 0
    limit = answer.find_limits(options).memory
    if limit is not None:
        memory = min(memory, int(limit.amount))
    return memory + demand.memory_companions


def _is_of(other: str, own: str, memory: Resource) -> bool:
    """Whether a project in the slice `other` takes from the memory of one in the slice `own`.

    A limit of a slice holds for what is in it. The limit of a container, or another one outside, holds for all.
    """
    limited = os.path.basename(os.path.dirname(memory.source or ""))
    if memory.limited_by != "cgroup" or not _is_in(own, limited):
        return True
    return _is_in(other, limited)


def _is_in(name: str, outer: str) -> bool:
    """Whether a slice is another one or below it; see systemd.slice(5) for what their names say."""
    return outer.endswith(_SUFFIX) and (name == outer or name.startswith(f"{outer[: -len(_SUFFIX)]}-"))


def _listed(projects: Iterable[Grant], available: int) -> str:
    listed = [f"{each.service} {_mib(each.of(available))}" for each in projects]
    return " and ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))


def _number_of(others: int) -> str:
    return "Another project shares" if others == 1 else f"{others} other projects share"


def _mib(size: int) -> str:
    return f"{whole_mib(size)} MiB"
