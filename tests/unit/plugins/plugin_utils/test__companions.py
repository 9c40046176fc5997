# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which host has a companion that is single, and what a play is told in which several would have it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _companions

HOSTS = ["web1", "web2", "web3"]
BEAT = {"command": "celery beat"}
GIVEN = {
    "gunicorn_companions": {"beat": {**BEAT, "single": True}},
    "gunicorn_service_name": "shop",
    "gunicorn_project": "shop",
    "gunicorn_state": "present",
}


class Unready(dict):
    """The variables of a host that need what is not known yet."""

    def get(self, name: str, default: Any = None) -> Any:
        if name in GIVEN:
            raise AnsibleError(f"{name} is undefined")
        return default


def planned(*singles: str, service: str = "shop", **variables: Any) -> dict[str, Any]:
    """The variables of a host after its plan."""
    return {**variables, "__gunicorn_plan_result": {"plan": {"service": service, "singles": list(singles)}}}


def told(host: str, batch: list[str] | None = None, given: dict[str, Any] = GIVEN, **hosts: dict[str, Any]) -> str:
    """What a host is told."""
    return _companions.doubled_singles(hosts, list(hosts), batch or list(hosts), host, given)


class TestCompanions:
    def test_the_host_that_is_named_has_it(self) -> None:
        """And no other one; what is single on each host, or on none, stays as it is."""
        given = {
            "beat": {**BEAT, "single": "web2"},
            "worker": {"command": "celery worker"},
            "own": {"command": "x", "single": True},
        }
        others = {name: given[name] for name in ("worker", "own")}
        assert _companions.companions(given, "web1", HOSTS) == others
        assert _companions.companions(given, "web2", HOSTS) == {**others, "beat": {**BEAT, "single": True}}

    def test_a_job_can_be_that_of_one_host(self) -> None:
        """It has no option single there, which it could not have."""
        given = {"clear": {"command": "x", "calendar": "hourly", "single": "web1"}}
        assert _companions.companions(given, "web1", HOSTS) == {"clear": {"command": "x", "calendar": "hourly"}}
        assert _companions.companions(given, "web2", HOSTS) == {}

    def test_a_host_that_is_not_in_the_inventory_is_itself(self) -> None:
        """As localhost, which Ansible adds."""
        given = {"beat": {**BEAT, "single": "localhost"}}
        assert _companions.companions(given, "localhost", HOSTS) == {"beat": {**BEAT, "single": True}}

    @pytest.mark.parametrize(
        "given",
        [
            {"beat": {**BEAT, "single": "web9"}},
            {"beat": {**BEAT, "single": 5}},
            {"beat": {**BEAT, "single": ["web1"]}},
            {"beat": "celery beat"},
            {"beat": None},
            {5: {"single": ""}},
            ["beat"],
            "beat",
            {},
            None,
        ],
    )
    def test_what_cant_be_used_is_left_to_the_module(self, given: Any) -> None:
        """It has one error for it, on each host."""
        assert _companions.companions(given, "web1", HOSTS) == given


class TestDoubledSingles:
    def test_one_host_says_it_for_all(self) -> None:
        """The error names the variable, the value, what is expected, and the hosts."""
        hosts = {"web1": planned("beat"), "web2": planned("beat"), "web3": planned()}
        assert told("web1", **hosts) == (
            "gunicorn_companions['beat']['single']: True can't be used: expected the name of the host that has it, such as "
            "web1, since web1 and web2 would both run it. Nothing was changed."
        )
        assert told("web2", **hosts) == ""
        assert told("web3", **hosts) == ""

    def test_one_host_may_have_it(self) -> None:
        """The others have another one, the same of another service, no plan, or were skipped."""
        skipped = {"__gunicorn_plan_result": {"skipped": True}}
        hosts = {
            "web1": planned("beat"),
            "web2": planned("scheduler"),
            "web3": planned("beat", service="blog"),
            "web4": {},
            "web5": skipped,
        }
        assert [told(host, **hosts) for host in ("web1", "web2", "web3")] == ["", "", ""]

    def test_hosts_that_name_themselves_have_one_each(self) -> None:
        """As where each has a broker of its own. Others, which name nobody, are told of each other."""
        own = {
            host: {"gunicorn_companions": {"beat": {**BEAT, "single": host}}}
            for host in ("web1", "web2", "web3", "web4")
        }
        hosts = {host: planned("beat", **variables) for host, variables in own.items()}
        assert [told(host, given={**GIVEN, **own[host]}, **hosts) for host in hosts] == [""] * 4
        # Where a template of the play names them, the inventory does not know.
        unknown = {host: planned("beat") for host in own}
        assert [told(host, given={**GIVEN, **own[host]}, **unknown) for host in own] == [""] * 4
        hosts |= {"web3": planned("beat"), "web4": planned("beat")}
        assert "since web3 and web4 would both run it" in told("web3", **hosts)

    def test_many_hosts_are_counted(self) -> None:
        hosts = {f"web{number}": planned("beat") for number in range(1, 11)}
        assert "since web1, web2, web3, web4 and 6 others would all run it." in told("web1", **hosts)

    def test_later_batches_are_foreseen_from_the_inventory(self) -> None:
        """Or the first hosts would have changed when the others are compared."""
        own = {"gunicorn_companions": {"beat": {**BEAT, "single": True}}, "gunicorn_project": "shop"}
        first = planned("beat", **own)
        assert "web1 and web2 would both run it. Nothing was changed." in told("web1", ["web1"], web1=first, web2=own)
        for other in (
            {},
            {"gunicorn_companions": {"beat": {**BEAT, "single": False}}},
            {"gunicorn_companions": {"beat": {**BEAT, "single": "web1"}}},
            {"gunicorn_companions": ["beat"]},
            {**own, "gunicorn_project": "blog"},
            {**own, "gunicorn_service_name": "blog"},
            Unready(own),
        ):
            assert told("web1", ["web1"], web1=first, web2=other) == ""

    def test_what_the_play_says_holds_for_later_batches(self) -> None:
        """It is not among the variables of the inventory."""
        assert "web1 and web2" in told("web1", ["web1"], web1=planned("beat"), web2={})

    def test_a_host_from_which_it_is_removed_does_not_have_it(self) -> None:
        """What the inventory says of its state counts."""
        own = {"gunicorn_state": "present"}
        assert told("web1", ["web1"], web1=planned("beat", **own), web2={"gunicorn_state": "absent"}) == ""

    def test_a_plan_of_a_later_batch_is_better_than_its_variables(self) -> None:
        """A rolling update checks all hosts before the first batch."""
        assert told("web1", ["web1"], web1=planned("beat"), web2=planned()) == ""
        assert "web1 and web2" in told("web1", ["web1"], web1=planned("beat"), web2=planned("beat"))

    def test_earlier_batches_have_changed(self) -> None:
        """The first host of this batch tells it."""
        found = told("web2", ["web2", "web3"], web1=planned("beat"), web2=planned("beat"), web3=planned("beat"))
        assert found.endswith(
            "such as web1, since web1, web2 and web3 would all run it. Nothing was changed in this batch."
        )
