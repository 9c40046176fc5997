# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import Sizing
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import Limit, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

GIB = 1024 * MIB


class TestReason:
    @pytest.mark.parametrize(
        ("case", "reason"),
        [
            (
                {"cpus": 2, "memory": 16000 * MIB},
                "5 workers: 2 cores x (1 + wait ratio 1) + 1 = 5 by CPU; 16000 MiB - 3200 MiB reserve - 32 MiB master holds "
                "99 workers of 128 MiB, so CPU decides.",
            ),
            (
                {"cpus": 1, "memory": 512 * MIB},
                "2 workers: 1 core x (1 + wait ratio 1) + 1 = 3 by CPU; 512 MiB - 128 MiB reserve - 32 MiB master holds "
                "2 workers of 128 MiB, so memory decides.",
            ),
            (
                {"cpus": 1.5, "memory": GIB, "cpus_by": "quota", "memory_by": "cgroup"},
                "4 workers: quota of 1.5 CPUs x (1 + wait ratio 1) + 1 = 4 by CPU; 1024 MiB (cgroup limit) - 204.8 MiB "
                "reserve - 32 MiB master holds 6 workers of 128 MiB, so CPU decides.",
            ),
            (
                {"cpus": 1, "memory": GIB, "cpus_by": "affinity", "wait_ratio": 0.3, "minimum": 5},
                "5 workers: affinity of 1 CPU x (1 + wait ratio 0.3) + 1.25 x sqrt(1 x 0.3), rounded up, = 2 by CPU; 1024 MiB - 204.8 MiB "
                "reserve - 32 MiB master holds 6 workers of 128 MiB, so the minimum of 5 decides.",
            ),
            (
                {"cpus": 4, "memory": GIB, "cpus_by": "option", "memory_by": "option", "share": 0.5, "maximum": 2},
                "2 workers: 4 CPUs (as given) x share 0.5 x (1 + wait ratio 1) + 1 = 5 by CPU; (1024 MiB (as given) - 204.8 "
                "MiB reserve) x share 0.5 - 32 MiB master holds 2 workers of 128 MiB, so the maximum of 2 decides.",
            ),
            (
                {"cpus": 2, "worker_class": "gthread", "wait_ratio": 20, "memory_reserve": 0},
                "3 workers: (2 cores x (1 + wait ratio 20) + 1.25 x sqrt(2 x 20)) / 24 threads, rounded up, = 3 by CPU; "
                "16384 MiB - 0 MiB reserve - 32 MiB master holds 127 workers of 128 MiB, so CPU decides.",
            ),
            (
                {"cpus": 2, "share": 0.5, "memory_companions": 512 * MIB},
                "3 workers: 2 cores x share 0.5 x (1 + wait ratio 1) + 1 = 3 by CPU; (16384 MiB - 3276.8 MiB reserve) x "
                "share 0.5 - 512 MiB for companions - 32 MiB master holds 46 workers of 128 MiB, so CPU decides.",
            ),
            (
                {"cpus": 16, "memory": 16 * GIB, "cpus_by": "cpuset", "threads": 8},
                "16 workers: cpuset of 16 CPUs, one worker for each = 16 by CPU; 16384 MiB - 3276.8 MiB reserve - 32 MiB "
                "master holds 102 workers of 128 MiB, so CPU decides.",
            ),
            (
                {"cpus": 2, "memory": 200 * MIB, "worker_class": "gevent"},
                "1 worker: 2 cores, one worker for each = 2 by CPU; 200 MiB - 128 MiB reserve - 32 MiB master holds no worker "
                "of 128 MiB, so memory decides.",
            ),
        ],
    )
    def test_it_can_be_checked_with_a_calculator(self, size: Callable[..., Sizing], case: dict, reason: str) -> None:
        """Every number that went in is in the sentence, and the words fit the case."""
        assert size(**case).reason == reason

    def test_the_reason_names_each_limit_that_holds(self, size: Callable[..., Sizing]) -> None:
        """The sentence has the numbers and the directives that they come from."""
        limits = Limits(
            cpus=Limit(1.5, "CPUQuota=150%"), memory=Limit(512 * MIB, "MemoryHigh=512M"), tasks=Limit(22, "TasksMax=22")
        )
        assert size(limits=limits).reason == (
            "3 workers: 1.5 CPUs (CPUQuota=150% of the service) x (1 + wait ratio 1) + 1 = 4 by CPU; 512 MiB "
            "(MemoryHigh=512M of the service) - 32 MiB master holds 3 workers of 128 MiB, so memory decides."
        )

    def test_tasks_are_in_the_sentence_where_they_decide(self, size: Callable[..., Sizing]) -> None:
        """Every service has some limit of them."""
        assert size(limits=Limits(tasks=Limit(18, "TasksMax=18"))).reason == (
            "1 worker: 2 cores x (1 + wait ratio 1) + 1 = 5 by CPU; 16384 MiB - 3276.8 MiB reserve - 32 MiB master holds "
            "102 workers of 128 MiB; 18 tasks (TasksMax=18 of the service) - 16 for master and reload hold 1 worker of "
            "2 x 1 task, so TasksMax decides."
        )


class TestWarnings:
    def test_a_host_with_room_gets_no_warning(self, size: Callable[..., Sizing]) -> None:
        """No warning is the normal case."""
        assert size().warnings == []

    def test_companions_that_leave_no_room_are_named(self, size: Callable[..., Sizing]) -> None:
        (warning,) = size(memory=512 * MIB, memory_companions=512 * MIB).warnings
        assert "of 512 MiB, 128 MiB are reserved, 512 MiB are for companions and 32 MiB go to the master." in warning

    def test_threads_for_an_event_loop_are_refused_with_a_warning(self, size: Callable[..., Sizing]) -> None:
        """Gunicorn would ignore them silently."""
        sizing = size(worker_class="gevent", threads=4)
        assert sizing.threads == 1
        assert sizing.warnings == ["threads is 4, but the worker class gevent does not use it."]

    def test_eventlet_is_warned_of(self, size: Callable[..., Sizing]) -> None:
        """Gunicorn 26 and newer do not have it."""
        assert "eventlet" in size(worker_class="eventlet").warnings[0]
