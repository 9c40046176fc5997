# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk over workers and threads, with applications whose throughput is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sizing_benchmark import plan
from sizing_benchmark.cases import Setting


def walk(
    throughput: Callable[[Setting], float | None], ladders: plan.Ladders = plan.FULL
) -> dict[Setting, float | None]:
    """Return the settings that a sweep measures, in its order, with their throughput."""
    measured: dict[Setting, float | None] = {}
    sweep = plan.sweep(ladders)
    answer = None
    while True:
        try:
            setting = sweep.send(answer)
        except StopIteration:
            return measured
        assert setting not in measured
        answer = measured[setting] = throughput(setting)


def waiting(setting: Setting) -> float:
    """An application that waits 20 times as long as it computes, on two cores."""
    return min(2000.0, 50.0 * setting.workers * setting.threads)


def computing(setting: Setting) -> float:
    """An application that only computes, on two cores."""
    return 100.0 * min(2, setting.workers) - setting.threads


def test_walk_ends_early_for_a_computing_application() -> None:
    """Two settings without a gain end a ladder, and two ladders without a gain end the walk."""
    assert list(walk(computing)) == [
        *(Setting(workers) for workers in (1, 2, 3, 4)),
        *(Setting(workers, 2) for workers in (1, 2, 3, 4)),
        *(Setting(workers, 4) for workers in (1, 2, 3, 4)),
        *(Setting(workers, 8) for workers in (1, 2, 3, 4)),
    ]


def test_walk_reaches_the_best_of_a_waiting_application() -> None:
    """With many workers, and with threads."""
    measured = walk(waiting)
    assert max(measured.values()) == 2000
    assert Setting(48) in measured
    assert Setting(6, 8) in measured
    # 4 and 8 threads gained nothing over 2.
    assert all(setting.threads < 16 for setting in measured)


@pytest.mark.parametrize("ladders", [plan.FULL, plan.QUICK])
def test_setting_that_does_not_fit_ends_a_ladder(ladders: plan.Ladders) -> None:
    """More workers with the same threads would not fit either; more threads are still tried."""
    measured = walk(lambda setting: waiting(setting) if setting.workers < 3 else None, ladders)
    assert max(setting.workers for setting in measured) == 3
    assert max(setting.threads for setting in measured) == ladders.threads[-1]


def test_noise_is_no_gain() -> None:
    """A ladder does not go on for one percent."""
    measured = walk(lambda setting: 100 + setting.workers / 10)
    assert max(setting.workers for setting in measured) == 3


def test_finalists_are_near_the_best() -> None:
    """The best first, not too many, and only admissible ones."""
    measured = {Setting(1): 50.0, Setting(2): 95.0, Setting(3): 100.0, Setting(4): 99.0, Setting(5): None}
    assert plan.finalists(measured, 0.9, 8) == [Setting(3), Setting(4), Setting(2)]
    assert plan.finalists(measured, 0.9, 1) == [Setting(3)]
    assert plan.finalists({Setting(1): None}, 0.9, 8) == []
