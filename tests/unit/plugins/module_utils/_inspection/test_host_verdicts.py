# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import host_verdicts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.host_usage import Cpu, Load, Memory, Swap
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.host_verdicts import Verdict

GIB = 1 << 30
MIB = 1 << 20
NO_SWAP = Swap(0, 0, 0.0, 0.0)


def memory(used: float, cache: float, available: float | None = None) -> Memory:
    """A host of 4 GiB with these shares of it."""
    total = 4 * GIB
    sizes = [int(total * share) for share in (used, cache)]
    free = total - sum(sizes)
    return Memory(total, sizes[0], free, sizes[1], int(total * available) if available else free + sizes[1] * 9 // 10)


def idle(**others: float) -> Cpu:
    """A host whose CPU does nothing but this."""
    return Cpu(
        **{"us": 0, "sy": 0, "ni": 0, "id": 100 - sum(others.values()), "wa": 0, "hi": 0, "si": 0, "st": 0, **others},
        sample=0.5,
    )  # type: ignore[arg-type]


class TestMemory:
    """The book's cases."""

    def test_projects_that_were_given_more_than_there_is(self) -> None:
        """It is the reason if there is no worse one."""
        healthy, full = memory(0.6, 0.31), memory(0.98, 0.01)
        assert host_verdicts.judge_memory(healthy, NO_SWAP, 4 * GIB).verdict == "healthy"
        assert host_verdicts.judge_memory(healthy, NO_SWAP, 5 * GIB) == (
            "watch",
            "The projects of this host were given 5120 MiB, and its RAM is 4096 MiB: it is enough as long as not all of them "
            "take theirs.",
        )
        assert host_verdicts.judge_memory(full, NO_SWAP, 5 * GIB) == host_verdicts.judge_memory(full, NO_SWAP)

    @pytest.mark.parametrize(
        ("readings", "swap", "verdict", "reason"),
        [
            (memory(0.6, 0.31), NO_SWAP, "healthy", "31% of the RAM is cache, and 37% is available."),
            (memory(0.6, 0.31), Swap(GIB, GIB // 2), "healthy", "31% of the RAM is cache, and 37% is available."),
            (memory(0.1, 0.05), NO_SWAP, "healthy", "5% of the RAM is cache, and there is room for more: 85% is free."),
            (
                memory(0.83, 0.14),
                NO_SWAP,
                "watch",
                "Only 14% of the RAM is cache and 3% is free; 20 to 50% of cache would be healthy.",
            ),
            (
                memory(0.92, 0.06),
                Swap(GIB, 300 * MIB),
                "short",
                "Only 6% of the RAM is cache and 300 MiB of swap are in use: the host is short of RAM.",
            ),
            (
                memory(0.9, 0.07),
                Swap(GIB, 300 * MIB, compressed=True),
                "watch",
                "Only 9% of the RAM is available, and 7% of the RAM is cache.",
            ),
            (memory(0.97, 0.02), NO_SWAP, "short", "Only 3% of the RAM is available: the host is short of RAM."),
        ],
    )
    def test_verdicts(self, readings: Memory, swap: Swap, verdict: str, reason: str) -> None:
        """Cache and swap together decide, and the sentence has the figures."""
        assert host_verdicts.judge_memory(readings, swap) == (verdict, reason)


class TestSwap:
    @pytest.mark.parametrize(
        ("swap", "verdict", "reason"),
        [
            (NO_SWAP, "healthy", "There is no swap."),
            (Swap(GIB, 0, 0.0, 0.0), "healthy", "No swap is in use."),
            (
                Swap(GIB, 300 * MIB, 0.0, 0.0),
                "healthy",
                "300 MiB of swap are in use, and its pages do not move: it is unused data.",
            ),
            (Swap(GIB, 300 * MIB), "healthy", "300 MiB of swap are in use; whether pages move is not known."),
            (
                Swap(GIB, 300 * MIB, 0.0, 5.0 * MIB),
                "watch",
                "300 MiB of swap are in use, and its pages move, 0.0 MiB in and 5.0 MiB out a second.",
            ),
            (
                Swap(GIB, 300 * MIB, 8.0 * MIB, 5.0 * MIB),
                "short",
                "Pages move through swap both ways, 8.0 MiB in and 5.0 MiB out a second: the host is short of RAM.",
            ),
        ],
    )
    def test_verdicts(self, swap: Swap, verdict: str, reason: str) -> None:
        """Pages that move count, not those that are in swap."""
        assert host_verdicts.judge_swap(swap) == (verdict, reason)


class TestCpu:
    @pytest.mark.parametrize(
        ("cpu", "verdict", "reason"),
        [
            (
                idle(us=20),
                "healthy",
                "The CPU was idle for 80% of the sample, and neither the disk nor others held it up.",
            ),
            (idle(us=97), "watch", "The CPU was busy for 97% of the sample; load says if that lasts."),
            (idle(wa=12), "watch", "wa is 12%: tasks wait for the disk."),
            (idle(wa=40), "short", "wa is 40%: tasks wait for the disk."),
            (idle(st=12), "short", "st is 12%: the host is short of CPU, since others on the machine below take it."),
            (idle(hi=5, si=20), "watch", "hi and si are 25%: much of the CPU goes to input and output."),
            (idle(wa=40, st=6), "short", "wa is 40%: tasks wait for the disk."),
            (
                idle(us=50)._replace(throttled=60.0),
                "short",
                "The CPU quota held tasks back in 60% of the periods: they ask for more than it allows.",
            ),
            (
                Cpu(*[None] * 8, sample=0.5),
                "healthy",
                "It is not known how idle the CPU was, and neither the disk nor others held it up.",
            ),
        ],
    )
    def test_verdicts(self, cpu: Cpu, verdict: str, reason: str) -> None:
        """Steal is short of CPU, waiting is the disk."""
        assert host_verdicts.judge_cpu(cpu) == (verdict, reason)


class TestLoad:
    @pytest.mark.parametrize(
        ("load", "verdict"),
        [
            (Load(9.0, 1.3, 1.3, 2), "healthy"),
            (Load(0.0, 1.4, 0.2, 2), "watch"),
            (Load(0.0, 2.5, 1.9, 2), "watch"),
            (Load(0.0, 2.5, 2.0, 2), "short"),
            (Load(150.0, 150.0, 150.0, 256), "healthy"),
        ],
    )
    def test_verdicts(self, load: Load, verdict: str) -> None:
        """5 and 15 minutes decide, against the cores; one minute does not."""
        assert host_verdicts.judge_load(load).verdict == verdict

    def test_the_sentence_has_the_figures(self) -> None:
        """So that a person can check them."""
        reason = "The load is 0.65 for each core over 5 and 0.50 over 15 minutes, below 0.7."
        assert host_verdicts.judge_load(Load(9.0, 1.3, 1.0, 2)).reason == reason


class TestPressure:
    @pytest.mark.parametrize(
        ("pressure", "verdict", "reason"),
        [
            ({}, "healthy", "Tasks hardly waited for memory, disk or a CPU in the last minute."),
            (
                {"memory": {"full_10": 90.0}},
                "healthy",
                "Tasks hardly waited for memory, disk or a CPU in the last minute.",
            ),
            ({"cpu": {"some_60": 50.0}}, "watch", "In the last minute some tasks waited for a CPU 50% of the time."),
            (
                {"cpu": {"some_60": 50.0}, "memory": {"full_60": 11.0}},
                "short",
                "In the last minute all tasks waited for memory 11% of the time.",
            ),
        ],
    )
    def test_verdicts(self, pressure: dict[str, dict[str, float]], verdict: str, reason: str) -> None:
        """The last minute decides; 10 seconds pass."""
        assert host_verdicts.judge_pressure(pressure) == (verdict, reason)


SHARES = st.floats(0, 1)
PERCENT = st.none() | st.floats(0, 100)


@given(SHARES, SHARES, SHARES, st.integers(0, 4 * GIB), st.booleans())
def test_more_available_memory_is_never_worse(
    used: float, available: float, more: float, swapped: int, zram: bool
) -> None:
    """Of two hosts that differ in nothing else."""
    low, high = sorted((available, more))
    swap = Swap(4 * GIB, swapped, compressed=zram)
    order = ("short", "watch", "healthy")
    verdicts = [
        order.index(
            host_verdicts.judge_memory(
                Memory(GIB, int(used * GIB), GIB - int(used * GIB), 0, int(share * GIB)), swap
            ).verdict
        )
        for share in (low, high)
    ]
    assert verdicts[0] <= verdicts[1]


@given(st.lists(PERCENT, min_size=8, max_size=8), PERCENT)
def test_every_reading_of_the_cpu_has_a_sentence(percents: list[float | None], throttled: float | None) -> None:
    """One, with an end."""
    verdict = host_verdicts.judge_cpu(Cpu(*percents, sample=0.5, throttled=throttled))
    assert verdict.reason.endswith(".")
    assert verdict.reason.count(". ") == 0


def test_the_worst_is_the_hosts() -> None:
    """And the first of equals."""
    verdicts = [Verdict(level, str(number)) for number, level in enumerate(("healthy", "watch", "watch"))]
    assert host_verdicts.worst(verdicts) == ("watch", "1")
