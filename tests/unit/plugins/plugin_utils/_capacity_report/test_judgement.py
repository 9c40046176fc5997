# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import copy
import json
import re
from fractions import Fraction

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import judgement
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import page as report_page
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import text as report_text

OUT_OF_MEMORY = {"service.exits.out_of_memory": 2}
GTHREAD = {"service.worker_class": "gthread", "recommended.worker_class": "gthread"}


@pytest.mark.parametrize(
    ("changes", "verdict", "advice"),
    [
        ({"recommended.workers": 5}, "healthy", "Nothing to do: 5 workers are right."),
        ({"recommended.workers": 6}, "healthy", "Nothing to do: 6 workers would be right, and that is close to what runs."),
        ({"recommended.workers": 9}, "watch", "The CPU is idle (81%) and RAM is free: add 4 workers, which makes 9."),
        ({"recommended.workers": 9, "host.cpu.id": None}, "watch", "RAM is free: add 4 workers, which makes 9."),
        ({"recommended.workers": 9, "host.cpu.id": 12.0}, "watch", "9 workers would be right, but only 12% of the CPU is idle now: see first what takes it."),
        ({"recommended.workers": 9, "host.memory.available": 100000000}, "watch", "9 workers would be right for the CPU, but RAM is not free for 4 more: see first what takes it."),
        ({"recommended.workers": 3}, "watch", "More workers than the CPU can use only take RAM: take 2 workers away, which leaves 3."),
        ({"recommended.workers": 3, "recommended.decided_by": "memory"}, "watch", "RAM does not hold so many workers at their peak: take 2 workers away, which leaves 3."),
        ({**GTHREAD, "recommended.workers": 3, "recommended.threads": 4}, "watch", "Run 3 workers with 4 threads each (gthread) instead of 5 workers with 1 thread each."),
        ({**GTHREAD, "service.threads": 4, "recommended.workers": 4, "recommended.threads": 5}, "healthy", "Nothing to do: 4 workers would be right, and that is close to what runs."),
        ({"host.memory.verdict": "short", "recommended.workers": 3}, "short", "RAM is short: take 2 workers away, which leaves 3."),
        ({"host.swap.verdict": "short", "recommended.workers": 4}, "short", "RAM is short: take 1 worker away, which leaves 4."),
        ({"host.memory.verdict": "short", "recommended.workers": 9}, "short", "RAM is short: add RAM, or see what else takes it; the workers are not too many."),
        ({**OUT_OF_MEMORY, "recommended.workers": 3}, "short", "The kernel ended 2 processes for want of memory: take 2 workers away, which leaves 3."),
        ({"recommended.fits": False, "recommended.workers": 1}, "short", "Not even one worker fits: take 4 workers away, which leaves 1."),
        ({"host.memory.verdict": "short", "service.workers.configured": None}, "short", "RAM is short: take some workers away, or add RAM."),
        ({"service.exits.timeout": 1}, "short", "1 worker was ended by the timeout: the log says which requests take so long."),
        ({"service.exits.killed": 3}, "short", "3 workers were killed from outside: the kernel's log says whether RAM was short."),
        ({"service.exits.failed": 1}, "watch", "1 worker ended with an error: the log says which."),
        ({"service.workers.running": 4}, "watch", "4 of 5 workers run: the log says what became of the others."),
        ({"service.workers.running": 7}, "watch", "7 workers run, and 5 are configured: a restart brings the two together."),
        ({"service.state": "failed"}, "short", "It has failed and serves nothing: its log says why."),
        ({"service.state": "activating", "service.sub_state": "auto-restart"}, "short", "It has failed and serves nothing: its log says why."),
        ({"service.state": "activating", "service.sub_state": "start"}, "watch", "It is starting, and its figures say little yet: measure again."),
        ({"service.state": "inactive"}, "watch", "It does not run: start it, or remove it if nobody needs it."),
        ({"host.verdict": "watch", "host.reason": "wa is high.", "recommended.workers": 5}, "watch", "Leave the workers as they are, and look at the host: wa is high."),
        ({"host.verdict": "short", "host.reason": "st is high.", "recommended.workers": 9}, "short", "9 workers would be right, but look at the host first: st is high."),
        ({"host.verdict": "short", "host.reason": None, "recommended.workers": 5}, "short", "Leave the workers as they are, and look at the host."),
        ({"service.workers.configured": None}, "healthy", "7 workers would be right; how many are configured can't be seen."),
        ({"recommended.workers": 9, "service.measured.wait_ratio": None}, "healthy", "Measure it first: 9 workers would be right for an application that nobody knows."),
        ({"recommended.workers": 3, "service.measured.wait_ratio": None, "recommended.decided_by": "memory"}, "watch", "RAM does not hold so many workers at their peak: take 2 workers away, which leaves 3."),
        ({"recommended.workers": 9, "service.measured.wait_ratio": None, "host.verdict": "short", "host.reason": "st is high."}, "short", "Leave the workers as they are, and look at the host: st is high."),
        ({"host.verdict": "nonsense", "host.memory.verdict": None, "recommended.workers": 5}, "healthy", "Nothing to do: 5 workers are right."),
    ],
)  # fmt: skip
def test_verdict_and_advice(changes: dict, verdict: str, advice: str) -> None:
    """The book's terms: CPU idle and RAM free, add workers; RAM short, take some away."""
    service = fleet.host(**changes)["services"][0]
    assert (service["verdict"], service["advice"]) == (verdict, advice)


