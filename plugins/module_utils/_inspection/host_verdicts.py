# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on what is used of a host, in the terms of the book's chapter on `top`.

The book's rules: a cache of 20 to 50% of the RAM is healthy. Hardly any cache together with swap in use means that the
host is short of RAM; unused data in swap alone does not. Load is judged over 5 and 15 minutes, and below 0.7 for each
core is healthy. wa is waiting for the disk, hi and si are input and output, and st means that the machine below has no
CPU to spare. For these and for pressure the book gives no numbers; those below are this module's.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.host_usage import Cpu, Load, Memory, Swap
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

HEALTHY, WATCH, SHORT = "healthy", "watch", "short"
_ORDER = (HEALTHY, WATCH, SHORT)

# Shares of the memory
LITTLE_CACHE, SOME_CACHE = 0.1, 0.2
LITTLE_AVAILABLE, SOME_AVAILABLE = 0.05, 0.1
# In bytes: swap in use that is worth mentioning, and what moves in a second
USED_SWAP = 1 * MIB
MOVING_SWAP, THRASHING_SWAP = 64 << 10, 1 * MIB
# Percent of the CPU time
STOLEN_WATCH, STOLEN_SHORT = 5, 10
WAITING_WATCH, WAITING_SHORT = 10, 30
INTERRUPTS_WATCH = 20
THROTTLED_WATCH, THROTTLED_SHORT = 10, 50
BUSY_WATCH = 95
# Load for each core
LOAD_WATCH, LOAD_SHORT = 0.7, 1.0
# Percent of the last minute in which tasks waited: some of them, and all of them
PRESSURE = {
    ("memory", "full_60"): (2, 10),
    ("memory", "some_60"): (10, 40),
    ("io", "full_60"): (15, 40),
    ("cpu", "some_60"): (40, 80),
}
_WAITED_FOR = {"memory": "for memory", "io": "for the disk", "cpu": "for a CPU"}


class Verdict(t.NamedTuple):
    """V(healthy), V(watch) or V(short), and why, in one sentence."""

    verdict: str
    reason: str


def judge_memory(memory: Memory, swap: Swap | None, granted: int = 0) -> Verdict:
    """Judge the memory by its cache, and by the swap that is in use beside it; then by what projects were granted."""
    verdict = _judge_use(memory, swap)
    if verdict.verdict == HEALTHY and granted > memory.total:
        too_much = f"The projects of this host were given {_mib(granted)}, and its RAM is {_mib(memory.total)}"
        return Verdict(WATCH, f"{too_much}: it is enough as long as not all of them take theirs.")
    return verdict


def _judge_use(memory: Memory, swap: Swap | None) -> Verdict:
    swapped = swap.used if swap and not swap.compressed else 0
    free = memory.free / memory.total
    available = memory.available / memory.total
    cache = f"{_percent(memory.cache_share)} of the RAM is cache"
    if memory.cache_share < LITTLE_CACHE and free < LITTLE_CACHE and swapped >= USED_SWAP:
        return Verdict(SHORT, f"Only {cache} and {_mib(swapped)} of swap are in use: the host is short of RAM.")
    if available < LITTLE_AVAILABLE:
        return Verdict(SHORT, f"Only {_percent(available)} of the RAM is available: the host is short of RAM.")
    if available < SOME_AVAILABLE:
        return Verdict(WATCH, f"Only {_percent(available)} of the RAM is available, and {cache}.")
    if memory.cache_share + free < SOME_CACHE:
        return Verdict(WATCH, f"Only {cache} and {_percent(free)} is free; 20 to 50% of cache would be healthy.")
    if memory.cache_share < SOME_CACHE:
        return Verdict(HEALTHY, f"{_capital(cache)}, and there is room for more: {_percent(free)} is free.")
    return Verdict(HEALTHY, f"{_capital(cache)}, and {_percent(available)} is available.")


