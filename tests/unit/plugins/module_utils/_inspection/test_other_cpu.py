# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other processes compute for the requests, and the wait ratio that remains."""

from __future__ import annotations

import array
import re
import typing as t
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    measurement,
    other_cpu,
    service_result,
    services,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.other_cpu import OtherCpu, SampledCpu
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.counters_format import CountersFormat

ratios = st.floats(0, 1000)
cores = st.floats(0.05, 256)


class TestEffectiveRatio:
    @given(ratios, cores)
    def test_without_others_it_is_the_ratio(self, ratio: float, host: float) -> None:
        """Also where nothing is known of them."""
        assert other_cpu.effective_ratio(ratio, 0.0, host, host) == pytest.approx(ratio)
        assert other_cpu.effective_ratio(ratio, None, host, host) == ratio

    @given(ratios, st.floats(0, 1), cores)
    def test_nothing_remains_if_others_compute_for_as_long(self, ratio: float, more: float, host: float) -> None:
        """All of the waiting keeps the same cores busy, so that a worker for each core does, too."""
        assume(not other_cpu.is_unrelated(ratio, ratio + more))
        assert other_cpu.effective_ratio(ratio, ratio + more, host, host) == pytest.approx(0, abs=1e-9)

    @given(ratios, *[st.floats(0, 1)] * 2, cores, cores)
    def test_more_of_others_never_makes_more_of_it(
        self, ratio: float, one: float, two: float, own: float, host: float
    ) -> None:
        """As long as the requests can be the reason for it; and it is between 0 and the ratio."""
        few, many = sorted(part * (ratio + other_cpu.MOST_BESIDE_WAITING) for part in (one, two))
        most, least = (other_cpu.effective_ratio(ratio, other, own, host) for other in (few, many))
        assert 0 <= least <= most + 1e-9
        assert most <= ratio

    @given(ratios, st.floats(0, 1), st.floats(1, 64))
    def test_it_is_the_waiting_less_the_others(self, ratio: float, part: float, host: float) -> None:
        """In each second of computing, to 1 + other seconds of the cores."""
        other = part * ratio
        expected = (ratio - other) / (1 + other)
        assert other_cpu.effective_ratio(ratio, other, host, host) == pytest.approx(expected, abs=1e-9)

    @given(st.floats(0, 20), st.floats(0, 1), st.floats(1, 8), st.floats(0.05, 1))
    def test_its_workers_keep_the_cores_or_the_quota_busy(
        self, ratio: float, part: float, host: float, quota: float
    ) -> None:
        """With so many requests under way, either all cores compute, or the service uses all that it may."""
        other, own = part * ratio, quota * host
        workers = own * (1 + other_cpu.effective_ratio(ratio, other, own, host))
        computed = workers / (1 + ratio)
        assert computed == pytest.approx(min(own, host / (1 + other))) or workers == pytest.approx(own)

    def test_a_backup_does_not_decide(self) -> None:
        """Requests that wait for 2 s can't be the reason for 3.1 s of others: the measured ratio stays."""
        assert other_cpu.effective_ratio(2, 3.1, 2, 2) == 2
        assert other_cpu.effective_ratio(2, 2.9, 2, 2) == 0


SAMPLE = SampledCpu(10.0, cores=2.0, host=9.0, services={7: 4.0, 8: 2.0}, managed=frozenset({7, 8}), idle=50.0)


