# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._switch import Decision, decide

RUNNING = {
    "exists": True,
    "active": True,
    "starting": False,
    "enabled": True,
    "stale": False,
    "running": "hash",
    "secrets": "",
}
ABSENT = {
    "exists": False,
    "active": False,
    "starting": False,
    "enabled": False,
    "stale": False,
    "running": "",
    "secrets": "",
}
WANTED = {
    "state": "started",
    "enabled": True,
    "configuration": "hash",
    "sockets": "hash",
    "secrets": "",
    "files_changed": False,
    "sockets_changed": False,
}

units = st.builds(
    lambda state, enabled, stale, running, secrets: {
        "exists": True,
        "active": state == "active",
        "starting": state == "starting",
        "enabled": enabled,
        "stale": stale,
        "running": running if state == "active" else "",
        "secrets": secrets if state == "active" else "",
    },
    st.sampled_from(["active", "starting", "inactive"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "hash", "other"]),
    st.sampled_from(["", "old", "new"]),
)
wishes = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["started", "stopped"]),
        "enabled": st.booleans(),
        "configuration": st.just("hash"),
        "sockets": st.just("hash"),
        "secrets": st.sampled_from(["", "new"]),
        "files_changed": st.booleans(),
        "sockets_changed": st.booleans(),
    }
)


@st.composite
def plans(draw: st.DrawFn) -> dict:
    """What can be found; the socket's hash is read from the service's process."""
    service, sockets = draw(units), draw(units)
    if not service["active"]:
        sockets["running"] = ""
    return {"service": service, "socket": sockets}


def decided(service: dict | None = None, sockets: dict | None = None, **wanted: object) -> Decision:
    """The decision about a service that is as it should be, but for this."""
    return decide(
        {"service": {**RUNNING, **(service or {})}, "socket": {**RUNNING, **(sockets or {})}}, {**WANTED, **wanted}
    )


def carried_out(plan: dict, wanted: dict, decision: Decision) -> dict:
    """What is found after systemd did what was decided."""
    service, sockets = dict(plan["service"]), dict(plan["socket"])
    if decision.stop_first:
        service["active"] = False
    if decision.socket_state == "stopped":
        sockets["active"] = False
    else:
        assert sockets["active"] or not service["active"], "systemd: Socket service already active, refusing."
        sockets["active"] = True
        if decision.socket_state == "restarted":
            service["active"] = False  # it requires its socket
    service["starting"] = False
    if decision.service_state == "stopped":
        service["active"] = False
    elif decision.service_state == "restarted" or not service["active"]:
        service["active"], service["running"], sockets["running"] = True, wanted["configuration"], wanted["sockets"]
        service["secrets"] = wanted["secrets"]
    for unit in (service, sockets):
        unit.update(enabled=wanted["enabled"], stale=False)
        if not service["active"]:
            unit["running"] = ""
    return {"service": service, "socket": sockets}


class TestProperties:
    @given(plan=plans(), wanted=wishes)
    @example(plan={"service": {**RUNNING, "running": ""}, "socket": ABSENT}, wanted=WANTED)  # made by hand
    def test_afterwards_there_is_nothing_to_do(self, plan: dict, wanted: dict) -> None:
        """Whatever is found, one switch leads to what is wanted, and the next run changes nothing."""
        found = carried_out(plan, wanted, decide(plan, wanted))
        assert found["service"]["active"] == found["socket"]["active"] == (wanted["state"] == "started")
        if found["service"]["active"]:
            assert (found["service"]["running"], found["socket"]["running"]) == ("hash", "hash")
            assert found["service"]["secrets"] == wanted["secrets"]
        assert decide(found, {**wanted, "files_changed": False, "sockets_changed": False}).reasons == []

    @given(plan=plans(), wanted=wishes)
    def test_without_a_reason_nothing_would_happen(self, plan: dict, wanted: dict) -> None:
        """An empty list means that the states asked for are the ones that are there."""
        decision = decide(plan, wanted)
        if not decision.reasons:
            assert not decision.stop_first
            assert carried_out(plan, wanted, decision) == {
                name: {**unit, "starting": False} for name, unit in plan.items()
            }

    @given(plan=plans(), wanted=wishes)
    def test_the_inputs_are_left_alone(self, plan: dict, wanted: dict) -> None:
        """A filter is asked more than once about the same plan."""
        assert decide(plan, wanted) == decide(plan, wanted)


