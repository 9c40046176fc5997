# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk over workers and threads, against applications of which the throughput is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sizing_benchmark import plan
from sizing_benchmark.cases import Setting


def walk(
    throughput: Callable[[Setting], float | None], ladders: plan.Ladders = plan.FULL
) -> dict[Setting, float | None]:
    """Return what a sweep measures, in its order."""
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
    """One that only computes."""
    return 100.0 * min(2, setting.workers) - setting.threads


def test_computing_application_is_not_given_more_and_more() -> None:
    """Two settings without a gain end a ladder, and two ladders without one the walk."""
    assert list(walk(computing)) == [
        *(Setting(workers) for workers in (1, 2, 3, 4)),
        *(Setting(workers, 2) for workers in (1, 2, 3, 4)),
        *(Setting(workers, 4) for workers in (1, 2, 3, 4)),
        *(Setting(workers, 8) for workers in (1, 2, 3, 4)),
    ]


def test_waiting_application_is_followed_to_its_best() -> None:
    """Whatever it takes: workers or threads."""
    measured = walk(waiting)
    assert max(measured.values()) == 2000
    assert Setting(48) in measured
    assert Setting(6, 8) in measured
    # 4 and 8 threads gave no more than 2 did.
    assert all(setting.threads < 16 for setting in measured)


@pytest.mark.parametrize("ladders", [plan.FULL, plan.QUICK])
def test_what_does_not_fit_ends_a_ladder(ladders: plan.Ladders) -> None:
    """More workers of the same threads would fit even less; more threads are still tried."""
    measured = walk(lambda setting: waiting(setting) if setting.workers < 3 else None, ladders)
    assert max(setting.workers for setting in measured) == 3
    assert max(setting.threads for setting in measured) == ladders.threads[-1]


def test_noise_is_no_gain() -> None:
    """A ladder does not go on for a percent."""
    measured = walk(lambda setting: 100 + setting.workers / 10)
    assert max(setting.workers for setting in measured) == 3


def test_finalists_are_near_the_best() -> None:
    """The best first, not too many, and none that is not admissible."""
    measured = {Setting(1): 50.0, Setting(2): 95.0, Setting(3): 100.0, Setting(4): 99.0, Setting(5): None}
    assert plan.finalists(measured, 0.9, 8) == [Setting(3), Setting(4), Setting(2)]
    assert plan.finalists(measured, 0.9, 1) == [Setting(3)]
    assert plan.finalists({Setting(1): None}, 0.9, 8) == []
