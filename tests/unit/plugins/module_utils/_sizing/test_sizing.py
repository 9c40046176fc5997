# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import (
    MASTER_MEMORY,
    RESERVE_MINIMUM,
    TASKS_RESERVE,
    THREADS_MOST,
    Limit,
    Limits,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import Sizing, size_workers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.worker_classes import ASYNC_CLASSES

GIB = 1024 * MIB


def a_host(cpus: float = 2, memory: int = 16 * GIB, cpus_by: str = "online", memory_by: str = "total") -> Host:
    return Host(Resource(cpus, cpus_by), Resource(memory, memory_by))


def size(cpus: float = 2, memory: int = 16 * GIB, **demand: object) -> Sizing:
    return size_workers(a_host(cpus, memory), Demand(**demand))  # type: ignore[arg-type]


cpu_counts = st.one_of(st.integers(1, 512), st.floats(0.01, 512))
memories = st.integers(16 * MIB, 2048 * GIB)
shares = st.floats(0.001, 1)
worker_sizes = st.integers(MIB, 4 * GIB)
demands = st.builds(
    Demand,
    memory_per_worker=worker_sizes,
    memory_reserve=st.none() | st.integers(0, 8 * GIB),
    wait_ratio=st.none() | st.floats(0, 100),
    worker_class=st.sampled_from(("sync", "gthread", "gevent", "shop.workers.Loop")),
    threads=st.none() | st.integers(1, 64),
    thread_safe=st.booleans(),
    minimum=st.integers(1, 8),
    maximum=st.none() | st.integers(8, 64),
    share=shares,
)
service_limits = st.builds(
    Limits,
    cpus=st.none() | st.builds(Limit, st.floats(0.01, 64), st.just("CPUQuota=x")),
    memory=st.none() | st.builds(Limit, st.integers(MIB, 64 * GIB), st.just("MemoryMax=x")),
    tasks=st.none() | st.builds(Limit, st.integers(1, 1000), st.just("TasksMax=x")),
)


