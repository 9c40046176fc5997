"""Six hosts behind HAProxy and nginx are updated under load, and no request is lost, whatever happens to the update.

The tests build on each other: each one finds the hosts as the one before left them.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import ansible_runner
import pytest
import testinfra
from load_on_host import Load
from playbook_run import PlaybookRun

PLAYBOOK = Path("pyweb.gunicorn.rolling_update")
HOSTS = tuple(f"fleet-{number}" for number in range(1, 7))
HAPROXY, NGINX = "fleet-haproxy", "fleet-nginx"
INVENTORIES = os.environ["ANSIBLE_INVENTORY"].split(",")
# Nothing listens there.
GONE = "fleet-6 ansible_port=1\n"


class Run(PlaybookRun):
    """One run of the playbook for a release, with more variables if need be."""

    def __init__(self, release: str, *inventories: Path, **variables: object) -> None:
        sources = [f"--inventory={source}" for source in (*INVENTORIES, *inventories)]
        given = json.dumps({"fleet_release": release, **variables})
        super().__init__(PLAYBOOK, *sources, "--extra-vars", given)

    def failures(self) -> dict[str, str]:
        """What each host says that failed, if that was not rescued."""
        return {result["host"]: result["message"] for result in self.results if result["failed"]}


@functools.cache
def on(name: str):
    """A host, as testinfra has it."""
    return testinfra.get_host(f"ansible://{name}", ansible_inventory="", sudo=True)


def releases() -> dict[str, str]:
    """What each host itself answers."""
    return {name: on(name).check_output("curl --silent --fail http://127.0.0.1:8000/").split()[0] for name in HOSTS}


def masters() -> dict[str, str]:
    return {name: on(name).check_output("systemctl show --property=MainPID --value shop.service") for name in HOSTS}


def in_haproxy() -> set[str]:
    """The hosts that HAProxy sends requests to."""
    ask = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock');"
        "s.sendall(b'show stat\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
    )
    rows = [line.split(",") for line in on(HAPROXY).check_output("python3 -c %s", ask).splitlines()]
    return {row[1] for row in rows if len(row) > 17 and row[0] == "shop" and row[17] == "UP"} - {"BACKEND"}


def in_nginx() -> set[str]:
    """The hosts that nginx sends requests to."""
    lines = on(NGINX).file("/etc/nginx/conf.d/shop.conf").content_string.splitlines()
    return {line.split()[1].partition(":")[0] for line in lines if ":8000;" in line}


def assert_all_are_in() -> None:
    assert in_haproxy() == in_nginx() == set(HOSTS)


@pytest.fixture(scope="module")
def load():
    """Requests to both balancers, with and without kept-alive connections."""
    address = on(NGINX).check_output("hostname --ip-address").split()[0]
    targets = ("haproxy=127.0.0.1:80", "kept=127.0.0.1:80,keepalive=4", f"nginx={address}:80")
    generator = Load(on(HAPROXY), "fleet", targets, "--rate=60")
    yield generator
    generator.stop()


@pytest.fixture
def nothing_lost(load, request):
    """Fail a test during which a request was lost."""
    with load.phase(request.node.name) as phase:
        yield
    assert phase["requests"] > 0
    assert phase["failed"] == 0, phase["details"]


@pytest.fixture
def without_the_last(tmp_path) -> Path:
    """An inventory in which a host can't be reached."""
    path = tmp_path / "gone"
    path.write_text(GONE)
    return path


BAD_VALUES = {
    "batches": ({"rolling_update_serial": [0]}, "rolling_update_serial: [0] can't be used: expected a list of numbers"),
    "server": ({"rolling_update_balancers": [{"host": HAPROXY, "type": "haproxy", "server": "web9"}]}, "server: 'web9'"),
    "workers": ({"gunicorn_workers": 0}, "gunicorn_workers: "),
}


