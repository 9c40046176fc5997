# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.filter.switch_decision import FilterModule
from ansible_collections.pyweb.gunicorn.plugins.module_utils._switch import decide

switch_decision = FilterModule().filters()["switch_decision"]

states = st.fixed_dictionaries(
    {
        **dict.fromkeys(("active", "starting", "enabled", "stale"), st.booleans()),
        **dict.fromkeys(("running", "secrets"), st.sampled_from(["", "a", "b"])),
    }
)
plans = st.fixed_dictionaries({"service": states, "socket": states})
wishes = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["started", "stopped"]),
        **dict.fromkeys(("enabled", "files_changed", "sockets_changed"), st.booleans()),
        "configuration": st.just("a"),
        "sockets": st.just("a"),
        "secrets": st.sampled_from(["", "a"]),
    }
)


@given(plan=plans, wanted=wishes)
def test_it_is_the_decision_as_a_mapping(plan: dict, wanted: dict) -> None:
    """The filter adds nothing to the rule, which is tested on its own."""
    assert switch_decision(plan, wanted) == decide(plan, wanted)._asdict()


def test_its_fields() -> None:
    """The role reads its fields by name; a service that is as it should be gives no reasons."""
    unit = {"active": True, "starting": False, "enabled": True, "stale": False, "running": "a", "secrets": ""}
    wanted: dict = {"state": "started", "enabled": True, "configuration": "a", "sockets": "a", "secrets": ""}
    wanted.update(files_changed=False, sockets_changed=False)
    assert switch_decision({"service": unit, "socket": unit}, wanted) == {
        "reasons": [],
        "stop_first": False,
        "socket_state": "started",
        "service_state": "started",
    }
