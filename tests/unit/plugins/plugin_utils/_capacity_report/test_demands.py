# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
from fractions import Fraction

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import demands


def test_measurements_replace_the_hosts_own_sizing() -> None:
    """Its other options stay, and options that the module does not know are left out."""
    own = {"memory_reserve": "2G", "wait_ratio": 20, "maximum": None, "nonsense": 1, "thread_safe": True}
    (demand,) = demands.demands(fleet.info()["services"], own)
    assert demand["sizing"] == {
        "memory_reserve": "2G", "wait_ratio": 1.8, "thread_safe": True, "memory_per_worker": "154M",
    }  # fmt: skip
    assert demand["measured"] == ["memory_per_worker", "wait_ratio"]
    assert demand["assumed"] == []
    assert demand["service_directives"] == {}


def test_the_measured_ratio_has_two_digits() -> None:
    """So that the explanation can be checked with a calculator."""
    services = fleet.info()["services"]
    services[0]["measured"] = {"wait_ratio": 0.7705571, "memory_per_worker": None}
    (demand,) = demands.demands(services, {})
    assert demand["sizing"] == {"wait_ratio": 0.77}


@pytest.mark.parametrize("text", ["{{ lookup('pipe', 'id') }}", "154", "M", "", "1M\n", "-1M", "154M # x", "١M"])
def test_a_text_of_the_host_does_not_become_an_option(text: str) -> None:
    """It would be written into host_vars, where Ansible takes it for a template."""
    services = fleet.info()["services"]
    services[0]["measured"]["memory_per_worker"] = text
    assert demands.demands(services, {})[0]["sizing"] == {"wait_ratio": 1.8}


def test_without_a_measurement_the_hosts_own_sizing_counts() -> None:
    """A host without gunicorn_sizing gets the rule's defaults."""
    services = fleet.info()["services"]
    services[0]["measured"] = None
    assert demands.demands(services, {"share": 0.5})[0]["sizing"] == {"share": 0.5}
    assert demands.demands(services, {})[0]["sizing"] == {}
    assert demands.demands(services, None)[0]["measured"] == []


def test_what_calls_itself_a_service_has_no_part_of_the_host() -> None:
    """Every local user can start a process with the title of a master."""
    services = [copy.deepcopy(fleet.info()["services"][0]) for _number in range(3)]
    services[1].update(unit=None, name="pid 1234")
    services[2].update(unit=None, name="pid 1235")
    assert "share" not in demands.demands(services, {})[0]["sizing"]
    services[1].update(name="program")  # of supervisor
    assert demands.demands(services, {})[0]["sizing"]["share"] == 0.5


@given(st.integers(2, 40))
def test_services_of_a_host_share_it(number: int) -> None:
    """Together they never get more than the host, unless its own gunicorn_sizing says so."""
    services = [copy.deepcopy(fleet.info()["services"][0]) for _number in range(number)]
    found = demands.demands(services, {})
    assert sum(Fraction(str(demand["sizing"]["share"])) for demand in found) <= 1
    assert found[0]["assumed"] == ["share"]
    assert {demand["sizing"]["share"] for demand in demands.demands(services, {"share": 0.9})} == {0.9}
    services[0]["state"] = "inactive"
    assert all(("share" in demand["sizing"]) == (number > 2) for demand in demands.demands(services, {}))


def test_limits_of_the_service_go_with_it() -> None:
    """As directives of the service itself. Threads count only if the service has some and the host sets them."""
    services = fleet.info()["services"]
    services[0]["limits"].update(
        memory=536870912, memory_limited_by="cgroup", cpus=1.5, cpus_limited_by="quota", tasks=64
    )
    assert demands.demands(services, {})[0]["service_directives"] == {
        "MemoryMax": "536870912", "CPUQuota": "150%", "TasksMax": "64",
    }  # fmt: skip
    assert demands.demands(services, {}, 4)[0]["threads"] is None
    services[0]["worker_class"] = "gthread"
    assert demands.demands(services, {}, 4)[0]["threads"] == 4
    assert demands.demands(services, {}, "auto")[0]["threads"] is None
