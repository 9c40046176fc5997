# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.cgroup_counters import CgroupCpu
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import host_usage, host_verdicts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.host_usage import (
    Cpu,
    Load,
    Memory,
    Moment,
    Place,
    Swap,
)

HOSTS = Path(__file__).parents[4] / "fixtures" / "hosts"
KIB, MIB = 1 << 10, 1 << 20


def moments(root: str, *changes: dict[str, str]) -> tuple[Place, list[Moment]]:
    """Read the counters of a host, and once more half a second later, after these files have changed."""
    place = host_usage.read_place(root)
    found = [host_usage.read_moment(place, 100.0, root)]
    for change in changes:
        for name, text in change.items():
            Path(root, name).write_text(text, encoding="utf-8")
        found.append(host_usage.read_moment(place, 100.5, root))
    return place, found


@pytest.fixture
def host(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A captured host, to be changed."""
    shutil.copytree(HOSTS / request.param, tmp_path / "host")
    return str(tmp_path / "host")


class TestMemory:
    @pytest.mark.parametrize(
        ("name", "memory"),
        [
            (
                "vm-hybrid",
                Memory(
                    total=24684092 * KIB,
                    used=(24684092 - 19965144 - 3260 - 416520 - 831436) * KIB,
                    free=19965144 * KIB,
                    buffers_cache=(3260 + 416520 + 831436) * KIB,
                    available=20737972 * KIB,
                ),
            ),
            # Of the container: 512 MiB with 22372352 bytes in use, 12185600 of them cache, which can be dropped but for
            # shared memory.
            (
                "container-systemd",
                Memory(
                    512 * MIB,
                    22372352 - 12185600,
                    512 * MIB - 22372352,
                    12185600,
                    512 * MIB - 22372352 + 3657728,
                    "cgroup",
                ),
            ),
            (
                "derived-container-v2",
                Memory(512 * MIB, 496 * MIB - 13 * MIB, 16 * MIB, 13 * MIB, 16 * MIB + 11 * MIB, "cgroup"),
            ),
        ],
    )
    def test_captured_hosts(self, name: str, memory: Memory) -> None:
        """Of the machine, or of the container where that has the smaller limit."""
        root = str(HOSTS / name)
        assert host_usage.read_memory(host_usage.read_place(root), root) == memory

    @pytest.mark.parametrize("name", sorted(path.name for path in HOSTS.iterdir() if (path / "proc/stat").exists()))
    def test_its_parts_add_up(self, name: str) -> None:
        """On each captured host."""
        root = str(HOSTS / name)
        memory = host_usage.read_memory(host_usage.read_place(root), root)
        assert memory.used + memory.free + memory.buffers_cache == memory.total
        assert 0 <= memory.available <= memory.total
        assert memory.used >= 0

    @given(st.lists(st.integers(0, 1 << 40), min_size=7, max_size=7))
    def test_no_figures_stop_it(self, sizes: list[int]) -> None:
        """They are read one after the other, and need not fit together."""
        place = Place(
            Host(Resource(1, "online"), Resource((sizes[0] + 1) * KIB, "total")),
            [],
        )
        names = ("MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SReclaimable", "Shmem")
        text = "".join(f"{name}: {size} kB\n" for name, size in zip(names, sizes))
        memory = host_usage.parse_memory(place, text)
        assert memory.used + memory.free + memory.buffers_cache == memory.total
        assert min(memory.used, memory.free, memory.buffers_cache, memory.available) >= 0
        assert memory.available <= memory.total
        host_verdicts.judge_memory(memory, None)


class TestSwap:
    def test_no_swap(self) -> None:
        """As on many virtual machines."""
        root = str(HOSTS / "vm-hybrid")
        place, (before,) = moments(root)
        assert host_usage.read_swap(place, before, before._replace(time=100.5), root) == Swap(0, 0, 0.0, 0.0)

    @pytest.mark.parametrize("host", ["derived-zram"], indirect=True)
    def test_what_moved(self, host: str) -> None:
        """Pages of 4 KiB in half a second; zram is in memory itself."""
        place, (before, after) = moments(host, {"proc/vmstat": "pswpin 120410\npswpout 260700\n"})
        page = host_usage._PAGE
        assert host_usage.read_swap(place, before, after, host) == Swap(
            1012736 * KIB, 400000 * KIB, 20.0 * page, 0.0, True
        )

    @pytest.mark.parametrize("host", ["derived-container-v2"], indirect=True)
    def test_of_a_container(self, host: str) -> None:
        """Its own limit and pages, not those of the machine."""
        stat = Path(host, "sys/fs/cgroup/memory.stat")
        changed = stat.read_text(encoding="utf-8").replace("pswpout 7000", "pswpout 7100")
        place, (before, after) = moments(host, {"sys/fs/cgroup/memory.stat": changed})
        swap = host_usage.read_swap(place, before, after, host)
        assert swap == Swap(256 * MIB, 100 * MIB, 0.0, 200.0 * host_usage._PAGE)

    def test_a_container_whose_kernel_does_not_count_pages(self) -> None:
        """It is not known; the machine's would be those of others."""
        root = str(HOSTS / "container-systemd")
        place, (before,) = moments(root)
        swap = host_usage.read_swap(place, before, before._replace(time=100.5), root)
        assert (swap.in_per_second, swap.out_per_second) == (None, None)


class TestCpu:
    @pytest.mark.parametrize("host", ["vm-hybrid"], indirect=True)
    def test_of_a_machine(self, host: str) -> None:
        """Percent of what was counted in the sample, by the names of top."""
        place, (before, after) = moments(
            host, {"proc/stat": "cpu  2438772 402355 588790 1966575 26872 1 18826 2014 1 1\n"}
        )
        cpu = host_usage.read_cpu(place, before, after)
        assert cpu == Cpu(us=40.0, sy=10.0, ni=0.0, id=40.0, wa=6.0, hi=1.0, si=1.0, st=2.0, sample=0.5)

    @pytest.mark.parametrize("host", ["derived-container-v2"], indirect=True)
    def test_of_a_container_with_a_quota(self, host: str) -> None:
        """Percent of the 1.5 CPUs that it may use, and how often it was held back."""
        stat = "usage_usec 388957104\nuser_usec 164229567\nsystem_usec 224727537\nnr_periods 9005\nnr_throttled 4002\nthrottled_usec 1\n"
        place, (before, after) = moments(host, {"sys/fs/cgroup/cpu.stat": stat})
        cpu = host_usage.read_cpu(place, before, after)
        assert cpu == Cpu(40.0, 20.0, None, 40.0, None, None, None, None, sample=0.5, throttled=40.0)

    @pytest.mark.parametrize("host", ["container-systemd"], indirect=True)
    def test_of_a_container_on_version_1(self, host: str) -> None:
        """The same by other files."""
        changes = {
            "sys/fs/cgroup/cpuacct/cpuacct.usage": str(388507104 + 450_000_000),
            "sys/fs/cgroup/cpuacct/cpuacct.usage_user": str(203968445 + 300_000_000),
            "sys/fs/cgroup/cpuacct/cpuacct.usage_sys": str(163929567 + 150_000_000),
        }
        place, (before, after) = moments(host, changes)
        cpu = host_usage.read_cpu(place, before, after)
        assert (cpu.us, cpu.sy, cpu.id, cpu.throttled) == (40.0, 20.0, 40.0, 0.0)

    def test_a_host_that_says_nothing(self, tmp_path: Path) -> None:
        """Not known, and no division by zero."""
        place = host_usage.read_place(str(HOSTS / "vm-hybrid"))
        moment = Moment(100.0, (), None, None)
        assert host_usage.read_cpu(place, moment, moment)[:8] == (None,) * 8

    @given(*[st.lists(st.integers(0, 1 << 63), min_size=8, max_size=8)] * 2)
    def test_no_counters_stop_it(self, early: list[int], late: list[int]) -> None:
        """The kernel's may even go back."""
        place = host_usage.read_place(str(HOSTS / "vm-hybrid"))
        before, after = (Moment(at, tuple(ticks), None, None) for at, ticks in ((1.0, early), (1.5, late)))
        cpu = host_usage.read_cpu(place, before, after)
        assert all(value is None or 0 <= value <= 100 for value in cpu[:8])

    @given(*[st.floats(0, 1e12)] * 4, st.integers(0, 1 << 40), st.integers(0, 1 << 40))
    def test_no_cgroup_stops_it(
        self, early: float, late: float, user: float, system: float, periods: int, held: int
    ) -> None:
        """Nor may its."""
        place = host_usage.read_place(str(HOSTS / "derived-container-v2"))
        before = Moment(1.0, (), CgroupCpu(early, user, system, 0.0, held, periods), None)
        after = Moment(1.5, (), CgroupCpu(late, system, user, 0.0, periods, held), None)
        cpu = host_usage.read_cpu(place, before, after)
        assert all(value is None or 0 <= value <= 100 for value in (*cpu[:8], cpu.throttled))


class TestLoad:
    @pytest.mark.parametrize(
        ("name", "load"),
        [
            ("derived-256-cores", Load(141.20, 150.02, 138.77, 256)),
            ("derived-zram", Load(0.42, 0.51, 0.47, 4)),
            # The load is the machine's, so its cores count, and not the container's one and a half.
            ("derived-container-v2", Load(0.80, 0.90, 0.70, 4)),
        ],
    )
    def test_captured_hosts(self, name: str, load: Load) -> None:
        """With the cores of the machine."""
        assert host_usage.read_load(str(HOSTS / name)) == load

    @pytest.mark.parametrize("text", ["", "x", "0.1 0.2\n", "1 2 3 4\n"])
    def test_what_is_none(self, tmp_path: Path, text: str) -> None:
        """It is not known."""
        shutil.copytree(HOSTS / "vm-hybrid", tmp_path / "host")
        (tmp_path / "host/proc/loadavg").write_text(text, encoding="utf-8")
        assert host_usage.read_load(str(tmp_path / "host")) is None


class TestPressure:
    def test_of_a_machine(self) -> None:
        """All three, with the averages of each."""
        root = str(HOSTS / "vm-hybrid")
        pressure = host_usage.read_pressure(host_usage.read_place(root), root)
        assert pressure is not None
        assert set(pressure) == {"cpu", "memory", "io"}
        assert set(pressure["memory"]) == {f"{kind}_{span}" for kind in ("some", "full") for span in (10, 60, 300)}

    def test_of_a_container(self) -> None:
        """Its own, while the machine's is at rest."""
        root = str(HOSTS / "derived-container-v2")
        pressure = host_usage.read_pressure(host_usage.read_place(root), root)
        assert pressure is not None
        assert pressure["memory"]["full_60"] == 11.75

    def test_of_a_kernel_without(self) -> None:
        """It is not known."""
        root = str(HOSTS / "derived-256-cores")
        assert host_usage.read_pressure(host_usage.read_place(root), root) is None