@pytest.mark.usefixtures("nothing_lost")
@pytest.mark.parametrize("name", BAD_VALUES)
def test_bad_value_is_refused_before_anything_changes(name):
    """Each host says what is wrong with it, and is as it was."""
    variables, said = BAD_VALUES[name]
    before = masters()
    run = Run("two", **variables)
    assert run.code == 2, run.output
    assert set(run.failures()) == set(HOSTS)
    assert all(said in message for message in run.failures().values()), run.output
    assert run.changed() == []
    assert masters() == before


@pytest.mark.usefixtures("nothing_lost")
def test_bad_release_is_tried_on_one_host_and_harms_none():
    """The first host goes back by itself and is put back; the others have not even the code."""
    before = masters()
    run = Run("broken")
    assert run.code == 2, run.output
    (said,) = {message for host, message in run.failures().items() if message.startswith("The update failed.")}
    assert "No module named 'a_module_that_is_nowhere'" in said
    assert "It serves, and is in its balancers again." in said
    assert {result["host"] for result in run.results if result["changed"]} == {"fleet-1"}
    assert masters() == before
    assert set(releases().values()) == {"one"}
    assert not any(on(name).file("/opt/shop/shop/wsgi.py").contains("nowhere") for name in HOSTS[1:])
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost")
def test_unreachable_host_is_told_before_anything_changes(without_the_last):
    """Nobody has allowed for it."""
    run = Run("two", without_the_last)
    assert run.code != 0
    assert "fleet-6 can't be reached" in run.output
    assert run.changed() == []
    assert set(releases().values()) == {"one"}


@pytest.mark.usefixtures("nothing_lost")
def test_good_release_reaches_all_that_can_be_reached(without_the_last):
    """One of six may be lost; nobody was on a host while it was changed, as its tasks prove."""
    run = Run("two", without_the_last, rolling_update_max_fail_percentage=20)
    assert run.code == 4, run.output
    assert releases() == {**dict.fromkeys(HOSTS[:-1], "two"), "fleet-6": "one"}
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost")
def test_next_run_goes_on_with_what_is_left_and_leaves_out_what_does_not_serve():
    """The host that is left loses its service on the way, and gets no more requests."""
    before = masters()
    run = Run("halting", gunicorn_app_revision="two", rolling_update_health_timeout=2)
    assert run.code == 2, run.output
    said = run.failures()["fleet-6"]
    assert "no electricity" in said
    assert "It is left out of its balancers: " in said
    assert "no answer on " in said
    assert in_haproxy() == in_nginx() == set(HOSTS[:-1])
    assert {name: pid for name, pid in masters().items() if name != "fleet-6"} == {
        name: pid for name, pid in before.items() if name != "fleet-6"
    }


@pytest.mark.usefixtures("nothing_lost")
def test_ansible_runner_goes_on_as_well(tmp_path):
    """The collection as it is, called as AWX does: the host that was left out serves again, and no other is touched."""
    before = masters()
    run = ansible_runner.run(
        private_data_dir=str(tmp_path),
        playbook=str(PLAYBOOK),
        inventory=INVENTORIES,
        extravars={"fleet_release": "two"},
        quiet=True,
    )
    assert (run.status, run.rc) == ("successful", 0), run.stdout.read()
    assert set(run.stats["changed"]) == {"fleet-6"}
    assert [name for name in HOSTS if masters()[name] != before[name]] == ["fleet-6"]
    assert set(releases().values()) == {"two"}
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost")
def test_second_run_changes_nothing():
    """No host is taken out for it."""
    before = masters()
    run = Run("two")
    assert run.code == 0, run.output
    assert run.changed() == []
    assert "Take the host out" not in run.output
    assert masters() == before


def test_nothing_was_lost_between_the_updates(load):
    """All of the load was answered by both balancers."""
    results = load.stop()
    assert {target["target"] for target in results["phases"][0]["targets"]} == {"haproxy", "kept", "nginx"}
    assert [phase["details"] for phase in results["phases"] if phase["failed"]] == []
