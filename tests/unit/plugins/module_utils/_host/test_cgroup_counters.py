# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.cgroup_counters import (
    CgroupCpu,
    CgroupMemory,
    CgroupSwap,
)

MIB = 1 << 20


def group(folder: Path, **files: str) -> str:
    """Write the files of a cgroup, with two underscores for each dot of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return str(folder)


class TestCpu:
    def test_version_2(self, tmp_path: Path) -> None:
        """One file has all."""
        text = "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\nnr_periods 8\nnr_throttled 4\nthrottled_usec 500000\n"
        assert cgroup_counters.read_cpu([group(tmp_path, cpu__stat=text)]) == CgroupCpu(3.0, 2.0, 1.0, 0.5, 8, 4)

    def test_version_1(self, tmp_path: Path) -> None:
        """Time and throttling are counted by different controllers."""
        groups = [
            group(tmp_path / "cpu", cpu__stat="nr_periods 8\nnr_throttled 4\nthrottled_time 500000000\n"),
            group(
                tmp_path / "cpuacct",
                cpuacct__usage="3000000000\n",
                cpuacct__usage_user="2000000000\n",
                cpuacct__usage_sys="1000000000\n",
            ),
        ]
        assert cgroup_counters.read_cpu(groups) == CgroupCpu(3.0, 2.0, 1.0, 0.5, 8, 4)

    def test_steal_is_not_used(self, tmp_path: Path) -> None:
        """Older kernels count what the hypervisor gave to other machines in the root cgroup."""
        text = "usage_usec 9000000\nuser_usec 2000000\nsystem_usec 1000000\n"
        found = cgroup_counters.read_cpu([group(tmp_path, cpu__stat=text)])
        assert found is not None
        assert found.used == 3.0

    def test_both(self, tmp_path: Path) -> None:
        """A version 2 without controllers counts the time, and version 1 throttles."""
        groups = [
            group(tmp_path / "unified", cpu__stat="usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\n"),
            group(tmp_path / "cpu", cpu__stat="nr_periods 8\nnr_throttled 4\nthrottled_time 500000000\n"),
        ]
        assert cgroup_counters.read_cpu(groups) == CgroupCpu(3.0, 2.0, 1.0, 0.5, 8, 4)

    def test_the_innermost_counts(self, tmp_path: Path) -> None:
        """The others hold what is not of it."""
        groups = [
            group(tmp_path, cpu__stat="usage_usec 9\n"),
            group(tmp_path / "inner", cpu__stat="usage_usec 3000000\n"),
        ]
        assert cgroup_counters.read_cpu(groups) == CgroupCpu(3.0)

    def test_none(self, tmp_path: Path) -> None:
        """A unit that the kernel does not count for."""
        assert cgroup_counters.read_cpu([group(tmp_path)]) is None
        assert cgroup_counters.read_cpu([]) is None


class TestMemory:
    def test_version_2(self, tmp_path: Path) -> None:
        """Cache and what can be dropped: shared memory is in the former alone."""
        text = "file 60\ninactive_file 20\nactive_file 10\nslab_reclaimable 5\n"
        folder = group(tmp_path, memory__current="100\n", memory__peak="150\n", memory__stat=text)
        assert cgroup_counters.read_memory([folder]) == CgroupMemory(100, 150, 65, 35)

    def test_version_1(self, tmp_path: Path) -> None:
        """Names with total_ include the cgroups below."""
        text = "cache 1\ninactive_file 1\nactive_file 1\ntotal_cache 60\ntotal_inactive_file 20\ntotal_active_file 10\n"
        folder = group(tmp_path, memory__usage_in_bytes="100\n", memory__max_usage_in_bytes="150\n", memory__stat=text)
        assert cgroup_counters.read_memory([folder]) == CgroupMemory(100, 150, 60, 30)

    def test_swap(self, tmp_path: Path) -> None:
        """In version 1 the limit is on both together."""
        two = group(tmp_path / "2", memory__swap__current="10\n", memory__swap__max="max\n")
        one = group(
            tmp_path / "1",
            memory__usage_in_bytes="100\n",
            memory__memsw__usage_in_bytes="130\n",
            memory__memsw__limit_in_bytes="700\n",
        )
        assert cgroup_counters.read_swap([two], 500) == CgroupSwap(None, 10)
        assert cgroup_counters.read_swap([one], 500) == CgroupSwap(200, 30)
        assert cgroup_counters.read_swap([group(tmp_path / "none")], 500) is None

    @pytest.mark.parametrize("name", ["memory__events", "memory__oom_control"])
    def test_processes_that_were_killed(self, tmp_path: Path, name: str) -> None:
        """Both versions count them; a kernel that does not is no zero."""
        assert cgroup_counters.read_oom_kills([group(tmp_path, **{name: "under_oom 0\noom_kill 3\n"})]) == 3
        assert cgroup_counters.read_oom_kills([group(tmp_path / "old", **{name: "under_oom 0\n"})]) is None


def test_the_tightest_limit_of_tasks_counts(tmp_path: Path) -> None:
    """Whichever cgroup has it."""
    groups = [
        group(tmp_path, pids__max="max\n"),
        group(tmp_path / "a", pids__max="90\n"),
        group(tmp_path / "a/b", pids__max="200\n"),
    ]
    assert cgroup_counters.read_tasks_limit(groups) == 90
    assert cgroup_counters.read_tasks_limit(groups[:1]) is None


class TestPressure:
    TEXT = "some avg10=1.50 avg60=2.00 avg300=0.00 total=5\nfull avg10=0.10 avg60=0.20 avg300=0.30 total=5\n"
    AVERAGES = {"some_10": 1.5, "some_60": 2.0, "some_300": 0.0, "full_10": 0.1, "full_60": 0.2, "full_300": 0.3}

    def test_of_the_system(self, tmp_path: Path) -> None:
        """A host that is no container has a root cgroup without a type."""
        system = group(tmp_path / "pressure", memory=self.TEXT)
        groups = [group(tmp_path / "root", memory__pressure="some avg10=9.00 avg60=9.00 avg300=9.00 total=5\n")]
        assert cgroup_counters.read_pressure(groups, system) == {"memory": self.AVERAGES}

    def test_of_a_container(self, tmp_path: Path) -> None:
        """What its own cgroup says, not what others on the machine wait for."""
        system = group(tmp_path / "pressure", memory="some avg10=9.00 avg60=9.00 avg300=9.00 total=5\n")
        groups = [group(tmp_path / "root", cgroup__type="domain\n", memory__pressure=self.TEXT)]
        assert cgroup_counters.read_pressure(groups, system) == {"memory": self.AVERAGES}

    def test_of_a_kernel_without(self, tmp_path: Path) -> None:
        """It is not known, which is not the same as no pressure."""
        assert cgroup_counters.read_pressure([], str(tmp_path)) is None

    @given(st.text() | st.text("somefull avg=10360.\n"))
    def test_no_text_stops_it(self, text: str) -> None:
        """Whatever the file says, the averages are numbers."""
        assert all(value >= 0 for value in cgroup_counters.parse_pressure(text).values())