class TestRule:
    @pytest.mark.parametrize("cores", [1, 2, 3, 4, 8, 16, 64])
    def test_an_unmeasured_application_gets_twice_the_cores_and_one(self, cores: int) -> None:
        """Without a measurement the answer is the documented 2n+1, if memory allows."""
        assert size(cores, 64 * GIB).workers == 2 * cores + 1

    @pytest.mark.parametrize("cores", [1, 2, 16])
    def test_an_application_that_only_computes_gets_a_worker_a_core_and_one(self, cores: int) -> None:
        """With nothing to wait for, one worker a core and a spare one fill the host."""
        assert size(cores, wait_ratio=0).workers == cores + 1

    @pytest.mark.parametrize(("cpus", "workers"), [(0.5, 2), (1.3, 4), (1.5, 4), (1.6, 5), (2.5, 6)])
    def test_a_fraction_of_a_cpu_is_rounded_up(self, cpus: float, workers: int) -> None:
        """A quota of 1.3 CPUs needs 2.6 busy workers, so three, and one more."""
        assert size(cpus).workers == workers

    def test_memory_decides_where_there_is_too_little_for_all_cores(self) -> None:
        """1 GiB less 204.8 MiB and the master holds six workers, whatever the cores ask for."""
        sizing = size(16, GIB)
        assert (sizing.workers, sizing.decided_by, sizing.bounds.cpu) == (6, "memory", 33)

    def test_memory_that_is_just_enough_is_used_in_full(self) -> None:
        """The bound is exact: one byte less is one worker less."""
        just_enough = 4 * 128 * MIB + MASTER_MEMORY + 100 * MIB
        assert size(8, just_enough, memory_reserve=100 * MIB).bounds.memory == 4
        assert size(8, just_enough - 1, memory_reserve=100 * MIB).bounds.memory == 3

    def test_the_reserve_is_a_fifth_but_at_least_128_mib(self) -> None:
        """A small host keeps 128 MiB for itself, a larger one a fifth."""
        per_worker = {"memory_per_worker": MIB}
        assert size(1, 512 * MIB, **per_worker).bounds.memory == 512 - 128 - 32
        assert size(1, 1000 * MIB, **per_worker).bounds.memory == 800 - 32

    def test_a_reserve_of_nothing_is_taken_literally(self) -> None:
        """0 is a value, not the absence of one."""
        assert size(1, 512 * MIB, memory_reserve=0, memory_per_worker=MIB).bounds.memory == 480

    def test_half_of_the_host_is_half_of_its_cpus_and_of_its_free_memory(self) -> None:
        """The reserve goes off before the share is taken: two halves fit the whole."""
        sizing = size(4, 1000 * MIB, share=0.5, memory_per_worker=MIB)
        assert (sizing.bounds.cpu, sizing.bounds.memory) == (5, 400 - 32)

    def test_the_minimum_raises_and_the_maximum_caps(self) -> None:
        """What the user wants wins over the CPU bound."""
        raised, capped = size(2, minimum=9), size(2, maximum=3)
        assert (raised.workers, raised.decided_by) == (9, "minimum")
        assert (capped.workers, capped.decided_by) == (3, "maximum")

    def test_a_minimum_or_maximum_that_is_met_anyway_decides_nothing(self) -> None:
        """A bound decides only if the answer without it was another."""
        assert size(2, minimum=5, maximum=5).decided_by == "cpu"

    def test_memory_wins_over_the_minimum_and_says_so(self) -> None:
        """Workers that don't fit would be killed: fewer run, and the user is told."""
        sizing = size(2, GIB, minimum=8)
        assert (sizing.workers, sizing.decided_by, sizing.fits) == (6, "memory", True)
        assert "minimum is 8" in sizing.warnings[0]
        assert "holds 6" in sizing.warnings[0]

    @pytest.mark.parametrize("memory", [16 * MIB, 160 * MIB, 287 * MIB])
    def test_where_no_worker_fits_one_runs_and_the_user_is_warned(self, memory: int) -> None:
        """A host that is too small gets a worker and a warning, not a crash and not a hanging server."""
        sizing = size(2, memory)
        assert (sizing.workers, sizing.fits, sizing.bounds.memory, sizing.decided_by) == (1, False, 0, "memory")
        assert len(sizing.warnings) == 1
        assert "128 MiB" in sizing.warnings[0]
        assert "holds no worker" in sizing.reason

    def test_a_host_with_room_gets_no_warning(self) -> None:
        """Silence is the normal case."""
        assert size().warnings == []

    @pytest.mark.parametrize("ratio", [1.0000000002, 0.9999999998, 1.0])
    def test_the_dust_of_a_measurement_adds_no_worker(self, ratio: float) -> None:
        """2 x 2.0000000002 is 4 before it is rounded up."""
        assert size(2, wait_ratio=ratio).workers == 6

    def test_decimal_fractions_mean_what_they_say(self) -> None:
        """0.7 of 1000 MiB are 700, though the float 0.7 is a bit less than seven tenths."""
        assert size(2, 1000 * MIB, share=0.7, memory_reserve=0, memory_per_worker=668 * MIB).bounds.memory == 1

    def test_an_absurd_wait_ratio_ends_at_the_memory(self) -> None:
        """More workers than a float can count are still only as many as fit."""
        assert size(64, wait_ratio=1.7e308).decided_by == "memory"


