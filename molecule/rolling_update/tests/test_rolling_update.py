"""Six hosts behind HAProxy and nginx are updated under load. Whatever happens to the update, no request is lost.

The tests build on each other: each one finds the hosts as the one before left them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import ansible_runner
import pytest
from hosts import connect
from load_on_host import Load
from playbook_run import PlaybookRun
from service import main_pid

PLAYBOOK = Path("pyweb.gunicorn.rolling_update")
HOSTS = tuple(f"fleet-{number}" for number in range(1, 7))
HAPROXY, NGINX = "fleet-haproxy", "fleet-nginx"
INVENTORIES = os.environ["ANSIBLE_INVENTORY"].split(",")
# As in any fleet, a host whose connection breaks once is not unreachable.
ENVIRONMENT = {"ANSIBLE_SSH_RETRIES": "3"}
# Nothing listens there.
GONE = "ansible_port=1"


class Run(PlaybookRun):
    """One run of the playbook for a release, with more variables if given."""

    def __init__(self, release: str, *inventories: Path, forks: int = 4, **variables: object) -> None:
        sources = [f"--inventory={source}" for source in (*INVENTORIES, *inventories)]
        given = {"fleet_next": release, **variables}
        super().__init__(PLAYBOOK, *sources, f"--forks={forks}", variables=given, environment=ENVIRONMENT)

    def last_errors(self) -> dict[str, str]:
        """The last error of each host that failed."""
        return {host: messages[-1] for host, messages in self.errors_by_host().items()}

    def batches(self) -> list[set[str]]:
        """The hosts that were taken out of their balancers, batch by batch."""
        found: list[set[str]] = []
        before = None
        for result in self.results:
            if result["task"] == "Take the host out":
                if before != result["task"]:
                    found.append(set())
                found[-1].add(result["host"])
            before = result["task"]
        return found


def releases(names: tuple[str, ...] = HOSTS) -> dict[str, str | None]:
    """The release that each host itself answers with; None if it does not answer."""
    answers = {name: connect(name).run("curl --silent --fail http://127.0.0.1:8000/").stdout for name in names}
    return {name: answer.split()[0] if answer else None for name, answer in answers.items()}


def masters() -> dict[str, int]:
    """The process id of each host's master."""
    return {name: main_pid(connect(name), "shop.service") for name in HOSTS}


def in_haproxy() -> set[str]:
    """The hosts that HAProxy sends requests to."""
    ask = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock');"
        "s.sendall(b'show stat\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
    )
    rows = [line.split(",") for line in connect(HAPROXY).check_output("python3 -c %s", ask).splitlines()]
    return {row[1] for row in rows if len(row) > 17 and row[0] == "shop" and row[17] == "UP"} - {"BACKEND"}


def in_nginx() -> set[str]:
    """The hosts that nginx sends requests to."""
    lines = connect(NGINX).file("/etc/nginx/conf.d/shop.conf").content_string.splitlines()
    return {line.split()[1].partition(":")[0] for line in lines if ":8000;" in line}


def assert_all_are_in() -> None:
    assert in_haproxy() == in_nginx() == set(HOSTS)


@pytest.fixture(scope="module")
def load():
    """Requests to both balancers, with and without kept-alive connections."""
    address = connect(NGINX).check_output("hostname --ip-address").split()[0]
    targets = ("haproxy=127.0.0.1:80", "kept=127.0.0.1:80,keepalive=4", f"nginx={address}:80")
    generator = Load(connect(HAPROXY), "fleet", targets, "--rate=30")
    yield generator
    generator.stop()


@pytest.fixture
def nothing_lost(load, request):
    """Fail a test if a request is lost meanwhile."""
    with load.phase(request.node.name) as phase:
        yield
    assert phase["requests"] > 0
    assert phase["failed"] == 0, phase["details"]


@pytest.fixture
def nothing_restarted():
    """Fail a test if a service is restarted meanwhile."""
    before = masters()
    yield
    assert masters() == before


@pytest.fixture
def with_lines(tmp_path):
    """Write an inventory that overrides the others."""

    def write(*lines: str) -> Path:
        path = tmp_path / "over"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


BAD = {
    "fleet-1": ("rolling_update_serial='[0]'", "rolling_update_serial: [0] can't be used: expected a list of numbers"),
    "fleet-2": ("gunicorn_workers=0", "gunicorn_workers: "),
    "fleet-3": ("fleet_name=web9", "server: 'web9' can't be used: expected one that HAProxy has: shop/fleet-1, "),
    "fleet-4": ("rolling_update_before=code.yml", "expected the absolute path of a task file on the controller"),
}