class TestMeasure:
    def test_others_are_all_that_is_not_gunicorn(self) -> None:
        """9 s less 6 s of two services; each has half of a second for each of its own."""
        assert other_cpu.measure(SAMPLE, 7, 100, 2.0) == OtherCpu(0.5)
        assert other_cpu.measure(SAMPLE._replace(services={7: 4.0}), 7, 100, 2.0) == OtherCpu(1.25)

    def test_a_quiet_service_does_not_get_the_work_for_a_busy_one(self) -> None:
        """The database computed for the other one, so far as anybody can tell."""
        busy = SAMPLE._replace(host=17.5, services={7: 2.5, 8: 10.0})
        assert other_cpu.measure(busy, 7, 100, 2.0).ratio == 0.4

    @pytest.mark.parametrize("stranger", [2.0, None])
    def test_what_a_user_calls_gunicorn_is_another_process(self, stranger: float | None) -> None:
        """It neither makes less of the others, nor does its end hide them; but it can be measured itself."""
        sample = SAMPLE._replace(services={7: 4.0, 8: stranger}, managed=frozenset({7}))
        assert other_cpu.measure(sample, 7, 100, 2.0) == OtherCpu(1.25)
        assert other_cpu.measure(SAMPLE._replace(managed=frozenset({7})), 8, 100, 0.5) == OtherCpu(0.5)

    def test_counters_are_not_read_at_once(self) -> None:
        """The services may have computed a little more when they were read than the host had before."""
        assert other_cpu.measure(SAMPLE._replace(host=5.6), 7, 100, 2.0) == OtherCpu(0.0)

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"requests": 99}, "100 requests within a sample; watch it for longer"),
            ({"requests": None}, "100 requests within a sample; watch it for longer"),
            ({"requests": -5}, "100 requests within a sample"),
            (
                {"sample": SAMPLE._replace(services={7: 2.4})},
                "0.25 of a core that the service computes within a sample; watch it under",
            ),
            ({"sample": SAMPLE._replace(services={7: 0.9}), "cores": 0.4}, "0.1 of a core"),
            ({"sample": SAMPLE._replace(services={7: 4.0, 8: None})}, "processes of a Gunicorn service ended"),
            ({"sample": SAMPLE._replace(services={7: None})}, "processes of a Gunicorn service ended"),
            ({"sample": SAMPLE._replace(host=None)}, "no cgroup counts the CPU time of the whole host"),
            ({"sample": SAMPLE._replace(host=5.3)}, "no cgroup counts the CPU time of the whole host"),
            ({"sample": SAMPLE._replace(seconds=0.0, services={7: 0.0})}, "0.25 of a core"),
        ],
    )
    def test_unknowns_say_why(self, changes: dict, problem: str) -> None:
        """And how to measure it."""
        options = {"sample": SAMPLE, "master": 7, "requests": 100, "cores": 2.0, **changes}
        found = other_cpu.measure(**options)
        assert found.ratio is None
        assert problem in found.problem

    def test_a_small_quota_may_be_used_up(self) -> None:
        """A quarter of 0.4 CPUs is enough."""
        assert other_cpu.measure(SAMPLE._replace(services={7: 1.1}), 7, 100, 0.4).ratio is not None


class TestWaitedForCores:
    @pytest.mark.parametrize(("idle", "waited"), [(None, False), (10.0, False), (9.9, True), (0.0, True)])
    def test_others_wait_if_no_core_is_idle(self, idle: float | None, waited: bool) -> None:
        """Of the waiting for them, a part is the waiting for a core."""
        assert other_cpu.waited_for_cores(SAMPLE._replace(idle=idle), 7) == waited

    def test_the_service_alone_does_not_hide_its_waiting(self) -> None:
        """Its own waiting for a core is not counted as waiting, and others that compute little are not waited for."""
        busy = SAMPLE._replace(host=20.0, services={7: 19.0}, idle=0.0)
        assert not other_cpu.waited_for_cores(busy, 7)
        assert other_cpu.waited_for_cores(busy._replace(services={7: 18.0}), 7)

    def test_a_service_that_hardly_gets_a_core(self) -> None:
        """It answers too little to measure the others, which is no reason to take its waiting for idle time."""
        starved = SAMPLE._replace(host=20.0, services={7: 0.5}, idle=0.0)
        assert other_cpu.measure(starved, 7, 20, 2.0).ratio is None
        assert other_cpu.waited_for_cores(starved, 7)

    def test_without_a_counter_of_the_host_nothing_is_known(self) -> None:
        assert not other_cpu.waited_for_cores(SAMPLE._replace(host=None, idle=0.0), 7)


UNIFIED = "sys/fs/cgroup/unified"
STAT = re.compile(r"(usage|user)_usec (\d+)")


def compute(root: Path, group: str, seconds: float) -> None:
    """Let the programs of a captured cgroup compute for so long."""
    (path,) = root.glob(f"{UNIFIED}/{group}cpu.stat")
    text = STAT.sub(lambda found: f"{found[1]}_usec {int(found[2]) + round(seconds * 1e6)}", path.read_text())
    path.write_text(text, encoding="utf-8")


def compute_alone(root: Path, pid: int, seconds: float) -> None:
    """Let one process compute for so long."""
    path = root / f"proc/{pid}/stat"
    fields = path.read_text(encoding="utf-8").split(" ")
    fields[13] = str(int(fields[13]) + round(seconds * processes.TICKS))
    path.write_text(" ".join(fields), encoding="utf-8")


def count(root: Path, requests: int) -> None:
    """Let the service have counted so many requests, each of which waits for twice as long as it computes."""
    words = dict.fromkeys(CountersFormat.WORDS, 0)
    words.update(version=1, since=1795345270, requests=requests, time=requests * 3000000, longest=3000000)
    words.update(alone=requests, alone_time=requests * 3000000, alone_cpu=requests * 1000000)
    histogram = [0] * CountersFormat.BUCKETS
    histogram[CountersFormat.bucket_of(3000000)] = requests
    path = root / "run/gunicorn/plain/requests-835"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(array.array("Q", [*words.values(), *histogram]).tobytes())


