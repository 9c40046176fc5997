# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules are told where a variable is given, and where it is not."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting

ROLES = Path(__file__).parents[3] / "roles"


def load(role: str, name: str) -> dict | list:
    """A YAML file of a role, as Ansible loads it."""
    return DataLoader().load_from_file(str(ROLES / role / name), trusted_as_template=True)


def arguments(role: str, tasks: str, module: str, **given: object) -> dict:
    """The arguments that a task of the role gives to the module, with these variables."""
    (task,) = [task for task in load(role, f"tasks/{tasks}.yml") if module in task]
    variables = {**load(role, "defaults/main.yml"), **load(role, "vars/main.yml"), **given}
    return Templar(DataLoader(), variables).template(task[module])


def proxy_plan(**given: object) -> dict:
    """What the check of a site is told."""
    return arguments("proxy", "plan", "pyweb.gunicorn.gunicorn_proxy_plan_info", **given)


def balancer(state: str = "drained", **given: object) -> dict:
    """What the first balancer of a host is told."""
    item = {"host": "lb1", "type": "haproxy"}
    given = {"inventory_hostname": "web1", "omit": "omitted", "item": item, "__rolling_update_state": state, **given}
    return arguments("rolling_update", "balancers", "pyweb.gunicorn.gunicorn_balancer", **given)


def test_the_site_of_a_project_that_has_only_its_name() -> None:
    """The defaults of the role gunicorn, also where that role is not applied."""
    plan = proxy_plan(proxy_project="shop")
    told = {name: plan[name] for name in ("bind", "port", "user", "worker_class", "gunicorn_settings")}
    assert told == {"bind": [], "port": 8000, "user": "shop", "worker_class": "sync", "gunicorn_settings": {}}
    assert (plan["static_url"], plan["static_directory"]) == ("/static/", "/var/cache/shop/static")
    assert (plan["media_url"], plan["media_directory"]) == ("/media/", "/var/opt/shop/media")


GUNICORN = {
    "gunicorn_project": "shop",
    "gunicorn_bind": ["127.0.0.1:8001"],
    "gunicorn_port": 8002,
    "gunicorn_user": "clerk",
    "gunicorn_worker_class": "gthread",
    "gunicorn_settings": {"timeout": 60},
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bind", []),
        ("port", 9000),
        ("user", "www-data"),
        ("worker_class", "gevent"),
        ("settings", {"keepalive": 5}),
    ],
)
def test_what_is_said_of_gunicorn_to_the_web_server_alone(key: str, value: object) -> None:
    """It goes over what the role gunicorn says, key by key; the other keys stay."""
    argument = "gunicorn_settings" if key == "settings" else key
    plan = proxy_plan(**GUNICORN)
    assert plan[argument] == GUNICORN[f"gunicorn_{key}"]
    assert proxy_plan(**GUNICORN, proxy_gunicorn={key: value}) == {**plan, argument: value}


@pytest.mark.parametrize("name", ["static_url", "media_url", "media_directory"])
def test_where_static_and_media_files_are(name: str) -> None:
    """The variables reach the plan as they are."""
    plan = proxy_plan(**GUNICORN)
    assert proxy_plan(**GUNICORN, **{f"proxy_{name}": "/other/"}) == {**plan, name: "/other/"}


def test_a_balancer_of_a_host_without_a_variable() -> None:
    """The host's own name, and the times that the specification says."""
    told = balancer()
    assert (told["server"], told["minimum"], told["timeout"]) == ("web1", 1, 60)
    assert told["health"] == {"path": "/", "host": "localhost", "statuses": [], "scheme": "http"}
    assert balancer("ready")["timeout"] == 30


def test_a_balancer_asks_what_the_service_is_asked() -> None:
    """The role gunicorn's request is the default."""
    service = {"gunicorn_health_path": "/up", "gunicorn_health_host": "shop", "gunicorn_health_statuses": [204]}
    assert balancer(**service)["health"] == {"path": "/up", "host": "shop", "statuses": [204], "scheme": "http"}


def test_a_balancer_asks_for_the_site_of_the_proxy() -> None:
    """As the role gunicorn does by default, whose defaults this role does not have."""
    assert balancer(proxy_server_names=["*.example.com", "example.com"])["health"]["host"] == "example.com"


@pytest.mark.parametrize(
    ("key", "value"), [("path", "/other"), ("host", "www"), ("statuses", [200, 204]), ("scheme", "https")]
)
def test_a_health_request_of_the_balancers_alone(key: str, value: object) -> None:
    """One key is changed; the others stay."""
    told = balancer(gunicorn_health_statuses=[204])
    changed = balancer(gunicorn_health_statuses=[204], rolling_update_health={key: value})
    assert changed == {**told, "health": {**told["health"], key: value}}


def test_how_long_a_host_may_take() -> None:
    """One time to become idle, and one to answer."""
    given = {"rolling_update_drain_timeout": 5, "rolling_update_health": {"timeout": 7}}
    assert [balancer(state, **given)["timeout"] for state in ("drained", "ready")] == [5, 7]


def test_what_balancers_call_the_host() -> None:
    """One name for all balancers, or one for each."""
    assert balancer(rolling_update_server="app1")["server"] == "app1"
    item = {"host": "lb1", "type": "haproxy", "server": "app2"}
    assert balancer(rolling_update_server="app1", item=item)["server"] == "app2"


def test_the_name_that_loads_the_filters_shows_nothing_of_it() -> None:
    """It is rendered before Ansible forks, with a filter of ours, so that the processes of the hosts need not load them."""
    environment = jinja2.Environment()
    # The tests' Ansible does not find the collection; without it, the name could not be rendered either.
    environment.filters["pyweb.gunicorn.systemd_text"] = quoting.text
    name = load("gunicorn", "tasks/main.yml")[0]["name"]
    assert "| pyweb.gunicorn." in name
    assert environment.from_string(name).render() == "Look at the release"
