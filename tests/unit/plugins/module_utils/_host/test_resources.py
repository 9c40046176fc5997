# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import (
    Host,
    HostFactsError,
    Resource,
    read_host,
    read_host_in,
    read_memory,
    read_tasks,
)

HOSTS = Path(__file__).parents[4] / "fixtures" / "hosts"
MIB = 1 << 20
CGROUPS = "/sys/fs/cgroup"


def online(cpus: float) -> Resource:
    """No limit but the CPUs of the host."""
    return Resource(cpus, "online", "/sys/devices/system/cpu/online")


def read_cpus(slice_name: str, root: str = "/") -> Resource:
    """The CPUs that a service in a slice may use."""
    return read_host(slice_name, memory=MIB, root=root).cpus


def quota(cpus: float, file: str) -> Resource:
    """A quota in a file of cgroups."""
    return Resource(cpus, "quota", f"{CGROUPS}/{file}")


def total(kib: int) -> Resource:
    """No limit but the memory of the host."""
    return Resource(kib * 1024, "total", "/proc/meminfo")


def limit(mib: int, file: str) -> Resource:
    """A limit of the memory in a file of cgroups."""
    return Resource(mib * MIB, "cgroup", f"{CGROUPS}/{file}")


# The limits that were set on captured hosts
SYSTEM = Host(quota(2.5, "system.slice/cpu.max"), limit(1024, "system.slice/memory.max"))
WEB_SHOP = Host(quota(1.2, "web.slice/cpu.max"), limit(384, "web.slice/web-shop.slice/memory.high"))
CONTAINER = Host(quota(1.5, "cpu/cpu.cfs_quota_us"), limit(512, "memory/memory.limit_in_bytes"))
CPUSET = Resource(1, "cpuset", f"{CGROUPS}/cpuset/cpuset.effective_cpus")


class TestCapturedHosts:
    @pytest.mark.parametrize(
        ("name", "slice_name", "cpus", "memory"),
        [
            ("debian-12", "system.slice", online(4), total(2025536)),
            ("debian-12", "not-there-yet.slice", online(4), total(2025536)),
            ("debian-12-slices", "system.slice", *SYSTEM),
            ("debian-12-slices", "web-shop.slice", *WEB_SHOP),
            ("debian-12-slices", "web-shop-late.slice", *WEB_SHOP),
            ("debian-12-slices", "web.slice", WEB_SHOP.cpus, total(2025536)),
            ("debian-12-slices", "-.slice", online(4), total(2025536)),
            ("vm-hybrid", "system.slice", online(2), total(24684092)),
            ("derived-container-v2", "system.slice", quota(1.5, "cpu.max"), limit(512, "memory.max")),
            ("derived-zram", "system.slice", online(4), total(2025536)),
            ("derived-256-cores", "system.slice", online(256), total(1056563848)),
            ("container-systemd", "system.slice", *CONTAINER),
            ("container-cgroupns", "system.slice", *CONTAINER),
            ("container-cpuset", "system.slice", CPUSET, CONTAINER.memory),
        ],
    )
    def test_what_real_hosts_say_is_understood(
        self, name: str, slice_name: str, cpus: Resource, memory: Resource
    ) -> None:
        """The limits that were set on the host before its files were copied are the ones that are found."""
        assert read_host(slice_name, root=str(HOSTS / name)) == Host(cpus, memory)

    def test_every_captured_host_is_tested(self) -> None:
        """Each folder is named here or in another test of module_utils, so none is left without use."""
        tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))
        assert [path.name for path in HOSTS.iterdir() if path.is_dir() and f'"{path.name}"' not in tests] == []

    def test_this_host_can_be_read(self) -> None:
        """The real files, whatever they are here, give a positive answer."""
        host = read_host("system.slice")
        assert 0 < host.cpus.amount <= (os.cpu_count() or 1)
        assert host.memory.amount > 0


