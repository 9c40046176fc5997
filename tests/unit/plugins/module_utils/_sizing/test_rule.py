# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from typing import Callable

import pytest
from bandwidth import LimitedService
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import (
    MASTER_MEMORY,
    TASKS_RESERVE,
    THREADS_MOST,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import Sizing
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import Limit, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.worker_classes import ASYNC_CLASSES

GIB = 1024 * MIB


class TestBounds:
    @pytest.mark.parametrize("cores", [1, 2, 3, 4, 8, 16, 64])
    def test_an_unmeasured_application_gets_twice_the_cores_and_one(
        self, size: Callable[..., Sizing], cores: int
    ) -> None:
        """Without a measurement the answer is the documented 2n+1, if memory allows."""
        assert size(cores, 64 * GIB).workers == 2 * cores + 1

    @pytest.mark.parametrize("cores", [1, 2, 16])
    def test_an_application_that_only_computes_gets_a_worker_a_core_and_one(
        self, size: Callable[..., Sizing], cores: int
    ) -> None:
        """With nothing to wait for, one worker a core and a spare one fill the host."""
        assert size(cores, wait_ratio=0).workers == cores + 1

    @pytest.mark.parametrize(("cpus", "workers"), [(0.5, 2), (1.3, 4), (1.5, 4), (1.6, 5), (2.5, 6)])
    def test_a_fraction_of_a_cpu_is_rounded_up(self, size: Callable[..., Sizing], cpus: float, workers: int) -> None:
        """A quota of 1.3 CPUs needs 2.6 busy workers, so three, and one more."""
        assert size(cpus).workers == workers

    def test_memory_decides_where_there_is_too_little_for_all_cores(self, size: Callable[..., Sizing]) -> None:
        """1 GiB less 204.8 MiB and the master holds six workers, however many the cores could use."""
        sizing = size(16, GIB)
        assert (sizing.workers, sizing.decided_by, sizing.bounds.cpu) == (6, "memory", 33)

    def test_memory_that_is_just_enough_is_used_in_full(self, size: Callable[..., Sizing]) -> None:
        """The bound is exact: one byte less is one worker less."""
        just_enough = 4 * 128 * MIB + MASTER_MEMORY + 100 * MIB
        assert size(8, just_enough, memory_reserve=100 * MIB).bounds.memory == 4
        assert size(8, just_enough - 1, memory_reserve=100 * MIB).bounds.memory == 3

    def test_the_reserve_is_a_fifth_but_at_least_128_mib(self, size: Callable[..., Sizing]) -> None:
        """A small host keeps 128 MiB for itself, a larger one a fifth."""
        per_worker = {"memory_per_worker": MIB}
        assert size(1, 512 * MIB, **per_worker).bounds.memory == 512 - 128 - 32
        assert size(1, 1000 * MIB, **per_worker).bounds.memory == 800 - 32

    def test_a_reserve_of_nothing_is_taken_literally(self, size: Callable[..., Sizing]) -> None:
        """0 is a value, not the absence of one."""
        assert size(1, 512 * MIB, memory_reserve=0, memory_per_worker=MIB).bounds.memory == 480

    def test_companions_come_first(self, size: Callable[..., Sizing]) -> None:
        """A worker less for each 128 MiB; a limit of the web service is not theirs."""
        assert [size(64, 1024 * MIB, memory_companions=n * 128 * MIB).workers for n in range(5)] == [6, 5, 4, 3, 2]
        limits = Limits(memory=Limit(512 * MIB, "MemoryMax=512M"))
        assert size(64, 2048 * MIB, limits=limits, memory_companions=512 * MIB).workers == 3

    def test_half_of_the_host_is_half_of_its_cpus_and_of_its_free_memory(self, size: Callable[..., Sizing]) -> None:
        """The reserve is subtracted before the share is taken: two halves fit the whole."""
        sizing = size(4, 1000 * MIB, share=0.5, memory_per_worker=MIB)
        assert (sizing.bounds.cpu, sizing.bounds.memory) == (5, 400 - 32)

    def test_the_minimum_raises_and_the_maximum_caps(self, size: Callable[..., Sizing]) -> None:
        """What the user wants wins over the CPU bound."""
        raised, capped = size(2, minimum=9), size(2, maximum=3)
        assert (raised.workers, raised.decided_by) == (9, "minimum")
        assert (capped.workers, capped.decided_by) == (3, "maximum")

    def test_a_minimum_or_maximum_that_is_met_anyway_decides_nothing(self, size: Callable[..., Sizing]) -> None:
        """A bound decides only if the answer without it was another."""
        assert size(2, minimum=5, maximum=5).decided_by == "cpu"

    def test_memory_wins_over_the_minimum_and_says_so(self, size: Callable[..., Sizing]) -> None:
        """Workers that don't fit would be killed: fewer run, and the user is told."""
        sizing = size(2, GIB, minimum=8)
        assert (sizing.workers, sizing.decided_by, sizing.fits) == (6, "memory", True)
        assert "minimum is 8" in sizing.warnings[0]
        assert "holds 6" in sizing.warnings[0]

    @pytest.mark.parametrize("memory", [16 * MIB, 160 * MIB, 287 * MIB])
    def test_where_no_worker_fits_one_runs_and_the_user_is_warned(
        self, size: Callable[..., Sizing], memory: int
    ) -> None:
        """A host that is too small gets a worker and a warning, not a crash and not a hanging server."""
        sizing = size(2, memory)
        assert (sizing.workers, sizing.fits, sizing.bounds.memory, sizing.decided_by) == (1, False, 0, "memory")
        assert len(sizing.warnings) == 1
        assert "128 MiB" in sizing.warnings[0]
        assert "holds no worker" in sizing.reason

    @pytest.mark.parametrize("ratio", [1.0000000002, 0.9999999998, 1.0])
    def test_the_inaccuracy_of_a_measurement_adds_no_worker(self, size: Callable[..., Sizing], ratio: float) -> None:
        """2 x 2.0000000002 is 4 before it is rounded up."""
        assert size(2, wait_ratio=ratio).workers == 6

    def test_decimal_fractions_mean_what_they_say(self, size: Callable[..., Sizing]) -> None:
        """0.7 of 1000 MiB are 700, though the float 0.7 is a bit less than seven tenths."""
        assert size(2, 1000 * MIB, share=0.7, memory_reserve=0, memory_per_worker=668 * MIB).bounds.memory == 1

    def test_an_absurd_wait_ratio_ends_at_the_memory(self, size: Callable[..., Sizing]) -> None:
        """More workers than a float can count are still only as many as fit."""
        assert size(64, wait_ratio=1.7e308).decided_by == "memory"


class TestLimitsOfTheService:
    def test_memory_is_all_for_the_project(self, size: Callable[..., Sizing]) -> None:
        """The reserve and the share are of the host's memory: what the unit allows is this project's alone."""
        limits = Limits(memory=Limit(512 * MIB, "MemoryMax=512M"))
        for share in (1, 0.5):
            sizing = size(16, share=share, limits=limits)
            assert (sizing.workers, sizing.decided_by) == ((512 - 32) // 128, "memory")

    def test_a_quota_is_all_for_the_project(self, size: Callable[..., Sizing]) -> None:
        """Half of 16 cores are 8, and of these the service may use one and a half."""
        limits = Limits(cpus=Limit(1.5, "CPUQuota=150%"))
        assert size(16, share=0.5, limits=limits).workers == 4

    def test_what_is_above_the_host_limits_nothing(self, size: Callable[..., Sizing]) -> None:
        """The answer and its sentence are those without the limits."""
        limits = Limits(cpus=Limit(4, "CPUQuota=400%"), memory=Limit(15 * GIB, "MemoryMax=15G"))
        assert size(limits=limits) == size()

    @pytest.mark.parametrize(
        ("tasks", "demand", "workers"),
        [
            (TASKS_RESERVE + 8, {}, 4),
            (TASKS_RESERVE + 9, {}, 4),
            (TASKS_RESERVE + 10, {}, 5),
            (TASKS_RESERVE + 40, {"worker_class": "gthread", "threads": 4}, 4),
            (TASKS_RESERVE + 40, {"threads": 4}, 4),
            (TASKS_RESERVE + 66, {"worker_class": "gevent"}, 3),
        ],
    )
    def test_tasks_hold_the_workers_and_their_threads_twice(
        self, size: Callable[..., Sizing], tasks: int, demand: dict, workers: int
    ) -> None:
        """A reload starts the new workers beside the old ones; a fork that fails ends the master."""
        limits = Limits(tasks=Limit(tasks, f"TasksMax={tasks}"))
        sizing = size(8, minimum=8, limits=limits, **demand)
        assert (sizing.workers, sizing.bounds.tasks) == (min(workers, 8), workers)
        assert (sizing.decided_by, sizing.fits) == ("tasks", True)
        assert "raise TasksMax" in sizing.warnings[0]

    @pytest.mark.parametrize(
        ("limits", "names"),
        [
            (Limits(tasks=Limit(4, "TasksMax=4")), "TasksMax=4 of the service"),
            (Limits(memory=Limit(64 * MIB, "MemoryMax=64M")), "MemoryMax=64M of the service"),
        ],
    )
    def test_limits_that_hold_no_worker(self, size: Callable[..., Sizing], limits: Limits, names: str) -> None:
        """One runs all the same, and the warning says which limit to raise."""
        sizing = size(limits=limits)
        assert (sizing.workers, sizing.fits) == (1, False)
        assert names in sizing.warnings[0]
        assert "no worker" in sizing.reason


class TestThreads:
    def test_sync_has_one_thread(self, size: Callable[..., Sizing]) -> None:
        """There are no threads unless the user asks for them: the application may not be safe for them."""
        sizing = size(worker_class="sync", wait_ratio=20)
        assert (sizing.threads, sizing.worker_class, sizing.workers) == (1, "sync", 50)

    @pytest.mark.parametrize("worker_class", ["sync", "gunicorn.workers.sync.SyncWorker"])
    def test_sync_with_threads_becomes_gthread(self, size: Callable[..., Sizing], worker_class: str) -> None:
        """Gunicorn runs gthread then, so the answer says gthread."""
        sizing = size(worker_class=worker_class, threads=4)
        assert (sizing.threads, sizing.worker_class) == (4, "gthread")

    def test_sync_with_one_thread_stays_sync(self, size: Callable[..., Sizing]) -> None:
        """One thread is what a sync worker has."""
        assert size(worker_class="sync", threads=1).worker_class == "sync"

    @pytest.mark.parametrize(("ratio", "threads"), [(None, 2), (0, 2), (0.2, 2), (1, 2), (6, 9), (20, 24), (1000, 32)])
    def test_gthread_gets_as_many_threads_as_fill_a_core(
        self, size: Callable[..., Sizing], ratio: float | None, threads: int
    ) -> None:
        """So that two workers carry what two cores can do, from 2 to 32."""
        assert size(worker_class="gthread", wait_ratio=ratio).threads == threads

    def test_threads_replace_workers(self, size: Callable[..., Sizing]) -> None:
        """The waiting application that needs 50 sync workers needs one for each core and one in reserve with threads."""
        assert size(worker_class="gthread", wait_ratio=20).workers == 3
        assert size(worker_class="gthread", wait_ratio=20, threads=8).workers == 7

    def test_threads_never_leave_a_core_without_a_worker(self, size: Callable[..., Sizing]) -> None:
        """The interpreter's lock lets one worker use one core, whatever its threads."""
        assert size(16, worker_class="gthread", threads=8).workers == 16

    def test_the_path_of_the_thread_worker_is_gthread(self, size: Callable[..., Sizing]) -> None:
        """The long name gets the same answer as the short one."""
        sizing = size(worker_class="gunicorn.workers.gthread.ThreadWorker")
        assert sizing.threads == size(worker_class="gthread").threads == 2


class TestThreadSafe:
    def test_an_application_that_waits_gets_threads_before_workers(self, size: Callable[..., Sizing]) -> None:
        """Without them it would be 50 processes."""
        sizing = size(wait_ratio=20, thread_safe=True)
        assert (sizing.workers, sizing.threads, sizing.worker_class) == (3, 24, "gthread")

    @pytest.mark.parametrize("ratio", [None, 0, 0.4])
    def test_one_that_computes_or_was_not_measured_gets_none(
        self, size: Callable[..., Sizing], ratio: float | None
    ) -> None:
        """The interpreter's lock costs more than threads bring."""
        assert size(wait_ratio=ratio, thread_safe=True) == size(wait_ratio=ratio)

    def test_half_a_wait_is_enough(self, size: Callable[..., Sizing]) -> None:
        """Two threads fill the core that one leaves idle for a third of the time."""
        assert size(1, wait_ratio=0.4, thread_safe=True).threads == 1
        assert size(1, wait_ratio=0.5, thread_safe=True).threads == 2

    def test_there_is_an_end_to_threads(self, size: Callable[..., Sizing]) -> None:
        """However long the application waits, a worker has no more than this, and there are more workers."""
        sizing = size(2, wait_ratio=1000, thread_safe=True)
        assert (sizing.threads, sizing.workers) == (THREADS_MOST, 65)

    def test_memory_takes_the_one_in_reserve_first(self, size: Callable[..., Sizing]) -> None:
        """Two workers carry what two cores can do: where memory holds two, only the reserve is lost."""
        sizing = size(2, 512 * MIB, wait_ratio=20, thread_safe=True)
        assert (sizing.workers, sizing.threads, sizing.decided_by) == (2, 24, "memory")


def busy(workers: int, cores: float, ratio: float) -> float:
    """The part of the cores that is busy if each worker computes, and then waits `ratio` times as long on average.

    The machine repair model: so many machines that fail at random, and so many repairmen.
    """
    weights = [1.0]
    for computing in range(1, workers + 1):
        weights.append(weights[-1] * (workers - computing + 1) / ratio / min(computing, cores))
    return sum(min(number, cores) * weight for number, weight in enumerate(weights)) / sum(weights) / cores


class TestMeasured:
    @given(st.sampled_from([1, 1.5, 2, 3, 4, 8, 16]), st.floats(0.1, 20))
    def test_the_cores_are_busy(self, size: Callable[..., Sizing], cpus: float, ratio: float) -> None:
        """With as many workers as the rule says, the cores idle for 5% of the time at most."""
        assert busy(size(cpus, 2048 * GIB, wait_ratio=ratio).workers, cpus, ratio) > 0.95

    @given(st.sampled_from([1, 2, 3, 4, 8, 16]), st.floats(0.1, 20))
    def test_not_many_more_than_needed(self, size: Callable[..., Sizing], cpus: int, ratio: float) -> None:
        """Memory is expensive: with a fifth less and another three less, the cores would idle for longer."""
        assert busy(math.floor(size(cpus, 2048 * GIB, wait_ratio=ratio).workers * 0.8) - 3, cpus, ratio) < 0.95


class TestQuota:
    """The quota stops all threads for a part of each period, which a model of a slower CPU does not know."""

    @pytest.mark.parametrize(("quota", "cores"), [(0.25, 2), (0.5, 1), (0.5, 2), (1, 2), (1.5, 2), (2.5, 8)])
    @pytest.mark.parametrize("compute", [0.002, 0.05])
    @pytest.mark.parametrize("ratio", [0.3, 3, 14])
    @pytest.mark.parametrize("thread_safe", [False, True])
    def test_it_is_used_up(
        self, size: Callable[..., Sizing], quota: float, cores: int, compute: float, ratio: float, thread_safe: bool
    ) -> None:
        """Requests that were stopped all compute when the next period begins, so 5% of the quota are lost at most."""
        sizing = size(quota, 64 * GIB, cpus_by="quota", wait_ratio=ratio, thread_safe=thread_safe)
        service = LimitedService(sizing.workers, sizing.threads, compute, ratio * compute, quota, cores)
        service.run(periods=30)
        assert service.run(periods=300) > 0.95

    def test_too_few_workers_do_not_use_it_up(self) -> None:
        """Workers for the mean alone, without those for the root: the model tells the difference."""
        service = LimitedService(8, 1, compute=0.05, wait=14 * 0.05, quota=0.5, cores=2)
        service.run(periods=30)
        assert service.run(periods=300) < 0.93


class TestAsync:
    @pytest.mark.parametrize("worker_class", ASYNC_CLASSES + ("uvicorn.workers.UvicornWorker",))
    @pytest.mark.parametrize(("cpus", "workers"), [(1, 1), (2, 2), (2.5, 3), (16, 16), (0.5, 1)])
    def test_an_event_loop_gets_one_worker_a_core(
        self, size: Callable[..., Sizing], worker_class: str, cpus: float, workers: int
    ) -> None:
        """One loop keeps one core busy however much its requests wait."""
        sizing = size(cpus, worker_class=worker_class, wait_ratio=20)
        assert (sizing.workers, sizing.threads, sizing.worker_class) == (workers, 1, worker_class)

    def test_it_is_what_the_rule_gives_for_unlimited_threads(self, size: Callable[..., Sizing]) -> None:
        """The rule for event loops is not a second rule."""
        event_loop, threads = size(4, worker_class="gevent"), size(4, threads=10**6)
        assert event_loop.bounds.cpu == threads.bounds.cpu
