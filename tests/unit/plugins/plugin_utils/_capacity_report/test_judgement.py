# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import judgement

OUT_OF_MEMORY = {"service.exits.out_of_memory": 2}
GTHREAD = {"service.worker_class": "gthread", "recommended.worker_class": "gthread"}


@pytest.mark.parametrize(
    ("changes", "verdict", "advice"),
    [
        ({"recommended.workers": 5}, "healthy", "Nothing to do: 5 workers are right."),
        ({"recommended.workers": 6}, "healthy", "Nothing to do: 6 workers would be right, and that is close to what runs."),
        ({"recommended.workers": 9}, "watch", "The CPU is idle (81%) and RAM is free: add 4 workers, which makes 9."),
        ({"recommended.workers": 9, "host.cpu.id": None}, "watch", "RAM is free: add 4 workers, which makes 9."),
        ({"recommended.workers": 9, "host.cpu.id": 12.0}, "watch", "9 workers would be right, but only 12% of the CPU is idle now: first find out what uses it."),
        ({"recommended.workers": 9, "host.memory.available": 100000000}, "watch", "9 workers would be right for the CPU, but RAM is not free for 4 more: first find out what uses it."),
        ({"recommended.workers": 3}, "watch", "More workers than the CPU can use only take RAM: take 2 workers away, which leaves 3."),
        ({"recommended.workers": 3, "recommended.decided_by": "memory"}, "watch", "RAM does not hold so many workers at their peak: take 2 workers away, which leaves 3."),
        ({**GTHREAD, "recommended.workers": 3, "recommended.threads": 4}, "watch", "Run 3 workers with 4 threads each (gthread) instead of 5 workers with 1 thread each."),
        ({**GTHREAD, "service.threads": 4, "recommended.workers": 4, "recommended.threads": 5}, "healthy", "Nothing to do: 4 workers would be right, and that is close to what runs."),
        ({"host.memory.verdict": "short", "recommended.workers": 3}, "short", "RAM is short: take 2 workers away, which leaves 3."),
        ({"host.swap.verdict": "short", "recommended.workers": 4}, "short", "RAM is short: take 1 worker away, which leaves 4."),
        ({"host.memory.verdict": "short", "recommended.workers": 9}, "short", "RAM is short: add RAM, or find out what else uses it; there are not too many workers."),
        ({**OUT_OF_MEMORY, "recommended.workers": 3}, "short", "The kernel ended 2 processes because memory ran out: take 2 workers away, which leaves 3."),
        ({"recommended.fits": False, "recommended.workers": 1}, "short", "Not even one worker fits: take 4 workers away, which leaves 1."),
        ({"host.memory.verdict": "short", "service.workers.configured": None}, "short", "RAM is short: take some workers away, or add RAM."),
        ({"service.exits.timeout": 1}, "short", "1 worker was ended by the timeout: the log says which requests take so long."),
        ({"service.exits.killed": 3}, "short", "3 workers were killed from outside: the kernel's log says whether RAM was short."),
        ({"service.exits.failed": 1}, "watch", "1 worker ended with an error: the log says which."),
        ({"service.workers.running": 4}, "watch", "4 of 5 workers run: the log says what became of the others."),
        ({"service.workers.running": 7}, "watch", "7 workers run, and 5 are configured: a restart makes them equal."),
        ({"service.state": "failed"}, "short", "It has failed and serves nothing: its log says why."),
        ({"service.state": "activating", "service.sub_state": "auto-restart"}, "short", "It has failed and serves nothing: its log says why."),
        ({"service.state": "activating", "service.sub_state": "start"}, "watch", "It is starting, and its figures say little yet: measure again."),
        ({"service.state": "inactive"}, "watch", "It does not run: start it, or remove it if nobody needs it."),
        ({"host.verdict": "watch", "host.reason": "wa is high.", "recommended.workers": 5}, "watch", "Leave the workers as they are, and look at the host: wa is high."),
        ({"host.verdict": "short", "host.reason": "st is high.", "recommended.workers": 9}, "short", "9 workers would be right, but look at the host first: st is high."),
        ({"host.verdict": "short", "host.reason": None, "recommended.workers": 5}, "short", "Leave the workers as they are, and look at the host."),
        ({"service.workers.configured": None}, "healthy", "7 workers would be right; how many are configured can't be seen."),
        ({"recommended.workers": 9, "service.measured.wait_ratio": None}, "healthy", "Measure it first: 9 workers would be right for an application without measurements."),
        ({"recommended.workers": 3, "service.measured.wait_ratio": None, "recommended.decided_by": "memory"}, "watch", "RAM does not hold so many workers at their peak: take 2 workers away, which leaves 3."),
        ({"recommended.workers": 9, "service.measured.wait_ratio": None, "host.verdict": "short", "host.reason": "st is high."}, "short", "Leave the workers as they are, and look at the host: st is high."),
        ({"host.verdict": "nonsense", "host.memory.verdict": None, "recommended.workers": 5}, "healthy", "Nothing to do: 5 workers are right."),
    ],
)  # fmt: skip
def test_verdict_and_advice(changes: dict, verdict: str, advice: str) -> None:
    """In the book's terms: if the CPU is idle and RAM is free, add workers; if RAM is short, take some away."""
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
    """It adds workers only if more are recommended, takes some away only if fewer are, and ends at that number."""
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
    """A healthy service is on a healthy host, runs, and lost no worker."""
    host = fleet.host(**situation)
    service = host["services"][0]
    assert judgement.worst(service["verdict"], host["host"]["verdict"]) == service["verdict"]
    if service["verdict"] == "healthy":
        assert judgement.is_running(service)
        assert not any(service["exits"][kind] for kind in ("timeout", "killed", "out_of_memory", "failed"))
        assert "short" not in (host["host"]["memory"]["verdict"], host["host"]["swap"]["verdict"])
