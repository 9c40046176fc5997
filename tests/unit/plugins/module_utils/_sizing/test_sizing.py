# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from fractions import Fraction
from typing import Callable

from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.rule import MASTER_MEMORY, RESERVE_MINIMUM
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import Sizing
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import NO_LIMITS, Limit, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

GIB = 1024 * MIB

cpu_counts = st.one_of(st.integers(1, 512), st.floats(0.01, 512))
memories = st.integers(16 * MIB, 2048 * GIB)
shares = st.floats(0.001, 1)
worker_sizes = st.integers(MIB, 4 * GIB)
demands = st.builds(
    Demand,
    memory_per_worker=worker_sizes,
    memory_reserve=st.none() | st.integers(0, 8 * GIB),
    memory_companions=st.just(0) | st.integers(MIB, 8 * GIB),
    memory_neighbours=st.just(0) | st.integers(MIB, 64 * GIB),
    memory_kept=st.just(0) | st.integers(MIB, 64 * GIB),
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


@given(cpus=cpu_counts, memory=memories, demand=demands, limits=service_limits)
def test_limits_of_the_service_never_add_a_worker(
    size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand, limits: Limits
) -> None:
    """There are no more workers than without limits, and they fit into memory and tasks, if any worker does."""
    free, sizing = (size(cpus, memory, limits=given, **demand._asdict()) for given in (NO_LIMITS, limits))
    assert 1 <= sizing.workers <= free.workers
    assume(sizing.fits)
    if limits.memory:
        assert sizing.workers * demand.memory_per_worker + MASTER_MEMORY <= limits.memory.amount
    if limits.tasks:
        assert 2 * sizing.workers * sizing.threads < limits.tasks.amount


@given(cpus=cpu_counts, memory=memories, demand=demands)
def test_workers_never_take_more_than_the_memory(
    size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand
) -> None:
    """Workers, master, companions and the share of the reserve fit into the share of the memory, if any worker does."""
    sizing = size(cpus, memory, **demand._asdict())
    assume(sizing.fits)
    share = Fraction(str(demand.share))
    reserve = demand.memory_reserve
    if reserve is None:
        reserve = max(Fraction(memory, 5), RESERVE_MINIMUM)
    taken = sizing.workers * demand.memory_per_worker + MASTER_MEMORY + demand.memory_companions
    assert taken + share * reserve <= share * memory


@given(cpus=cpu_counts, memory=memories, parts=st.lists(st.integers(1, 20), min_size=2, max_size=5))
def test_projects_that_share_a_host_fit_together(
    size: Callable[..., Sizing], cpus: float, memory: int, parts: list[int]
) -> None:
    """However a host is divided, its projects and the reserve fit into its memory."""
    # Shares are rounded down, as a person would write them: 0.333 three times, not 0.334.
    answers = [size(cpus, memory, share=max(0.001, math.floor(1000 * part / sum(parts)) / 1000)) for part in parts]
    assume(all(answer.fits for answer in answers))
    taken = sum(answer.workers * 128 * MIB + MASTER_MEMORY for answer in answers)
    assert taken + max(Fraction(memory, 5), RESERVE_MINIMUM) <= memory


@given(cpus=cpu_counts, memory=memories, demand=demands)
def test_there_is_always_a_worker(size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand) -> None:
    """With 0 workers Gunicorn would start, say that it is ready, and answer nothing."""
    sizing = size(cpus, memory, **demand._asdict())
    assert sizing.workers >= 1
    assert sizing.threads >= 1


@given(cpus=st.tuples(cpu_counts, cpu_counts), memory=memories, demand=demands)
def test_more_cpus_never_mean_fewer_workers(
    size: Callable[..., Sizing], cpus: tuple[float, float], memory: int, demand: Demand
) -> None:
    """Monotone in cores."""
    fewer, more = (size(count, memory, **demand._asdict()).workers for count in sorted(cpus))
    assert fewer <= more


@given(cpus=cpu_counts, memory=st.tuples(memories, memories), demand=demands)
def test_more_memory_never_means_fewer_workers(
    size: Callable[..., Sizing], cpus: float, memory: tuple[int, int], demand: Demand
) -> None:
    """Monotone in memory, also where the reserve changes from 128 MiB to a fifth."""
    fewer, more = (size(cpus, total, **demand._asdict()).workers for total in sorted(memory))
    assert fewer <= more


@given(cpus=cpu_counts, memory=memories, share=st.tuples(shares, shares), demand=demands)
def test_a_greater_share_never_means_fewer_workers(
    size: Callable[..., Sizing], cpus: float, memory: int, share: tuple[float, float], demand: Demand
) -> None:
    """Monotone in share."""
    fewer, more = (size(cpus, memory, **{**demand._asdict(), "share": part}).workers for part in sorted(share))
    assert fewer <= more


@given(cpus=cpu_counts, memory=memories, each=st.tuples(worker_sizes, worker_sizes), demand=demands)
def test_larger_workers_never_mean_more_of_them(
    size: Callable[..., Sizing], cpus: float, memory: int, each: tuple[int, int], demand: Demand
) -> None:
    """Decreasing in memory_per_worker."""
    wanted = demand._asdict()
    less, more = (size(cpus, memory, **{**wanted, "memory_per_worker": one}).workers for one in sorted(each))
    assert more <= less


@given(cpus=cpu_counts, memory=memories, each=st.tuples(worker_sizes, worker_sizes), demand=demands)
def test_larger_companions_never_mean_more_workers(
    size: Callable[..., Sizing], cpus: float, memory: int, each: tuple[int, int], demand: Demand
) -> None:
    """Decreasing in memory_companions."""
    wanted = demand._asdict()
    less, more = (size(cpus, memory, **{**wanted, "memory_companions": one}).workers for one in sorted(each))
    assert more <= less


@given(cores=st.integers(1, 512), memory=memories)
def test_unmeasured_never_gives_less_than_documented(size: Callable[..., Sizing], cores: int, memory: int) -> None:
    """2n+1 on whole cores, or as many as the memory holds."""
    sizing = size(cores, memory)
    assert sizing.workers == max(1, min(2 * cores + 1, sizing.bounds.memory))


@given(cpus=cpu_counts, memory=memories, demand=demands)
def test_the_same_question_gets_the_same_answer(
    size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand
) -> None:
    """Stable, so that a second run changes nothing."""
    assert size(cpus, memory, **demand._asdict()) == size(cpus, memory, **demand._asdict())


@given(cpus=cpu_counts, memory=memories, demand=demands)
def test_the_bound_that_decided_is_the_answer(
    size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand
) -> None:
    """decided_by names the bound that equals the count (1 where the memory holds none)."""
    sizing = size(cpus, memory, **demand._asdict())
    assert sizing.workers == max(1, getattr(sizing.bounds, sizing.decided_by))
    assert sizing.fits == (sizing.bounds.memory >= 1)


@given(cpu_counts, memories, demands)
def test_threads_never_take_more_workers(size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand) -> None:
    """They replace workers, and do not come on top."""
    wanted = {**demand._asdict(), "maximum": None, "minimum": 1}
    threaded, single = (size(cpus, memory, **{**wanted, "thread_safe": safe}).workers for safe in (True, False))
    assert threaded <= single


@given(cpu_counts, memories, demands, st.sampled_from(("sync", "gthread")), st.integers(1, 64))
def test_threads_that_are_given_count(
    size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand, worker_class: str, threads: int
) -> None:
    """If the user says how many threads, there are so many."""
    wanted = {**demand._asdict(), "worker_class": worker_class, "threads": threads}
    assert size(cpus, memory, **wanted).threads == threads


@given(cpu_counts, memories, demands)
def test_connections_are_the_threads(size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand) -> None:
    """One for each, and twice as many while the service changes; for event loops their number is not known."""
    sizing = size(cpus, memory, **demand._asdict())
    if sizing.worker_class in ("sync", "gthread"):
        steady = sizing.workers * sizing.threads
        assert sizing.connections == (steady, 2 * steady)
    else:
        assert sizing.connections is None


@given(cpus=cpu_counts, memory=memories, demand=demands)
def test_the_reason_is_one_sentence_about_the_answer(
    size: Callable[..., Sizing], cpus: float, memory: int, demand: Demand
) -> None:
    """It starts with the count, ends with what decided, and never shows an exponent."""
    sizing = size(cpus, memory, **demand._asdict())
    assert sizing.reason.startswith(f"{sizing.workers} worker{'' if sizing.workers == 1 else 's'}: ")
    assert sizing.reason.endswith("decides.")
    assert sizing.decided_by.lower() in sizing.reason.lower()
    assert "e+" not in sizing.reason
    assert "e-" not in sizing.reason