class TestOfCapturedServices:
    """The services are on a virtual machine; their cgroups and that of all count in the hierarchy of version 2."""

    @pytest.fixture
    def watch(
        self, captured_host: Path, services_of: t.Callable[..., dict], monkeypatch: pytest.MonkeyPatch
    ) -> t.Callable[..., dict]:
        """Return what the module returns of the service, for which this is done within the sample."""
        (captured_host / "proc/835/smaps_rollup").write_text("Pss: 65536 kB\nPss_Anon: 65536 kB\n", encoding="utf-8")

        def watched(
            requests: int = 100,
            own: float = 0.5,
            host: float | None = 0.8,
            also: t.Callable[[], None] = int,
            **more: t.Any,
        ) -> dict:
            def sleep(_seconds: float) -> None:
                compute(captured_host, "libpod_parent/libpod-e604*/system.slice/plain.service/", own)
                compute(captured_host, "libpod_parent/libpod-e604*/system.slice/jrn.service/", 0.1)
                if host is not None:
                    compute(captured_host, "", host)
                also()
                count(captured_host, 1000 + requests)

            count(captured_host, 1000)
            monkeypatch.setattr("time.sleep", sleep)
            return services_of(captured_host, **more)["plain"]

        return watched

    @pytest.mark.parametrize("name", [None, "plain"])
    def test_others_computed_a_third(self, watch: t.Callable[..., dict], name: str | None) -> None:
        """0.2 s of 0.8 s are neither of this service nor of the other one, which counts also if only this is wanted."""
        service = watch(name=name)
        requests = service["requests"]
        assert (requests["wait_ratio"], requests["other_cpu_ratio"]) == (2.0, pytest.approx(0.333))
        assert service["measured"]["wait_ratio"] == 1.3  # (2 - 1/3) / (1 + 1/3) = 1.25
        assert not [line for line in service["unseen"] if "other processes" in line]

    @pytest.mark.parametrize(("cores", "wait_ratio"), [(2.0, 1.3), (1.8, 1.5), (1.0, 2.0)])
    def test_a_quota_leaves_cores_to_the_others(
        self, watch: t.Callable[..., dict], monkeypatch: pytest.MonkeyPatch, cores: float, wait_ratio: float
    ) -> None:
        """On the two cores of a host: the service may use less of them, and the others compute beside it."""
        read_limits = service_result._limits
        monkeypatch.setattr(service_result, "_limits", lambda *given: {**read_limits(*given), "cpus": cores})
        service = watch()
        assert (service["requests"]["wait_ratio"], service["requests"]["other_cpu_ratio"]) == (2.0, 0.333)
        assert service["measured"]["wait_ratio"] == wait_ratio

    @pytest.mark.parametrize(
        ("slots", "sample", "ratio", "wait_ratio"),
        [
            (6, {}, 0.333, None),
            (7, {}, 0.333, 1.3),  # the rule makes 7 workers of 1.25, which run
            (None, {}, 0.333, 1.3),  # an event loop, whose workers it does not multiply
            (6, {"requests": 99}, None, 2.0),
            (6, {"host": 2.0}, 2.333, 0.0),  # nothing is left of 2, even if a part of the 2 is no waiting
            (6, {"host": 0.62}, 0.033, 1.9),  # the others computed next to nothing
            (2, {"host": 1.636}, 1.727, 0.1),  # the rule makes 3 workers in any case
        ],
    )
    def test_busy_cores_hide_the_waiting(
        self,
        watch: t.Callable[..., dict],
        captured_host: Path,
        monkeypatch: pytest.MonkeyPatch,
        slots: int | None,
        sample: dict,
        ratio: float | None,
        wait_ratio: float | None,
    ) -> None:
        """What was measured stays, but makes no workers beyond those that keep the cores busy.

        The cores are those of the machine, which another container may keep busy.
        """
        monkeypatch.setattr(measurement, "slots_of", lambda _details: slots)
        stat = captured_host / "proc/stat"

        def work() -> None:
            fields = stat.read_text(encoding="utf-8").split()
            stat.write_text(" ".join([fields[0], str(int(fields[1]) + 100), *fields[2:]]), encoding="utf-8")

        service = watch(**sample, also=work)
        assert (service["requests"]["wait_ratio"], service["requests"]["other_cpu_ratio"]) == (2.0, ratio)
        assert service["measured"]["wait_ratio"] == wait_ratio
        told = [line for line in service["unseen"] if line.startswith("wait ratio for the sizing: the cores were busy")]
        assert bool(told) == (wait_ratio is None)

    @pytest.mark.parametrize(
        ("sample", "ratio", "said"),
        [
            ({"requests": 99}, None, "what other processes compute for its requests: it takes 100 requests"),
            ({"requests": -1}, None, "what other processes compute for its requests: it takes 100 requests"),
            ({"own": 0.0}, None, "what other processes compute for its requests: it takes 0.25 of a core"),
            ({"host": 9.0}, 14.0, "what other processes compute for its requests: 14 s for each second"),
        ],
    )
    def test_what_can_not_be_told_changes_nothing(
        self, watch: t.Callable[..., dict], sample: dict, ratio: float | None, said: str
    ) -> None:
        """The measured ratio stays, and what could not be seen says why."""
        service = watch(**sample)
        assert service["requests"]["other_cpu_ratio"] == ratio
        assert service["measured"]["wait_ratio"] == service["requests"]["wait_ratio"] == 2.0
        assert [line for line in service["unseen"] if line.startswith(said)]

    def test_a_host_without_accounting(self, watch: t.Callable[..., dict], captured_host: Path) -> None:
        """Without a counter of all, nothing is known of the others."""
        for name in (f"{UNIFIED}/cpu.stat", "sys/fs/cgroup/cpuacct/cpuacct.usage"):
            (captured_host / name).unlink()
        service = watch(host=None)
        assert service["requests"]["other_cpu_ratio"] is None
        assert service["measured"]["wait_ratio"] == 2.0
        assert (
            "what other processes compute for its requests: no cgroup counts the CPU time of the whole host"
            in service["unseen"]
        )

    def test_a_host_of_version_1(self, watch: t.Callable[..., dict], captured_host: Path) -> None:
        """The time of all is in a controller of version 1, if version 2 counts none in its root."""
        (captured_host / UNIFIED / "cpu.stat").unlink()
        usage = captured_host / "sys/fs/cgroup/cpuacct/cpuacct.usage"

        def count_all() -> None:
            usage.write_text(str(int(usage.read_text(encoding="utf-8")) + 800_000_000), encoding="utf-8")

        assert watch(host=None, also=count_all)["requests"]["other_cpu_ratio"] == pytest.approx(0.333)

    def test_a_service_that_supervisor_runs_is_not_another_process(
        self, watch: t.Callable[..., dict], captured_host: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its master and its workers are not in a cgroup of its own, and count one by one."""
        for pid in (993, 1003, 1015):
            (captured_host / f"proc/{pid}/cgroup").write_text("0::/system.slice/supervisor.service\n", encoding="utf-8")
        monkeypatch.setattr(services, "_program", lambda _master, _root: "jrn")
        assert watch(also=lambda: compute_alone(captured_host, 1003, 0.1))["requests"][
            "other_cpu_ratio"
        ] == pytest.approx(0.333, abs=0.001)

    @pytest.mark.parametrize("pid", [None, 1003])
    def test_a_service_that_ends_meanwhile(
        self, watch: t.Callable[..., dict], captured_host: Path, monkeypatch: pytest.MonkeyPatch, pid: int | None
    ) -> None:
        """What it has computed is gone with its cgroup, or its process, and would seem to be for the requests."""

        def end() -> None:
            if pid is None:
                compute(captured_host, "libpod_parent/libpod-e604*/system.slice/jrn.service/", -0.2)
            else:
                (captured_host / f"proc/{pid}/stat").unlink()

        if pid:
            compute_alone(captured_host, pid, 1.0)
            (captured_host / "proc/993/cgroup").write_text("0::/system.slice/supervisor.service\n", encoding="utf-8")
            monkeypatch.setattr(services, "_program", lambda _master, _root: "jrn")
        service = watch(also=end)
        assert service["requests"]["other_cpu_ratio"] is None
        assert service["measured"]["wait_ratio"] == 2.0
        assert [line for line in service["unseen"] if "processes of a Gunicorn service ended within the sample" in line]

    @pytest.mark.parametrize("times", [50, 9000])
    def test_the_access_log_counts_as_well(
        self, captured_host: Path, services_of: t.Callable[..., dict], monkeypatch: pytest.MonkeyPatch, times: int
    ) -> None:
        """For services that count nothing by themselves, also if a long sample fills more than a MiB of the log."""
        log = captured_host / "var/log/shop/plain-access.log"

        def sleep(_seconds: float) -> None:
            compute(captured_host, "libpod_parent/libpod-e604*/system.slice/plain.service/", 0.5)
            compute(captured_host, "", 0.75)
            log.write_text(log.read_text(encoding="utf-8") * times, encoding="utf-8")

        monkeypatch.setattr("time.sleep", sleep)
        requests = services_of(captured_host)["plain"]["requests"]
        assert requests["other_cpu_ratio"] == 0.5
        assert requests["cpu_per_request"] == pytest.approx(0.5 / (3 * times - 3))
