# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent reads about a service, from files of real services."""

from __future__ import annotations

from pathlib import Path

import pytest
from sizing_benchmark import agent

HYBRID = Path(__file__).parents[2] / "fixtures/benchmark/hybrid"
PID = 11557
UNIT = "libpod_parent/libpod-6844f0cb0903/system.slice/fixture.service"


def test_controller_has_a_directory_of_its_own_in_v1() -> None:
    """Not every controller follows systemd's tree."""
    mounts = HYBRID / "sys/fs/cgroup"
    assert agent.cgroup_directory(PID, "memory", HYBRID) == mounts / "memory" / UNIT
    assert agent.cgroup_directory(PID, "cpuacct", HYBRID) == mounts / "cpuacct/libpod_parent/libpod-6844f0cb0903"


def test_all_controllers_share_a_directory_in_v2(tmp_path: Path) -> None:
    """The only line of the process names no controller."""
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text("0::/system.slice/shop.service\n")
    assert agent.cgroup_directory(7, "memory", tmp_path) == tmp_path / "sys/fs/cgroup/system.slice/shop.service"


def test_missing_controller_is_an_error(tmp_path: Path) -> None:
    """It has the controller's name."""
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text("8:pids:/\n")
    with pytest.raises(agent.AgentError, match="memory"):
        agent.cgroup_directory(7, "memory", tmp_path)


def test_memory_of_a_service_is_read() -> None:
    """Its peak, the kills, and the proportional memory of a process."""
    directory = agent.cgroup_directory(PID, "memory", HYBRID)
    assert agent.oom_kills(directory) == 1
    assert agent.memory_peak(directory) == 20 << 20
    assert agent.proportional_memory(PID, HYBRID) == 181 << 10


def test_cpu_time_of_a_service_is_read() -> None:
    """Time in which the quota stopped it counts as time in which it could have run."""
    throttled = agent.throttled_seconds(agent.cgroup_directory(PID, "cpu", HYBRID))
    running, delayed = agent.scheduled([PID], HYBRID)
    assert (throttled, running, delayed) == pytest.approx((1.046, 0.114, 0.999), abs=0.001)
    assert agent.cpu_seconds(agent.cgroup_directory(PID, "cpuacct", HYBRID)) == pytest.approx(1654.649, abs=0.001)


def test_cpu_time_of_the_machine_excludes_idle_time() -> None:
    """And the time in which it waited for disks."""
    assert agent.busy_seconds(HYBRID) == (2493082 + 402824 + 596043 + 19150 + 2039) / agent.TICKS


def test_rates_are_per_second() -> None:
    """And the CPU time of the machine that this host did not take was taken by others."""
    before = {"clock": 10.0, "busy": 100.0, "own": 50.0, "service": 5.0}
    after = {"clock": 12.0, "busy": 103.0, "own": 52.0, "service": 6.0}
    assert agent.per_second(before, after) == {"service": 0.5, "busy": 1.5, "foreign": 0.5}