@pytest.mark.usefixtures("nothing_lost", "nothing_restarted")
def test_bad_values_are_refused_before_anything_changes(with_lines):
    """Each host says what is wrong with its values, or which host can't be reached; nothing has changed.

    One host at a time, so that the others have failed before the last one.
    """
    over = with_lines(*(f"{host} {line}" for host, (line, _said) in BAD.items()), f"fleet-6 {GONE}")
    run = Run("two", over, forks=1)
    assert run.code != 0
    said = run.last_errors()
    assert [host for host in BAD if BAD[host][1] not in said[host]] == [], run.output
    assert said["fleet-5"].startswith("fleet-6 can not be reached, ")
    assert run.batches() == []
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost", "nothing_restarted")
def test_bad_release_is_tried_on_one_host_and_harms_none():
    """The first host undoes it and is put back in; the others do not even get the code."""
    run = Run("broken")
    assert run.code == 2, run.output
    assert run.batches() == [{"fleet-1"}]
    said = run.last_errors()["fleet-1"]
    assert "No module named 'a_module_that_is_nowhere'" in said
    assert "It serves, and is in its balancers again." in said
    assert set(releases().values()) == {"one"}
    assert not any(connect(name).file("/opt/shop/shop/wsgi.py").contains("nowhere") for name in HOSTS[1:])
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost")
def test_old_release_can_be_deployed_again_after_the_bad_one():
    """The first host runs the old release, but still has the code of the bad one."""
    assert connect("fleet-1").file("/opt/shop/shop/wsgi.py").contains("nowhere")
    run = Run("one", rolling_update_max_fail_percentage="0")
    assert run.code == 0, run.output
    assert run.batches() == [{"fleet-1"}]
    assert not connect("fleet-1").file("/opt/shop/shop/wsgi.py").contains("nowhere")
    assert not connect("fleet-1").file("/var/lib/misc/gunicorn-shop.rolling-update").exists
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost")
def test_good_release_reaches_all():
    """In batches. Tasks on each host check that it gets no request while it is changed."""
    run = Run("two")
    assert run.code == 0, run.output
    assert [len(batch) for batch in run.batches()] == [1, 5]
    assert set(releases().values()) == {"two"}
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost")
def test_update_ends_after_a_batch_that_lost_too_many(with_lines):
    """A host that does not serve is left out, and so is one that is lost half-way; the third is updated.

    The next batch does not begin. The host that was never reachable does not count.
    """
    breaks = "fleet-2 fleet_breaks=true rolling_update_health=\"{'timeout':2}\""
    over = with_lines(breaks, "fleet-3 fleet_vanishes=true", f"fleet-6 {GONE}")
    run = Run("three", over, rolling_update_serial=[1, 3], rolling_update_max_fail_percentage=49)
    assert run.code != 0
    assert run.batches() == [{"fleet-1"}, {"fleet-2", "fleet-3", "fleet-4"}]
    said = run.last_errors()["fleet-2"]
    assert "no electricity" in said
    assert "It is left out of its balancers: " in said
    assert "no answer on " in said
    assert in_haproxy() == in_nginx() == {*HOSTS} - {"fleet-2", "fleet-3"}
    reached = {"fleet-1": "three", "fleet-2": None, "fleet-4": "three"}
    assert releases() == {**dict.fromkeys(HOSTS, "two"), **reached}


@pytest.mark.usefixtures("nothing_lost")
def test_next_run_updates_the_rest_under_ansible_runner(tmp_path):
    """Called as AWX does it: the hosts that were left out serve again, and the updated ones are not touched."""
    before = masters()
    run = ansible_runner.run(
        private_data_dir=str(tmp_path),
        playbook=str(PLAYBOOK),
        inventory=INVENTORIES,
        extravars={"fleet_next": "three"},
        envvars=ENVIRONMENT,
        quiet=True,
    )
    assert (run.status, run.rc) == ("successful", 0), run.stdout.read()
    done = {"fleet-1", "fleet-4"}
    assert set(run.stats["changed"]) == {*HOSTS} - done
    assert {name for name, pid in masters().items() if pid == before[name]} == done
    assert set(releases().values()) == {"three"}
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost", "nothing_restarted")
def test_second_run_changes_nothing():
    """And takes no host out."""
    run = Run("three")
    assert run.code == 0, run.output
    assert run.changed() == []
    assert run.batches() == []