class TestReasons:
    def test_none_where_all_matches(self) -> None:
        """This is what a second run finds."""
        assert decided() == Decision([], stop_first=False, socket_state="started", service_state="started")

    @pytest.mark.parametrize(
        ("service", "sockets", "wanted", "reason", "states"),
        [
            ({}, {"running": "old"}, {}, "not the ones that are configured", ("restarted", "restarted")),
            ({}, {}, {"sockets_changed": True}, "not the ones that are configured", ("restarted", "restarted")),
            ({"secrets": "old"}, {}, {}, "other secrets", ("started", "restarted")),
            ({}, {}, {"secrets": "new"}, "other secrets", ("started", "restarted")),
            ({"running": "old"}, {}, {}, "another configuration", ("started", "restarted")),
            ({"running": ""}, {}, {}, "another configuration", ("started", "restarted")),
            ({}, {}, {"files_changed": True}, "another configuration", ("started", "restarted")),
            ({"enabled": False}, {}, {}, "shall start at boot", ("started", "started")),
            ({}, {"enabled": False}, {}, "shall start at boot", ("started", "started")),
            ({}, {}, {"enabled": False}, "shall not start at boot", ("started", "started")),
            ({"stale": True}, {}, {}, "has not read the units", ("started", "started")),
            ({}, {"stale": True}, {}, "has not read the units", ("started", "started")),
            ({"active": False}, {"running": ""}, {}, "does not run", ("started", "restarted")),
            ({"active": False, "starting": True}, {}, {}, "does not run", ("started", "restarted")),
        ],
    )
    def test_one_difference_is_one_reason(
        self, service: dict, sockets: dict, wanted: dict, reason: str, states: tuple[str, str]
    ) -> None:
        """Each difference is named, and does no more than it must: only what is outdated restarts."""
        decision = decided(service, sockets, **wanted)
        (only,) = decision.reasons
        assert reason in only
        assert (decision.socket_state, decision.service_state) == states
        assert not decision.stop_first

    def test_a_fresh_host(self) -> None:
        """Both are opened and started, in this order."""
        decision = decide(
            {"service": ABSENT, "socket": ABSENT}, {**WANTED, "files_changed": True, "sockets_changed": True}
        )
        assert decision.reasons == [
            "the service shall start at boot",
            "the listening sockets are not open",
            "the service does not run",
        ]
        assert (decision.stop_first, decision.socket_state, decision.service_state) == (False, "started", "restarted")

    def test_a_service_that_holds_its_addresses_itself(self) -> None:
        """It was made by hand, and stops before its sockets are opened: systemd would refuse to open them."""
        decision = decided({"running": ""}, {**ABSENT})
        assert (decision.stop_first, decision.socket_state, decision.service_state) == (True, "started", "restarted")


class TestStopped:
    @pytest.mark.parametrize(
        ("service", "sockets", "to_do"),
        [
            ({}, {}, True),
            ({"active": False}, {}, True),  # the socket would start it again
            ({"active": False, "starting": True}, {"active": False}, True),
            ({"active": False}, {"active": False}, False),  # also after it failed to stop in time
        ],
    )
    def test_what_runs_is_stopped(self, service: dict, sockets: dict, to_do: bool) -> None:
        """Both are stopped, and a service that ended in failure counts as stopped."""
        decision = decided(service, sockets, state="stopped")
        assert decision[1:] == (False, "stopped", "stopped")
        assert (decision.reasons == ["the service runs and shall be stopped"]) is to_do

    def test_it_does_not_matter_what_it_would_run(self) -> None:
        """A stopped service has no configuration that could be outdated."""
        off = {"active": False, "running": ""}
        assert decided(off, off, state="stopped", files_changed=True, sockets_changed=True).reasons == []