verdicts = st.sampled_from(["healthy", "watch", "short", None])
counts = st.none() | st.integers(0, 50)
situations = st.fixed_dictionaries(
    {
        "host.verdict": verdicts,
        "host.memory.verdict": verdicts,
        "host.memory.available": st.none() | st.integers(0, 10**10),
        "host.swap.verdict": verdicts,
        "host.cpu.id": st.none() | st.floats(0, 100),
        "service.state": st.sampled_from(["active", "inactive", "failed", "activating", "running"]),
        "service.threads": st.sampled_from([None, 1, 4]),
        "service.workers.configured": counts,
        "service.workers.running": counts,
        "service.exits.timeout": st.sampled_from([None, 0, 2]),
        "service.exits.killed": st.sampled_from([None, 0, 2]),
        "service.exits.out_of_memory": st.sampled_from([None, 0, 2]),
        "recommended.workers": st.integers(1, 50),
        "recommended.threads": st.sampled_from([1, 4]),
        "recommended.decided_by": st.sampled_from(["cpu", "memory", "tasks", "minimum", "maximum"]),
        "recommended.fits": st.booleans(),
    }
)


@given(situations)
def test_advice_agrees_with_the_recommendation(situation: dict) -> None:
    """It never adds workers where fewer are recommended, never takes away where more are, and ends at that number."""
    service = fleet.host(**situation)["services"][0]
    advice, recommended = service["advice"], service["recommended"]["workers"]
    configured = service["workers"]["configured"]
    if added := re.search(r"add ([0-9]+) workers?, which makes ([0-9]+)", advice):
        assert configured + int(added[1]) == int(added[2]) == recommended > configured
    if removed := re.search(r"take ([0-9]+) workers? away, which leaves ([0-9]+)", advice):
        assert configured - int(removed[1]) == int(removed[2]) == recommended < configured
    assert advice.count(". ") == 0
    assert advice.endswith(".")


@given(situations)
def test_a_service_is_no_better_than_its_host(situation: dict) -> None:
    """And one that is healthy is on a healthy host, runs, and lost no worker."""
    host = fleet.host(**situation)
    service = host["services"][0]
    assert judgement.worst(service["verdict"], host["host"]["verdict"]) == service["verdict"]
    if service["verdict"] == "healthy":
        assert judgement.is_running(service)
        assert not any(service["exits"][kind] for kind in ("timeout", "killed", "out_of_memory", "failed"))
        assert "short" not in (host["host"]["memory"]["verdict"], host["host"]["swap"]["verdict"])