# The hosts that move to releases: one, and then a batch of one with each release of Debian
MOVED = HOSTS[:3]
# What the inventory says of a project with releases: nothing else brings the code, and one host migrates the database.
RELEASED = {
    "rolling_update_hosts": ",".join(MOVED),
    "gunicorn_release_steps": [
        {"name": "migrate", "command": ["/bin/sh", "-c", "hostname >> /var/opt/shop/migrations"]},
    ],
    "rolling_update_before": "",
    "rolling_update_after": "",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout on the controller; it returns a function that commits a version, and returns what names that."""
    path = tmp_path_factory.mktemp("checkout")

    def git(*words: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        subprocess.run(["git", *identity, *words], cwd=path, check=True)

    git("init", "--quiet", "--initial-branch=main")
    (path / "shop").mkdir()
    (path / "shop" / "__init__.py").touch()

    def commit(version: str, code: str = "") -> dict:
        answer = f'f"{version} on {{socket.gethostname()}}\\n".encode()'
        application = "def application(environ, start):\n    start('200 OK', [])\n    return [" + answer + "]\n"
        (path / "shop" / "wsgi.py").write_text(f"import socket\n{code}\n{application}")
        git("add", "--all")
        git("commit", "--quiet", f"--message={version}")
        return {"checkout": str(path)}

    return commit


def migrations() -> dict[str, int]:
    """How often each host has migrated the database."""
    count = "cat /var/opt/shop/migrations 2>/dev/null | wc -l"
    return {name: int(connect(name).check_output(count)) for name in HOSTS}


@pytest.mark.usefixtures("nothing_lost")
def test_hosts_move_to_releases(tmp_path, checkout):
    """Under ansible-runner. The first host migrates the database for all. The other half of the fleet is left alone."""
    before = masters()
    run = ansible_runner.run(
        private_data_dir=str(tmp_path),
        playbook=str(PLAYBOOK),
        inventory=INVENTORIES,
        extravars={"fleet_next": "", "gunicorn_release": checkout("four"), **RELEASED},
        envvars=ENVIRONMENT,
        quiet=True,
    )
    assert (run.status, run.rc) == ("successful", 0), run.stdout.read()
    assert releases() == {**dict.fromkeys(HOSTS, "three"), **dict.fromkeys(MOVED, "four")}
    assert {name for name, pid in masters().items() if pid != before[name]} == set(MOVED)
    assert migrations() == {**dict.fromkeys(HOSTS, 0), "fleet-1": 1}
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost", "nothing_restarted")
def test_bad_release_goes_no_further_than_the_first_host(checkout):
    """Its code lies there, where nothing starts it; the others have not even got it."""
    run = Run("", gunicorn_release=checkout("broken", "import a_module_that_is_nowhere"), **RELEASED)
    assert run.code == 2, run.output
    assert run.batches() == [{"fleet-1"}]
    assert "No module named 'a_module_that_is_nowhere'" in run.last_errors()["fleet-1"]
    kept = {name: int(connect(name).check_output("ls /opt/shop/releases | wc -l")) for name in MOVED}
    assert kept == {**dict.fromkeys(MOVED, 1), "fleet-1": 2}
    assert_all_are_in()


@pytest.mark.usefixtures("nothing_lost")
def test_hosts_go_back_to_the_previous_release(checkout):
    """In batches, as it went forward; the database is not migrated again."""
    run = Run("", gunicorn_release=checkout("five"), **RELEASED)
    assert run.code == 0, run.output
    assert set(releases(MOVED).values()) == {"five"}
    before = migrations()
    run = Run("", gunicorn_release="previous", **RELEASED)
    assert run.code == 0, run.output
    assert [len(batch) for batch in run.batches()] == [1, 2]
    assert set(releases(MOVED).values()) == {"four"}
    assert migrations() == before
    assert Run("", gunicorn_release="previous", **RELEASED).changed() == []
    assert_all_are_in()


def test_nothing_was_lost_between_the_updates(load):
    """Both balancers answered every request of the load."""
    results = load.stop()
    assert {target["target"] for target in results["phases"][0]["targets"]} == {"haproxy", "kept", "nginx"}
    assert [phase["details"] for phase in results["phases"] if phase["failed"]] == []
