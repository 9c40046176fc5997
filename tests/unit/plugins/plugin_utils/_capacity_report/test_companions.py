# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import figures
import fleet
import pytest
from fleet import companion

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import companions, demands, page, text

FAILED = {"service.state": "failed"}
STOPPED = {"service.state": "inactive"}


def read(*found: dict, **changes: object) -> dict:
    """Return the service of a healthy host with these companions."""
    changes.setdefault("recommended.workers", 5)
    return fleet.host(**{"service.companions": list(found), **changes})["services"][0]


@pytest.mark.parametrize(
    ("changes", "verdict", "advice"),
    [
        ({"running": 0}, "short", "Its companion mail is down: its log says why."),
        ({"running": 0, "state": "failed"}, "short", "Its companion mail is down: its log says why."),
        ({"running": 0, "state": "activating"}, "short", "Its companion mail is down: its log says why."),
        ({"running": 0, "state": "inactive"}, "watch", "Its companion mail does not run: start it, or remove it if nobody needs it."),
        ({"running": 3, "wanted": 4}, "watch", "Its companion mail has 3 of 4 processes: its log says what became of the others."),
        ({"restarts": 5}, "watch", "Its companion mail was restarted 5 times: its log says why it ends."),
        ({"kind": "job", "last_result": "exit-code"}, "watch", "Its companion mail failed when it last ran (exit-code): its log says why."),
        ({"kind": "job", "state": "inactive"}, "watch", "Its companion mail does not run: start it, or remove it if nobody needs it."),
        ({"kind": "job", "state": "failed"}, "short", "Its companion mail is down: the journal of its timer says why."),
        ({"name": None, "running": 0}, "short", "Its companion without a name is down: its log says why."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_is_a_problem_of_its_service(changes: dict, verdict: str, advice: str) -> None:
    service = read(companion("beat"), companion(**changes))
    assert (service["verdict"], service["advice"]) == (verdict, advice)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"restarts": 4},
        {"restarts": None, "running": None, "state": None},
        {"finishing": ["shop-mail@1-1.service"]},
        {"unit": None, "state": None, "running": 0, "wanted": 0},
        {"kind": "job", "running": 1, "last_result": None},
        {"kind": "job", "last_result": "success"},
        {"kind": "job", "last_result": None, "last_run": None, "next_run": None},
    ],
)
def test_one_without_a_problem(changes: dict) -> None:
    """Neither a job that waits, nor what is removed and finishes, nor what this user could not see."""
    service = read(companion(**changes))
    assert (service["verdict"], service["advice"]) == ("healthy", "Nothing to do: 5 workers are right.")


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        (FAILED, "It has failed and serves nothing: its log says why."),
        (STOPPED, "Its companion mail is down: its log says why."),
        ({"host.memory.verdict": "short"}, "RAM is short: add RAM, or find out what else uses it; there are not too many workers."),
        ({"service.exits.failed": 1}, "Its companion mail is down: its log says why."),
        ({"service.exits.timeout": 1}, "Its companion mail is down: its log says why."),
    ],
)  # fmt: skip
def test_the_worst_comes_first(changes: dict, advice: str) -> None:
    """What may be the cause of the rest is named, and a companion that needs a look never hides one that is down."""
    service = read(companion("beat", restarts=9), companion(running=0), **changes)
    assert (service["verdict"], service["advice"]) == ("short", advice)


def test_those_of_a_service_that_is_stopped_are_stopped_too() -> None:
    """That is one thing to do, and not one for each."""
    service = read(companion(running=0, state="inactive"), **STOPPED)
    assert service["advice"] == "It does not run: start it, or remove it if nobody needs it."


class TestCompanionsAlone:
    """A host without web workers of a service, whose companions run."""

    @pytest.mark.parametrize("changes", [{"service.unit": None}, {"service.workers.configured": 0}])
    def test_no_workers_are_recommended(self, changes: dict) -> None:
        service = read(companion(), **{**STOPPED, **changes})
        assert (service["verdict"], service["advice"]) == ("healthy", "Nothing to do: only its companions run here.")
        assert service["recommended"] is None
        assert not service["unseen"]

    def test_its_problems_are_those_of_the_companions_and_the_host(self) -> None:
        alone = {**STOPPED, "service.unit": None}
        assert read(companion(running=0), **alone)["verdict"] == "short"
        busy = read(companion(), **{**alone, "host.verdict": "watch", "host.reason": "wa is high."})
        assert (busy["verdict"], busy["advice"]) == ("watch", "Look at the host: wa is high.")

    def test_it_is_not_sized(self) -> None:
        """It would have no use for an answer."""
        found = {**fleet.info()["services"][0], "unit": None, "state": "inactive", "companions": [companion()]}
        assert demands.demands([found], {}) == []
        assert demands.demands([{**found, "companions": []}], {}) != []


def test_their_memory_is_added_up() -> None:
    """As far as it is known."""
    unseen = companion("unseen", memory=dict.fromkeys(fleet.MEMORY))
    assert companions.memory([read(companion(), unseen), read(companion("beat"))]) == 2 * fleet.MEMORY["pss"]
    assert companions.memory([read(unseen)]) is None
    assert companions.memory([read()]) is None


def test_each_is_on_the_page() -> None:
    """With its figures, and their memory in that of the host."""
    report = fleet.report(fleet.host("queue", **{"service.companions": fleet.COMPANIONS}))
    found = figures.read(page.page(report))
    of_service = {figure.path for figure in found if figure.service == "shop"}
    assert {"sum.companions", "companions.0.running", "companions.0.restarts", "companions.0.memory.pss"} <= of_service
    assert {"companions.2.last_run", "companions.2.next_run", "companions.4.wanted"} <= of_service
    assert {figure.path for figure in found if figure.service is None} >= {"sum.companions", "other"}
    shown = figures.text(page.page(report))
    assert all(f"Companion {each['name']}" in shown for each in fleet.COMPANIONS)
    assert "(exit-code)" in shown
    assert "2 earlier processes finish" in shown


def test_one_under_supervisor_counts() -> None:
    """As others, but for its restarts, of which nobody says anything."""
    supervised = companion(unit="shop-mail:*", restarts=None)
    report = fleet.report(fleet.host("queue", **{"service.companions": [supervised], "service.unit": None}))
    found = {figure.path for figure in figures.read(page.page(report)) if figure.service == "shop"}
    assert {"sum.companions", "companions.0.running", "companions.0.memory.pss"} <= found
    assert "companions.0.restarts" not in found
    assert "restarted by systemd" not in figures.text(page.page(report)).partition("Companion mail")[2][:200]
    assert read(companion(unit="shop-mail:*", restarts=None, running=0))["verdict"] == "short"


def test_a_page_without_companions_does_not_name_them() -> None:
    """Only its guide does."""
    shown = page.page(fleet.report(fleet.host("web1"))).partition('data-host="web1" aria')[2]
    assert "ompanion" not in shown


def test_the_terminal_says_what_is_wrong() -> None:
    """In the line below the service."""
    host = fleet.host(**{"service.companions": [companion(running=0)], "recommended.workers": 5})
    assert "  Its companion mail is down: its log says why." in text.table([host])