def test_what_was_measured_goes_over_the_hosts_own_sizing() -> None:
    """What the host's own sizing has besides stays; what the module does not know is left out."""
    own = {"memory_reserve": "2G", "wait_ratio": 20, "maximum": None, "nonsense": 1, "thread_safe": True}
    (demand,) = judgement.demands(fleet.info()["services"], own)
    assert demand["sizing"] == {
        "memory_reserve": "2G", "wait_ratio": 1.8, "thread_safe": True, "memory_per_worker": "154M",
    }  # fmt: skip
    assert demand["measured"] == ["memory_per_worker", "wait_ratio"]
    assert demand["assumed"] == []
    assert demand["service_directives"] == {}


def test_the_measured_ratio_has_two_digits() -> None:
    """The sentence is to be checked with a calculator."""
    services = fleet.info()["services"]
    services[0]["measured"] = {"wait_ratio": 0.7705571, "memory_per_worker": None}
    (demand,) = judgement.demands(services, {})
    assert demand["sizing"] == {"wait_ratio": 0.77}


@pytest.mark.parametrize("text", ["{{ lookup('pipe', 'id') }}", "154", "M", "", "1M\n", "-1M", "154M # x", "١M"])
def test_a_text_of_the_host_does_not_become_an_option(text: str) -> None:
    """It would end in host_vars, where Ansible takes it for a template."""
    services = fleet.info()["services"]
    services[0]["measured"]["memory_per_worker"] = text
    assert judgement.demands(services, {})[0]["sizing"] == {"wait_ratio": 1.8}


def test_without_a_measurement_the_hosts_own_sizing_counts() -> None:
    """A host without gunicorn_sizing gets the rule's defaults."""
    services = fleet.info()["services"]
    services[0]["measured"] = None
    assert judgement.demands(services, {"share": 0.5})[0]["sizing"] == {"share": 0.5}
    assert judgement.demands(services, {})[0]["sizing"] == {}
    assert judgement.demands(services, None)[0]["measured"] == []


@given(st.integers(2, 40))
def test_services_of_a_host_share_it(number: int) -> None:
    """Together they are never given more than the host, unless its own gunicorn_sizing says so."""
    services = [copy.deepcopy(fleet.info()["services"][0]) for _number in range(number)]
    demands = judgement.demands(services, {})
    assert sum(Fraction(str(demand["sizing"]["share"])) for demand in demands) <= 1
    assert demands[0]["assumed"] == ["share"]
    assert {demand["sizing"]["share"] for demand in judgement.demands(services, {"share": 0.9})} == {0.9}
    services[0]["state"] = "inactive"
    assert all(("share" in demand["sizing"]) == (number > 2) for demand in judgement.demands(services, {}))


def test_limits_of_the_service_go_with_it() -> None:
    """As directives, which count as the service's own; threads only where it has some and the host has them set."""
    services = fleet.info()["services"]
    services[0]["limits"].update(
        memory=536870912, memory_limited_by="cgroup", cpus=1.5, cpus_limited_by="quota", tasks=64
    )
    assert judgement.demands(services, {})[0]["service_directives"] == {
        "MemoryMax": "536870912", "CPUQuota": "150%", "TasksMax": "64",
    }  # fmt: skip
    assert judgement.demands(services, {}, 4)[0]["threads"] is None
    services[0]["worker_class"] = "gthread"
    assert judgement.demands(services, {}, 4)[0]["threads"] == 4
    assert judgement.demands(services, {}, "auto")[0]["threads"] is None


