# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules give the numbers that their sources state."""

from __future__ import annotations

import pytest
from sizing_benchmark import rules
from sizing_benchmark.cases import APPLICATIONS, LIMITS, MIB, Setting

GIB = 1024 * MIB
MEASURED = rules.Measured(wait_ratio=0.0, worker_memory=100 * MIB, memory_per_worker=200 * MIB)


def facts(application: str = "cpu", limit: str = "none", **changes: object) -> rules.Facts:
    """Return the facts of a host with two cores and 16 GiB."""
    start = rules.Facts(2, 2.0, 16 * GIB, APPLICATIONS[application], LIMITS[limit], MEASURED)
    return start._replace(**changes)


@pytest.mark.parametrize("limit", LIMITS)
def test_rules_that_use_nproc_ignore_a_quota(limit: str) -> None:
    """They give the same under every limit."""
    assert rules.gunicorn(facts(limit=limit)) == Setting(5)
    assert rules.tiangolo(facts(limit=limit)) == Setting(2)


@pytest.mark.parametrize(
    ("changes", "workers"),
    [({}, 5), ({"memory": GIB}, 4), ({"memory": 128 * MIB}, 1), ({"limit": "100%"}, 1), ({"nproc": 8}, 17)],
)
def test_heroku_gives_each_worker_256_megabytes(changes: dict, workers: int) -> None:
    """Of the host's or the service's memory, and always has a worker."""
    assert rules.heroku(facts(**changes)) == Setting(workers)


def test_tiangolo_has_at_least_two_workers() -> None:
    """Also on one core."""
    assert rules.tiangolo(facts(nproc=1)) == Setting(2)


@pytest.mark.parametrize(
    ("application", "limit", "workers"),
    [("cpu", "none", 2), ("wait", "none", 122), ("cpu", "50%", 1), ("wait", "50%", 1)],
)
def test_passenger_fills_three_quarters_of_the_memory(application: str, limit: str, workers: int) -> None:
    """If the application waits; otherwise it has at most a worker for each core."""
    assert rules.passenger(facts(application, limit)) == Setting(workers)


def test_ours_takes_the_limits_of_the_service() -> None:
    """Without a measurement it is 2n+1 if they fit: 256M have room for one worker of 128M."""
    assert rules.ours_unmeasured(facts()) == Setting(5)
    assert rules.ours_unmeasured(facts(limit="150%")) == Setting(1)


def test_ours_uses_the_measurement() -> None:
    """Only an application that waits gets threads, and each worker counts twice because of a reload."""
    assert rules.ours_measured(facts()).threads == 1
    waiting = facts("wait", measured=rules.Measured(20.0, 50 * MIB, 100 * MIB))
    assert rules.ours_measured(waiting).threads > 1
    assert rules.ours_measured(facts(limit="150%", measured=rules.Measured(0.0, 112 * MIB, 224 * MIB))) == Setting(1)


def test_rules_that_need_a_measurement_say_nothing_without() -> None:
    """The other rules need none."""
    named = rules.named(facts(measured=None))
    assert {name for name, setting in named.items() if setting is None} == {"Passenger", "ours, measured"}