class TestHandedIn:
    def test_what_is_handed_in_is_not_read(self, tmp_path: Path) -> None:
        """With both values given, the host need not have any file."""
        assert read_host("system.slice", 1.5, 512 * MIB, str(tmp_path)) == Host(
            Resource(1.5, "option"), Resource(512 * MIB, "option")
        )

    def test_what_is_not_handed_in_is(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """CPUs and memory are read independently."""
        root = write_host(tmp_path)
        assert read_host("system.slice", cpus=1.5, root=root).memory.amount == 8192 * MIB
        assert read_host("system.slice", memory=512 * MIB, root=root).cpus.amount == 8


def cpu_max(cpus: dict[str, int]) -> dict[str, str]:
    """The files of cgroups with these quotas."""
    return {f"sys/fs/cgroup/{group}/cpu.max": f"{number}00000 100000\n" for group, number in cpus.items()}


class TestCpus:
    @pytest.mark.parametrize(("online", "count"), [("0\n", 1), ("0-3,6\n", 5), ("0,2-3\n", 3), ("", 8), ("?\n", 8)])
    def test_online_cpus_are_counted(
        self, write_host: Callable[..., str], tmp_path: Path, online: str, count: int
    ) -> None:
        """From /sys, and from /proc/cpuinfo where that says nothing."""
        root = write_host(tmp_path, {"proc/1/status": None, "sys/devices/system/cpu/online": online})
        assert read_cpus("system.slice", root).amount == count

    def test_the_affinity_of_pid_1_counts(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """A host started with isolcpus or CPUAffinity= gives its services the rest only."""
        cpus = read_cpus("system.slice", write_host(tmp_path, {"proc/1/status": "Cpus_allowed_list:\t0,4-5\n"}))
        assert cpus == Resource(3, "affinity", "/proc/1/status")

    def test_limits_that_overlap_leave_what_they_have_in_common(
        self, write_host: Callable[..., str], tmp_path: Path
    ) -> None:
        """Affinity 0-3 within a cpuset 2-7 is two CPUs, not four."""
        root = write_host(
            tmp_path,
            {
                "proc/1/status": "Cpus_allowed_list:\t0-3\n",
                "sys/fs/cgroup/system.slice/cpuset.cpus.effective": "2-7\n",
            },
        )
        assert read_cpus("system.slice", root) == Resource(2, "affinity", "/proc/1/status")

    @pytest.mark.parametrize("allowed", ["8-11", "", "none", "3-1"])
    def test_a_list_of_no_usable_cpu_is_ignored(
        self, write_host: Callable[..., str], tmp_path: Path, allowed: str
    ) -> None:
        """As the kernel does: a process always has somewhere to run."""
        root = write_host(tmp_path, {"sys/fs/cgroup/system.slice/cpuset.cpus.effective": allowed + "\n"})
        assert read_cpus("system.slice", root).amount == 8

    @pytest.mark.parametrize(
        ("text", "cpus"),
        [
            ("150000 100000", 1.5),
            ("10000 20000", 0.5),
            ("900000 100000", 8),
            ("max 100000", 8),
            ("max", 8),
            ("", 8),
            ("150000", 8),
            ("150000 0", 8),
            ("0 100000", 8),
            ("-1 100000", 8),
            ("x y", 8),
            ("1 2 3", 8),
        ],
    )
    def test_a_quota_of_cgroup_v2_counts_if_it_is_one(
        self, write_host: Callable[..., str], tmp_path: Path, text: str, cpus: float
    ) -> None:
        """A quota below the number of CPUs counts; one that makes no sense doesn't."""
        root = write_host(tmp_path, {"sys/fs/cgroup/system.slice/cpu.max": text + "\n"})
        assert read_cpus("system.slice", root).amount == cpus

    @pytest.mark.parametrize(
        ("quota", "period", "cpus"),
        [
            ("150000", "100000", 1.5),
            ("-1", "100000", 8),
            ("150000", None, 8),
            ("150000", "0", 8),
            ("", "100000", 8),
        ],
    )
    def test_a_quota_of_cgroup_v1_counts_if_it_is_one(
        self, write_host: Callable[..., str], tmp_path: Path, quota: str, period: str | None, cpus: float
    ) -> None:
        """The controllers cpu and cpuacct are often mounted together."""
        group = "sys/fs/cgroup/cpu,cpuacct/system.slice"
        root = write_host(
            tmp_path,
            {
                "proc/1/cgroup": "4:cpu,cpuacct:/\n1:name=systemd:/init.scope\n0::/init.scope\n",
                "proc/self/mountinfo": "31 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
                f"{group}/cpu.cfs_quota_us": quota + "\n",
                f"{group}/cpu.cfs_period_us": None if period is None else period + "\n",
            },
        )
        assert read_cpus("system.slice", root).amount == cpus

    def test_the_smallest_quota_on_the_way_wins(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """A slice can't use more than the slice around it."""
        quotas = cpu_max({"a.slice": 2, "a.slice/a-b.slice": 1, "a.slice/a-b.slice/a-b-c.slice": 3})
        root = write_host(tmp_path, quotas)
        assert read_cpus("a-b-c.slice", root) == Resource(1, "quota", "/sys/fs/cgroup/a.slice/a-b.slice/cpu.max")
        assert read_cpus("a.slice", root).amount == 2

    def test_limits_of_other_slices_do_not_count(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """Neither those of its neighbours, nor those of a slice with a similar name."""
        root = write_host(tmp_path, cpu_max({"user.slice": 1, "a-b.slice": 1, "a.slice/a-b.slice": 1}))
        assert read_cpus("a-c.slice", root).amount == 8

    def test_a_host_that_says_nothing_asks_for_the_option(self, tmp_path: Path) -> None:
        """The error says what to do."""
        with pytest.raises(HostFactsError, match="set the option cpus"):
            read_cpus("system.slice", str(tmp_path))


class TestMemory:
    @pytest.mark.parametrize("name", ["memory.max", "memory.high"])
    @pytest.mark.parametrize(
        ("text", "mib"),
        [
            ("536870912", 512),
            ("max", 8192),
            ("", 8192),
            ("0", 8192),
            ("-1", 8192),
            ("512M", 8192),
            ("9" * 30, 8192),
            ("9223372036854771712", 8192),
        ],
    )
    def test_a_limit_counts_if_it_is_one(
        self, write_host: Callable[..., str], tmp_path: Path, name: str, text: str, mib: int
    ) -> None:
        """A limit below the host's memory counts; one that makes no sense doesn't."""
        root = write_host(tmp_path, {f"sys/fs/cgroup/system.slice/{name}": text + "\n"})
        assert read_memory("system.slice", root).amount == mib * MIB

    def test_the_smallest_limit_on_the_way_wins(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """Including what is set on the slice around the slice."""
        root = write_host(
            tmp_path,
            {
                "sys/fs/cgroup/a.slice/memory.max": f"{512 * MIB}\n",
                "sys/fs/cgroup/a.slice/a-b.slice/memory.max": f"{1024 * MIB}\n",
            },
        )
        assert read_memory("a-b.slice", root) == Resource(512 * MIB, "cgroup", "/sys/fs/cgroup/a.slice/memory.max")

    @pytest.mark.parametrize("meminfo", [None, "", "MemTotal: lots\n", "MemTotal: 0 kB\n"])
    def test_a_host_that_says_nothing_asks_for_the_option(
        self, write_host: Callable[..., str], tmp_path: Path, meminfo: str | None
    ) -> None:
        """The error says what to do."""
        with pytest.raises(HostFactsError, match="set the option memory"):
            read_memory("system.slice", write_host(tmp_path, {"proc/meminfo": meminfo}))


class TestTasks:
    @pytest.mark.parametrize(
        ("pid_max", "threads_max", "tasks"),
        [("32768\n", "63704\n", 32768), ("4194304\n", "63704\n", 63704), ("x", "100", 100), (None, None, 32768)],
    )
    def test_the_lower_one_holds(
        self, write_host: Callable[..., str], pid_max: str | None, threads_max: str | None, tasks: int, tmp_path: Path
    ) -> None:
        """Process ids and threads each have a limit; a host that says neither has the kernel's default."""
        sysctl = {"proc/sys/kernel/pid_max": pid_max, "proc/sys/kernel/threads-max": threads_max}
        assert read_tasks(write_host(tmp_path, sysctl)) == tasks


class TestHostileFiles:
    def test_an_unreadable_file_is_no_limit(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """Here a folder in the file's place, which not even root can read."""
        root = write_host(tmp_path)
        os.makedirs(os.path.join(root, "sys/fs/cgroup/system.slice/memory.max"))
        assert read_memory("system.slice", root).limited_by == "total"

    @pytest.mark.parametrize("missing", ["proc/1/cgroup", "proc/1/status", "proc/self/mountinfo", "proc/cpuinfo"])
    def test_a_host_that_hides_its_limits_has_none(
        self, write_host: Callable[..., str], tmp_path: Path, missing: str
    ) -> None:
        """As with hidepid, in a chroot, or without cgroups: the totals are left."""
        host = read_host("system.slice", root=write_host(tmp_path, {missing: None}))
        assert (host.cpus.amount, host.memory.amount) == (8, 8192 * MIB)

    @given(
        texts=st.fixed_dictionaries(
            {
                name: st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
                | st.text("0123456789-,:/. \n\\maxcgroup", max_size=60)
                for name in (
                    "proc/1/cgroup",
                    "proc/1/status",
                    "sys/fs/cgroup/system.slice/cpu.max",
                    "sys/fs/cgroup/system.slice/memory.max",
                    "sys/fs/cgroup/system.slice/cpuset.cpus.effective",
                )
            }
        ),
        mount=st.text("/.\\0123456789 -cgroup2", max_size=40),
    )
    def test_no_nonsense_in_a_file_stops_it(
        self, write_host: Callable[..., str], texts: dict[str, str], mount: str
    ) -> None:
        """Whatever the kernel of tomorrow writes there, the answer is between nothing and all of the host."""
        with tempfile.TemporaryDirectory() as folder:
            mounts = {
                "proc/self/mountinfo": f"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n1 1 0:1 / {mount} rw - cgroup cgroup rw,memory\n{mount}\n"
            }
            host = read_host("system.slice", root=write_host(Path(folder), texts, mounts))
        assert 0 < host.cpus.amount <= 8
        assert 0 < host.memory.amount <= 8192 * MIB


def read_host_of(pid: int, root: str) -> Host:
    """What a process may use."""
    return read_host_in(cgroups.cgroups_of(pid, root), pid, root)


class TestReadHostOf:
    """By a process's own cgroups and affinity, on a captured host with captured services."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> str:
        shutil.copytree(HOSTS / "vm-hybrid", tmp_path, dirs_exist_ok=True)
        shutil.copytree(HOSTS.parent / "services", tmp_path, symlinks=True, dirs_exist_ok=True)
        return str(tmp_path)

    def test_the_limit_of_its_own_unit(self, root: str) -> None:
        """Not that of the slice, nor that of another unit in it."""
        memory = read_host_of(993, root).memory
        assert (memory.amount, memory.limited_by) == (150 * MIB, "cgroup")
        assert str(memory.source).endswith("/system.slice/jrn.service/memory.limit_in_bytes")
        assert read_host_of(833, root).memory == read_memory("system.slice", root)

    def test_its_own_affinity(self, root: str) -> None:
        """As with CPUAffinity= of its unit; PID 1 has another."""
        status = Path(root, "proc/993/status")
        status.write_text(status.read_text(encoding="utf-8").replace("list:\t0-1", "list:\t1"), encoding="utf-8")
        assert read_host_of(993, root).cpus == Resource(1.0, "affinity", "/proc/993/status")
        assert read_host_of(833, root).cpus.amount == 2

    def test_one_that_is_gone(self, root: str) -> None:
        """The host's limits are left."""
        assert read_host_of(4711, root).memory.limited_by == "total"