@pytest.mark.parametrize(
    ("info", "problem", "reachable"),
    [
        ({"unreachable": True, "msg": "Task failed: Failed to connect\nvia ssh"}, "Not reachable: Failed to connect via ssh", False),
        ({"failed": True, "msg": "Task failed: Action failed: no python"}, "Could not be read: no python", True),
        ({"failed": True}, "Could not be read: it did not say why", True),
        ({"services": "<script>", "host": {}}, "Could not be read: it gave no answer that can be understood.", True),
        (None, "Could not be read: it gave no answer that can be understood.", True),
    ],
)  # fmt: skip
def test_a_host_that_gave_no_answer_says_why(info: object, problem: str, reachable: bool) -> None:
    """In its own words, on one line."""
    host = judgement.report_host("web1", info, {})
    assert (host["problem"], host["reachable"], host["host"], host["services"]) == (problem, reachable, None, [])


def test_a_sizing_that_failed_leaves_the_rest_of_the_host() -> None:
    """The service has no recommendation, and says why, whether it failed alone or with all the others."""
    read = fleet.info()
    failed = fleet.sized(read)
    failed["results"][0].update(failed=True, msg="memory_reserve: 'x' can't be used")
    for answer in (failed, {"failed": True, "msg": "Task failed: memory_reserve: 'x' can't be used"}):
        host = judgement.report_host("web1", read, answer)
        assert host["problem"] is None
        assert host["services"][0]["recommended"] is None
        assert host["services"][0]["unseen"] == ["how many workers would be right: memory_reserve: 'x' can't be used"]
        assert host["services"][0]["advice"] == "Nothing to do, as far as can be seen."


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Return the way to each part of an answer."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for key, part in parts for place in places(part, (*path, key))]
    return [path, *found] if path else found


ANSWER = {"info": fleet.info(), "sizing": fleet.sized(fleet.info())}
# What the host says in it; the results themselves, and the items of the loop, are made by the controller.
SAID = [place for place in places(ANSWER) if len(place) > {"info": 1, "sizing": 3}[place[0]] and "item" not in place]
changes_of_an_answer = st.lists(st.tuples(st.sampled_from(SAID), anything), max_size=5)


@given(changes_of_an_answer)
def test_whatever_a_host_answers_the_report_is_made(changes: list) -> None:
    """A host that was broken into can spoil what is said of it, and not the report."""
    answer = copy.deepcopy(ANSWER)
    for path, value in changes:
        part = answer
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = value
    report = fleet.report(judgement.report_host("web1", answer["info"], answer["sizing"]), fleet.host("web2"))
    json.dumps(report, allow_nan=False)
    assert "web2" in report_page.page(report)
    assert report_text.table(report["hosts"])
    assert "web2.yml" in report_text.snippets(report)


@pytest.mark.parametrize("name", ["²", "٣", "1" * 19, pytest.param("9" * 5000, id="very long")])
def test_odd_digits_can_be_sorted(name: str) -> None:
    """Python makes no number of some of them."""
    assert len(judgement.rows([fleet.unreachable(name), fleet.unreachable("web1")])) == 2


def test_the_worst_come_first() -> None:
    """Short, then not read, then to be watched, then healthy; then the least memory, and names as people sort them."""
    report = fleet.report(
        fleet.host("web10", **{"recommended.workers": 5}),
        fleet.host("web2", **{"recommended.workers": 5}),
        fleet.host("low", **{"recommended.workers": 5, "host.memory.available": 900000000}),
        fleet.host("web1"),
        fleet.unreachable("gone"),
        fleet.without_service("cache"),
        fleet.host("late", **{"service.exits.timeout": 1}),
        fleet.host("full", **fleet.SHORT),
    )
    assert [row.host["name"] for row in judgement.rows(report["hosts"])] == [
        "full", "late", "gone", "web1", "low", "cache", "web2", "web10",
    ]  # fmt: skip
    assert judgement.verdicts(report["hosts"]) == {"short": 2, "missing": 1, "watch": 1, "healthy": 4}


@given(st.lists(st.text(st.characters(codec=None), max_size=8)))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    """Digits of all scripts included."""
    rows = judgement.rows([fleet.unreachable(name) for name in names])
    assert sorted(row.host["name"] for row in rows) == sorted(names)
    assert sorted(row.place for row in rows) == list(range(len(names)))