class TestLimitsOfTheService:
    def test_memory_is_all_for_the_project(self) -> None:
        """The reserve and the share are of the host's memory: what the unit allows is this project's alone."""
        limits = Limits(memory=Limit(512 * MIB, "MemoryMax=512M"))
        for share in (1, 0.5):
            sizing = size_workers(a_host(16), Demand(share=share), limits)
            assert (sizing.workers, sizing.decided_by) == ((512 - 32) // 128, "memory")

    def test_a_quota_is_all_for_the_project(self) -> None:
        """Half of 16 cores are 8, and of these the service may use one and a half."""
        limits = Limits(cpus=Limit(1.5, "CPUQuota=150%"))
        assert size_workers(a_host(16), Demand(share=0.5), limits).workers == 4

    def test_what_is_above_the_host_limits_nothing(self) -> None:
        """The answer and its sentence are those without the limits."""
        limits = Limits(cpus=Limit(4, "CPUQuota=400%"), memory=Limit(15 * GIB, "MemoryMax=15G"))
        assert size_workers(a_host(), Demand(), limits) == size()

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
    def test_tasks_hold_the_workers_and_their_threads_twice(self, tasks: int, demand: dict, workers: int) -> None:
        """A reload starts the new workers beside the old ones; a fork that fails ends the master."""
        limits = Limits(tasks=Limit(tasks, f"TasksMax={tasks}"))
        sizing = size_workers(a_host(8), Demand(minimum=8, **demand), limits)
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
    def test_limits_that_hold_no_worker(self, limits: Limits, names: str) -> None:
        """One runs all the same, and the warning says which limit to raise."""
        sizing = size_workers(a_host(), Demand(), limits)
        assert (sizing.workers, sizing.fits) == (1, False)
        assert names in sizing.warnings[0]
        assert "no worker" in sizing.reason

    def test_the_reason_names_each_limit_that_holds(self) -> None:
        """The sentence has the numbers and the directives that they come from."""
        limits = Limits(
            cpus=Limit(1.5, "CPUQuota=150%"), memory=Limit(512 * MIB, "MemoryHigh=512M"), tasks=Limit(22, "TasksMax=22")
        )
        assert size_workers(a_host(), Demand(), limits).reason == (
            "3 workers: 1.5 CPUs (CPUQuota=150% of the service) x (1 + wait ratio 1) + 1 = 4 by CPU; 512 MiB "
            "(MemoryHigh=512M of the service) - 32 MiB master holds 3 workers of 128 MiB, so memory decides."
        )

    def test_tasks_are_in_the_sentence_where_they_decide(self) -> None:
        """Every service has some limit of them."""
        assert size_workers(a_host(), Demand(), Limits(tasks=Limit(18, "TasksMax=18"))).reason == (
            "1 worker: 2 cores x (1 + wait ratio 1) + 1 = 5 by CPU; 16384 MiB - 3276.8 MiB reserve - 32 MiB master holds "
            "102 workers of 128 MiB; 18 tasks (TasksMax=18 of the service) - 16 for master and reload hold 1 worker of "
            "2 x 1 task, so TasksMax decides."
        )


class TestThreads:
    def test_sync_has_one_thread(self) -> None:
        """Nobody gets threads who did not ask for them: the application may not be safe for them."""
        sizing = size(worker_class="sync", wait_ratio=20)
        assert (sizing.threads, sizing.worker_class, sizing.workers) == (1, "sync", 50)

    @pytest.mark.parametrize("worker_class", ["sync", "gunicorn.workers.sync.SyncWorker"])
    def test_sync_with_threads_becomes_gthread(self, worker_class: str) -> None:
        """Gunicorn runs gthread then, so the answer says gthread."""
        sizing = size(worker_class=worker_class, threads=4)
        assert (sizing.threads, sizing.worker_class) == (4, "gthread")

    def test_sync_with_one_thread_stays_sync(self) -> None:
        """One thread is what a sync worker has."""
        assert size(worker_class="sync", threads=1).worker_class == "sync"

    @pytest.mark.parametrize(("ratio", "threads"), [(None, 2), (0, 2), (0.2, 2), (1, 2), (6, 9), (20, 24), (1000, 32)])
    def test_gthread_gets_as_many_threads_as_fill_a_core(self, ratio: float | None, threads: int) -> None:
        """So that two workers carry what two cores can do, from 2 to 32."""
        assert size(worker_class="gthread", wait_ratio=ratio).threads == threads

    def test_threads_stand_in_for_workers(self) -> None:
        """The waiting application that needs 50 sync workers needs one for each core and one in reserve with threads."""
        assert size(worker_class="gthread", wait_ratio=20).workers == 3
        assert size(worker_class="gthread", wait_ratio=20, threads=8).workers == 7

    def test_threads_never_leave_a_core_without_a_worker(self) -> None:
        """The interpreter's lock lets one worker use one core, whatever its threads."""
        assert size(16, worker_class="gthread", threads=8).workers == 16

    def test_the_path_of_the_thread_worker_is_gthread(self) -> None:
        """The long name gets the same answer as the short one."""
        sizing = size(worker_class="gunicorn.workers.gthread.ThreadWorker")
        assert sizing.threads == size(worker_class="gthread").threads == 2


class TestThreadSafe:
    def test_who_waits_gets_threads_before_workers(self) -> None:
        """Without them it would be 50 processes."""
        sizing = size(wait_ratio=20, thread_safe=True)
        assert (sizing.workers, sizing.threads, sizing.worker_class) == (3, 24, "gthread")

    @pytest.mark.parametrize("ratio", [None, 0, 0.4])
    def test_who_computes_or_was_not_measured_gets_none(self, ratio: float | None) -> None:
        """The interpreter's lock costs more than threads bring."""
        assert size(wait_ratio=ratio, thread_safe=True) == size(wait_ratio=ratio)

    def test_half_a_wait_is_enough(self) -> None:
        """Two threads fill the core that one leaves idle for a third of the time."""
        assert size(1, wait_ratio=0.4, thread_safe=True).threads == 1
        assert size(1, wait_ratio=0.5, thread_safe=True).threads == 2

    def test_there_is_an_end_to_threads(self) -> None:
        """However long the application waits, others are needed beside a worker of so many."""
        sizing = size(2, wait_ratio=1000, thread_safe=True)
        assert (sizing.threads, sizing.workers) == (THREADS_MOST, 65)

    def test_memory_takes_the_one_in_reserve_first(self) -> None:
        """Two workers carry what two cores can do: where memory holds two, nothing is lost but the reserve."""
        sizing = size(2, 512 * MIB, wait_ratio=20, thread_safe=True)
        assert (sizing.workers, sizing.threads, sizing.decided_by) == (2, 24, "memory")

    @given(cpu_counts, memories, demands)
    def test_it_never_takes_more_workers(self, cpus: float, memory: int, demand: Demand) -> None:
        """Threads stand in for workers, they don't come on top."""
        host = a_host(cpus, memory)
        threaded = size_workers(host, demand._replace(thread_safe=True, maximum=None, minimum=1))
        assert (
            threaded.workers <= size_workers(host, demand._replace(thread_safe=False, maximum=None, minimum=1)).workers
        )

    @given(cpu_counts, memories, demands)
    def test_what_the_user_says_wins(self, cpus: float, memory: int, demand: Demand) -> None:
        """Who says how many threads, gets so many."""
        assume(demand.threads is not None and demand.worker_class in ("sync", "gthread"))
        assert size_workers(a_host(cpus, memory), demand).threads == demand.threads


def busy(workers: int, cores: float, ratio: float) -> float:
    """The part of the cores that is busy if each worker computes, and then waits for `ratio` times as long on average.

    The machine repair model: so many machines that fail at random, and so many repairmen.
    """
    weights = [1.0]
    for computing in range(1, workers + 1):
        weights.append(weights[-1] * (workers - computing + 1) / ratio / min(computing, cores))
    return sum(min(number, cores) * weight for number, weight in enumerate(weights)) / sum(weights) / cores


class TestMeasured:
    @given(st.sampled_from([1, 1.5, 2, 3, 4, 8, 16]), st.floats(0.1, 20))
    def test_the_cores_are_busy(self, cpus: float, ratio: float) -> None:
        """With as many workers as the rule says, the cores idle for 5% of the time at most."""
        assert busy(size(cpus, 2048 * GIB, wait_ratio=ratio).workers, cpus, ratio) > 0.95

    @given(st.sampled_from([1, 2, 3, 4, 8, 16]), st.floats(0.1, 20))
    def test_not_many_more_than_needed(self, cpus: int, ratio: float) -> None:
        """Memory is dear: three workers and a fifth less would leave more idle."""
        assert busy(math.floor(size(cpus, 2048 * GIB, wait_ratio=ratio).workers * 0.8) - 3, cpus, ratio) < 0.95

    @given(cpu_counts, memories, demands)
    def test_connections_are_the_threads(self, cpus: float, memory: int, demand: Demand) -> None:
        """One for each, and twice as many while the service changes; none is known of event loops."""
        sizing = size_workers(a_host(cpus, memory), demand)
        if sizing.worker_class in ("sync", "gthread"):
            steady = sizing.workers * sizing.threads
            assert sizing.connections == (steady, 2 * steady)
        else:
            assert sizing.connections is None


class TestAsync:
    @pytest.mark.parametrize("worker_class", ASYNC_CLASSES + ("uvicorn.workers.UvicornWorker",))
    @pytest.mark.parametrize(("cpus", "workers"), [(1, 1), (2, 2), (2.5, 3), (16, 16), (0.5, 1)])
    def test_an_event_loop_gets_one_worker_a_core(self, worker_class: str, cpus: float, workers: int) -> None:
        """One loop keeps one core busy however much its requests wait."""
        sizing = size(cpus, worker_class=worker_class, wait_ratio=20)
        assert (sizing.workers, sizing.threads, sizing.worker_class) == (workers, 1, worker_class)

    def test_it_is_what_the_rule_gives_for_unlimited_threads(self) -> None:
        """The rule for event loops is not a second rule."""
        event_loop, threads = size(4, worker_class="gevent"), size(4, threads=10**6)
        assert event_loop.bounds.cpu == threads.bounds.cpu

    def test_threads_for_an_event_loop_are_refused_with_a_warning(self) -> None:
        """Gunicorn would ignore them silently."""
        sizing = size(worker_class="gevent", threads=4)
        assert sizing.threads == 1
        assert sizing.warnings == ["threads is 4, but the worker class gevent does not use it."]

    def test_eventlet_is_warned_of(self) -> None:
        """Gunicorn 26 does not have it any more."""
        assert "eventlet" in size(worker_class="eventlet").warnings[0]


class TestReason:
    @pytest.mark.parametrize(
        ("host", "demand", "reason"),
        [
            (
                a_host(2, 16000 * MIB),
                Demand(),
                "5 workers: 2 cores x (1 + wait ratio 1) + 1 = 5 by CPU; 16000 MiB - 3200 MiB reserve - 32 MiB master holds "
                "99 workers of 128 MiB, so CPU decides.",
            ),
            (
                a_host(1, 512 * MIB),
                Demand(),
                "2 workers: 1 core x (1 + wait ratio 1) + 1 = 3 by CPU; 512 MiB - 128 MiB reserve - 32 MiB master holds "
                "2 workers of 128 MiB, so memory decides.",
            ),
            (
                a_host(1.5, GIB, "quota", "cgroup"),
                Demand(),
                "4 workers: quota of 1.5 CPUs x (1 + wait ratio 1) + 1 = 4 by CPU; 1024 MiB (cgroup limit) - 204.8 MiB "
                "reserve - 32 MiB master holds 6 workers of 128 MiB, so CPU decides.",
            ),
            (
                a_host(1, GIB, "affinity"),
                Demand(wait_ratio=0.3, minimum=5),
                "5 workers: affinity of 1 CPU x (1 + wait ratio 0.3) + 1.25 x sqrt(1 x 0.3), rounded up, = 2 by CPU; 1024 MiB - 204.8 MiB "
                "reserve - 32 MiB master holds 6 workers of 128 MiB, so the minimum of 5 decides.",
            ),
            (
                a_host(4, GIB, "option", "option"),
                Demand(share=0.5, maximum=2),
                "2 workers: 4 CPUs (as given) x share 0.5 x (1 + wait ratio 1) + 1 = 5 by CPU; (1024 MiB (as given) - 204.8 "
                "MiB reserve) x share 0.5 - 32 MiB master holds 2 workers of 128 MiB, so the maximum of 2 decides.",
            ),
            (
                a_host(2),
                Demand(worker_class="gthread", wait_ratio=20, memory_reserve=0),
                "3 workers: (2 cores x (1 + wait ratio 20) + 1.25 x sqrt(2 x 20)) / 24 threads, rounded up, = 3 by CPU; "
                "16384 MiB - 0 MiB reserve - 32 MiB master holds 127 workers of 128 MiB, so CPU decides.",
            ),
            (
                a_host(16, 16 * GIB, "cpuset"),
                Demand(threads=8),
                "16 workers: cpuset of 16 CPUs, one worker for each = 16 by CPU; 16384 MiB - 3276.8 MiB reserve - 32 MiB "
                "master holds 102 workers of 128 MiB, so CPU decides.",
            ),
            (
                a_host(2, 200 * MIB),
                Demand(worker_class="gevent"),
                "1 worker: 2 cores, one worker for each = 2 by CPU; 200 MiB - 128 MiB reserve - 32 MiB master holds no worker "
                "of 128 MiB, so memory decides.",
            ),
        ],
    )
    def test_it_can_be_checked_with_a_calculator(self, host: Host, demand: Demand, reason: str) -> None:
        """Every number that went in is in the sentence, and the words fit the case."""
        assert size_workers(host, demand).reason == reason

    @given(cpus=cpu_counts, memory=memories, demand=demands)
    def test_it_is_one_sentence_about_the_answer(self, cpus: float, memory: int, demand: Demand) -> None:
        """It starts with the count, ends with what decided, and never shows an exponent."""
        sizing = size_workers(a_host(cpus, memory), demand)
        assert sizing.reason.startswith(f"{sizing.workers} worker{'' if sizing.workers == 1 else 's'}: ")
        assert sizing.reason.endswith("decides.")
        assert sizing.decided_by.lower() in sizing.reason.lower()
        assert "e+" not in sizing.reason
        assert "e-" not in sizing.reason


class TestProperties:
    @given(cpus=cpu_counts, memory=memories, demand=demands, limits=service_limits)
    def test_limits_of_the_service_never_add_a_worker(
        self, cpus: float, memory: int, demand: Demand, limits: Limits
    ) -> None:
        """There are no more workers than without them, and these fit into memory and tasks, if anything does."""
        host = a_host(cpus, memory)
        free, sizing = size_workers(host, demand), size_workers(host, demand, limits)
        assert 1 <= sizing.workers <= free.workers
        assume(sizing.fits)
        if limits.memory:
            assert sizing.workers * demand.memory_per_worker + MASTER_MEMORY <= limits.memory.amount
        if limits.tasks:
            assert 2 * sizing.workers * sizing.threads < limits.tasks.amount

    @given(cpus=cpu_counts, memory=memories, demand=demands)
    def test_workers_never_take_more_than_the_memory(self, cpus: float, memory: int, demand: Demand) -> None:
        """Workers, master and the share of the reserve fit into the share of the memory, if anything does."""
        sizing = size_workers(a_host(cpus, memory), demand)
        assume(sizing.fits)
        share = Fraction(str(demand.share))
        reserve = demand.memory_reserve
        if reserve is None:
            reserve = max(Fraction(memory, 5), RESERVE_MINIMUM)
        assert sizing.workers * demand.memory_per_worker + MASTER_MEMORY + share * reserve <= share * memory

    @given(cpus=cpu_counts, memory=memories, parts=st.lists(st.integers(1, 20), min_size=2, max_size=5))
    def test_projects_that_share_a_host_fit_together(self, cpus: float, memory: int, parts: list[int]) -> None:
        """However a host is divided, what its projects take and the reserve fit into its memory."""
        # Shares are rounded down, as a person would write them: 0.333 three times, not 0.334.
        answers = [size(cpus, memory, share=max(0.001, math.floor(1000 * part / sum(parts)) / 1000)) for part in parts]
        assume(all(answer.fits for answer in answers))
        taken = sum(answer.workers * 128 * MIB + MASTER_MEMORY for answer in answers)
        assert taken + max(Fraction(memory, 5), RESERVE_MINIMUM) <= memory

    @given(cpus=cpu_counts, memory=memories, demand=demands)
    def test_there_is_always_a_worker(self, cpus: float, memory: int, demand: Demand) -> None:
        """Gunicorn starts with 0 workers, says it is ready, and answers nobody."""
        sizing = size_workers(a_host(cpus, memory), demand)
        assert sizing.workers >= 1
        assert sizing.threads >= 1

    @given(cpus=st.tuples(cpu_counts, cpu_counts), memory=memories, demand=demands)
    def test_more_cpus_never_mean_fewer_workers(self, cpus: tuple[float, float], memory: int, demand: Demand) -> None:
        """Monotone in cores."""
        fewer, more = (size_workers(a_host(count, memory), demand).workers for count in sorted(cpus))
        assert fewer <= more

    @given(cpus=cpu_counts, memory=st.tuples(memories, memories), demand=demands)
    def test_more_memory_never_means_fewer_workers(self, cpus: float, memory: tuple[int, int], demand: Demand) -> None:
        """Monotone in memory, also where the reserve changes from 128 MiB to a fifth."""
        fewer, more = (size_workers(a_host(cpus, total), demand).workers for total in sorted(memory))
        assert fewer <= more

    @given(cpus=cpu_counts, memory=memories, share=st.tuples(shares, shares), demand=demands)
    def test_a_greater_share_never_means_fewer_workers(
        self, cpus: float, memory: int, share: tuple[float, float], demand: Demand
    ) -> None:
        """Monotone in share."""
        host = a_host(cpus, memory)
        fewer, more = (size_workers(host, demand._replace(share=part)).workers for part in sorted(share))
        assert fewer <= more

    @given(cpus=cpu_counts, memory=memories, each=st.tuples(worker_sizes, worker_sizes), demand=demands)
    def test_larger_workers_never_mean_more_of_them(
        self, cpus: float, memory: int, each: tuple[int, int], demand: Demand
    ) -> None:
        """Decreasing in memory_per_worker."""
        host = a_host(cpus, memory)
        more, fewer = (size_workers(host, demand._replace(memory_per_worker=one)).workers for one in sorted(each))
        assert fewer <= more

    @given(cores=st.integers(1, 512), memory=memories)
    def test_unmeasured_never_gives_less_than_documented(self, cores: int, memory: int) -> None:
        """2n+1 on whole cores, or as many as the memory holds."""
        sizing = size(cores, memory)
        assert sizing.workers == max(1, min(2 * cores + 1, sizing.bounds.memory))

    @given(cpus=cpu_counts, memory=memories, demand=demands)
    def test_the_same_question_gets_the_same_answer(self, cpus: float, memory: int, demand: Demand) -> None:
        """Stable, so that a second run changes nothing."""
        assert size_workers(a_host(cpus, memory), demand) == size_workers(a_host(cpus, memory), demand)

    @given(cpus=cpu_counts, memory=memories, demand=demands)
    def test_the_bound_that_decided_is_the_answer(self, cpus: float, memory: int, demand: Demand) -> None:
        """decided_by names the bound that equals the count (1 where the memory holds none)."""
        sizing = size_workers(a_host(cpus, memory), demand)
        assert sizing.workers == max(1, getattr(sizing.bounds, sizing.decided_by))
        assert sizing.fits == (sizing.bounds.memory >= 1)