def judge_swap(swap: Swap) -> Verdict:
    """Judge swap by whether its pages move; unused data in it is no problem."""
    if not swap.total and not swap.used:
        return Verdict(HEALTHY, "There is no swap.")
    moved = [rate or 0.0 for rate in (swap.in_per_second, swap.out_per_second)]
    in_use = f"{_mib(swap.used)} of swap are in use" + (", compressed in memory" if swap.compressed else "")
    if max(moved) < MOVING_SWAP:
        if swap.used < USED_SWAP:
            return Verdict(HEALTHY, "No swap is in use.")
        if swap.in_per_second is None:
            return Verdict(HEALTHY, f"{_capital(in_use)}; whether pages move is not known.")
        return Verdict(HEALTHY, f"{_capital(in_use)}, and its pages do not move: it is unused data.")
    rates = f"{_mib(moved[0])} in and {_mib(moved[1])} out a second"
    if min(moved) >= THRASHING_SWAP:
        return Verdict(SHORT, f"Pages move through swap both ways, {rates}: the host is short of RAM.")
    return Verdict(WATCH, f"{_capital(in_use)}, and its pages move, {rates}.")


def judge_cpu(cpu: Cpu) -> Verdict:
    """Judge the CPU by what its time was spent on in the sample, which is short; the load says whether it lasts."""
    stolen, waiting, throttled = cpu.st or 0, cpu.wa or 0, cpu.throttled or 0
    interrupts = (cpu.hi or 0) + (cpu.si or 0)
    verdicts = [
        (
            _level(stolen, STOLEN_WATCH, STOLEN_SHORT),
            f"st is {stolen:.0f}%: the host is short of CPU, since others on the machine below take it.",
        ),
        (
            _level(throttled, THROTTLED_WATCH, THROTTLED_SHORT),
            f"The CPU quota held tasks back in {throttled:.0f}% of the periods: they ask for more than it allows.",
        ),
        (_level(waiting, WAITING_WATCH, WAITING_SHORT), f"wa is {waiting:.0f}%: tasks wait for the disk."),
        (
            _level(interrupts, INTERRUPTS_WATCH, None),
            f"hi and si are {interrupts:.0f}%: much of the CPU goes to input and output.",
        ),
    ]
    busy = 0.0 if cpu.id is None else 100 - cpu.id - waiting
    verdicts.append(
        (_level(busy, BUSY_WATCH, None), f"The CPU was busy for {busy:.0f}% of the sample; load says if that lasts.")
    )
    level, reason = max(verdicts, key=lambda item: _ORDER.index(item[0]))
    if level == HEALTHY:
        known = cpu.id is not None
        idle = f"The CPU was idle for {cpu.id:.0f}% of the sample" if known else "It is not known how idle the CPU was"
        reason = f"{idle}, and neither the disk nor others held it up."
    return Verdict(level, reason)


def judge_load(load: Load) -> Verdict:
    """Judge the load over 5 and 15 minutes; the load of one minute says little."""
    five, fifteen = load.five / load.cores, load.fifteen / load.cores
    said = f"The load is {five:.2f} for each core over 5 and {fifteen:.2f} over 15 minutes"
    if max(five, fifteen) < LOAD_WATCH:
        return Verdict(HEALTHY, f"{said}, below {LOAD_WATCH}.")
    if min(five, fifteen) >= LOAD_SHORT:
        return Verdict(SHORT, f"{said}: more than the cores can do.")
    return Verdict(WATCH, f"{said}, where below {LOAD_WATCH} is healthy.")


def judge_pressure(pressure: dict[str, dict[str, float]]) -> Verdict:
    """Judge pressure stall information by the last minute."""
    found = []
    for (resource, name), (watch, short) in PRESSURE.items():
        percent = pressure.get(resource, {}).get(name, 0.0)
        who = "all" if name.startswith("full") else "some"
        reason = f"In the last minute {who} tasks waited {_WAITED_FOR[resource]} {percent:.0f}% of the time."
        found.append((_level(percent, watch, short), reason))
    level, reason = max(found, key=lambda item: _ORDER.index(item[0]))
    if level == HEALTHY:
        reason = "Tasks hardly waited for memory, disk or a CPU in the last minute."
    return Verdict(level, reason)


def worst(verdicts: t.Iterable[Verdict]) -> Verdict:
    """Return the worst of the verdicts, the first of equals."""
    return max(verdicts, key=lambda verdict: _ORDER.index(verdict.verdict))


def _level(value: float, watch: float, short: float | None) -> str:
    if short is not None and value >= short:
        return SHORT
    return WATCH if value >= watch else HEALTHY


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _mib(size: float) -> str:
    return f"{size / MIB:.0f} MiB" if size >= 10 * MIB else f"{size / MIB:.1f} MiB"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
