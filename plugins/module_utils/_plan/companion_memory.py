# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory that the companions of a service take from its web workers."""

from __future__ import annotations

from typing import Iterable, Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import CompanionState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer, unit_limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import Whole
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

_PERCENT = ("%", "‰", "‱")


def with_companions(options: dict, companions: Iterable[Companion]) -> dict:
    """The options of gunicorn_sizing_info with the memory of the companions, unless they have it already."""
    if options["memory_companions"] is not None:
        return options
    needed = sum(_memory(each, options) for each in companions)
    return {**options, "memory_companions": str(max(needed, MIB))} if needed else options


def remark(options: dict, companions: Iterable[Companion], found: Mapping[str, CompanionState], runner: Runner) -> str:
    """The sentence that names the companions for which nothing is reserved; empty if there are none.

    What they take now is only told. A number of workers that followed it would be another one at each run.
    """
    if options["memory_companions"] is not None:
        return ""
    without = [each.name for each in companions if not each.is_job and not _memory(each, options)]
    if not without:
        return ""
    names = without[0] if len(without) == 1 else f"{', '.join(without[:-1])} and {without[-1]}"
    have, take = ("has", "takes") if len(without) == 1 else ("have", "take")
    taken = _taken([found[name] for name in without if name in found], runner)
    now = f" and {take} {round(taken / MIB)} MiB now" if taken else ""
    return f"Nothing is reserved for {names}, which {have} no memory_max{now}."


def _memory(each: Companion, options: dict) -> int:
    """The bytes that a companion may take; a job ends, and what overlaps is there twice during a change."""
    if each.is_job or not each.memory_max:
        return 0
    whole = answer.whole_memory(options) if each.memory_max.endswith(_PERCENT) else 0
    limits = unit_limits.service_limits("memory_max", {"MemoryMax": each.memory_max}, Whole(memory=whole, tasks=1))
    amount = int(limits.memory.amount) if limits.memory else 0
    return amount * each.instances * (2 if each.overlaps else 1)


def _taken(states: list[CompanionState], runner: Runner) -> int:
    """The bytes that systemd says they take."""
    active = [name for state in states for name in state.active]
    if not active:
        return 0
    shown = units.show_units(active, ("Id", "MemoryCurrent"), runner)
    texts = [block.get("MemoryCurrent", [""])[0] for block in shown]
    # Without accounting, systemd says [not set], or the greatest number that there is.
    return sum(int(text) for text in texts if text.isdecimal() and int(text) < 1 << 63)
