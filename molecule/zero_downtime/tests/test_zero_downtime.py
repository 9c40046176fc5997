"""Planned changes lose no request under a constant load; the same changes of a plain unit are measured beside them.

The tests build on each other: each one finds the services as the one before left them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from load_on_host import Load
from playbook_run import PlaybookRun
from service import main_pid, shown, workers
from waiting import wait_for
from web import answers, get, get_json

SCENARIO = Path(__file__).parent.parent
REPOSITORY = SCENARIO.parent.parent
# Not in molecule's own directory, which is emptied when the hosts are destroyed
RESULTS = REPOSITORY / ".cache" / "zero_downtime.json"
SERVICES = ("shop", "blog")
VERSION = "27.0.1"
# With an older version, the gthread worker itself loses requests: docs/zero_downtime.md.
GTHREAD_VERSION = os.environ.get("ZERO_DOWNTIME_GTHREAD", VERSION)
JUDGED = SERVICES if GTHREAD_VERSION == VERSION else ("shop",)
# For the table of docs/zero_downtime.md: twice as many requests, and all changes of the plain unit, not one of them
MEASURED = os.environ.get("ZERO_DOWNTIME_MEASURED") == "1"
RATE = f"--rate={200 if MEASURED else 100}"
ROLE_TARGETS = (
    "shop-v4=127.0.0.1:8000",
    "shop-v6=[::1]:8000",
    "shop-unix=unix:/run/shop.sock",
    "shop-nginx=127.0.0.1:8080,keepalive=4",
    "blog-v4=127.0.0.1:8010",
    "blog-v4-keepalive=127.0.0.1:8010,keepalive=4",
    "blog-v6-keepalive=[::1]:8010,keepalive=4",
    "blog-unix-keepalive=unix:/run/blog.sock,keepalive=4",
    "blog-nginx=127.0.0.1:8081,keepalive=4",
)
PLAIN_TARGETS = (
    "plain-v4=127.0.0.1:8020",
    "plain-v6=[::1]:8020",
    "plain-unix=unix:/run/plain/plain.sock",
    "plain-nginx=127.0.0.1:8082,keepalive=4",
)
# Longer than a service takes to start
SLOW = 4
SLOW_TARGETS = (f"shop=127.0.0.1:8000,path=/slow?seconds={SLOW}", f"blog=127.0.0.1:8010,path=/slow?seconds={SLOW}")
THREADS = {"shop": 1, "blog": 4}
# Connections of the load, and of the two processes of the web server
KEPT_ALIVE = {"shop": 0, "blog": 3 * 4 + 2 * 4}
# Far below what a restart without held sockets would cost: a loaded machine takes its time to start a process.
LONGEST_WAIT = 1.5
# But for one in a hundred. While a service starts, many more come, and its import alone takes twice as long.
LONG_WAIT = 0.5
BACK_WITHIN = 5.0
# If the machine holds up the load generator itself for so long, the times say nothing about the service.
HELD_UP = 0.25


@dataclass(frozen=True)
class Change:
    """A planned change of a service: its variables from then on, and a command on the host just before the run."""

    name: str
    variables: dict = field(default_factory=dict)
    before: str = "true"
    # Variables of this run only
    once: dict = field(default_factory=dict)


# By service what a run of the playbook changes. What restarts a service, and how, is the same for both worker classes.
RUNS: tuple[dict[str, Change], ...] = (
    {},
    {
        "shop": Change("workers changed", {"gunicorn_workers": 3}),
        "blog": Change("another Gunicorn setting", {"gunicorn_settings": {"keepalive": 5, "graceful_timeout": 20}}),
    },
    {
        "shop": Change("environment variable", {"gunicorn_environment": {"COLOUR": "green"}}),
        "blog": Change("secret", {"gunicorn_secrets": {"TOKEN": "7f3a91"}}),
    },
    {
        "shop": Change(
            "new application code",
            {"gunicorn_app_revision": "2"},
            before="sed -i 's/Hello from/Welcome to/' /opt/shop/shop/pages.py",
        ),
        "blog": Change("bind address added", {"more_binds": ["127.0.0.1:8011"]}),
    },
    # The gthread worker keeps its version, see above.
    {"shop": Change("Gunicorn downgraded", {"gunicorn_version": "26.0.0"})},
    {
        "shop": Change("Gunicorn upgraded", {"gunicorn_version": VERSION}),
        "blog": Change("the unit's own text", {"gunicorn_service_directives": {"LimitNOFILE": 4096}}),
    },
    {
        "blog": Change(
            "the host's Python replaced",
            {"gunicorn_python": "python3"},
            before="rm -r /srv/python",
            once={"gunicorn_venv_rebuild": True},
        )
    },
)
NOTHING = "a run that changes nothing"

EDIT = "sed -i '{}' /etc/systemd/system/plain.service && systemctl daemon-reload && systemctl restart plain.service"
PIP = "/opt/plain/venv/bin/python -m pip install --quiet --disable-pip-version-check"
# The same by hand, under the same names
PLAIN_CHANGES = {
    "workers changed": EDIT.format("s/--workers=2/--workers=3/"),
    "another Gunicorn setting": EDIT.format("s/--graceful-timeout=30/--graceful-timeout=20/"),
    "environment variable": EDIT.format("/^ExecStart/i Environment=COLOUR=green"),
    "bind address added": EDIT.format("s/--bind=127.0.0.1:8020/& --bind=127.0.0.1:8021/"),
    "new application code": "sed -i 's/Hello from/Welcome to/' /opt/plain/plain/pages.py"
    " && systemctl restart plain.service",
    "Gunicorn downgraded": f"{PIP} gunicorn==26.0.0 && systemctl restart plain.service",
    "Gunicorn upgraded": f"{PIP} gunicorn=={VERSION} && systemctl restart plain.service",
    "the unit's own text": EDIT.format("/^ExecStart/i LimitNOFILE=4096"),
    "the host's Python replaced": "rm -r /srv/plain-python && python3 -m venv --clear /opt/plain/venv"
    f" && {PIP} Django whitenoise gunicorn=={VERSION} && systemctl restart plain.service",
}


def title(changes: dict[str, Change]) -> str:
    """Return a name for a run."""
    return ", ".join(change.name for change in changes.values()) or NOTHING


class Deployment:
    """The two services, and the variables that each of them was deployed with last."""

    def __init__(self) -> None:
        self._variables: dict[str, dict] = {
            "shop": {},
            "blog": {
                "gunicorn_version": GTHREAD_VERSION,
                "gunicorn_python": "/srv/python/bin/python3",
                "gunicorn_settings": {"keepalive": 5},
            },
        }

    def run(self, changes: dict[str, Change] | None = None, **environment: str) -> PlaybookRun:
        """Deploy with more variables than before, and return the run, which succeeded."""
        once = {}
        for service, change in (changes or {}).items():
            self._variables[service] |= change.variables
            once[service] = change.once
        given = {service: variables | once.get(service, {}) for service, variables in self._variables.items()}
        run = PlaybookRun(SCENARIO / "converge.yml", variables={"zero_own": given}, environment=environment)
        assert run.code == 0, run.output
        return run


def lost(phase: dict, *services: str) -> int:
    """Return how many requests to some of the services were lost in a phase."""
    return sum(target["failed"] for target in phase["targets"] if target["target"].startswith(services))


def assert_nothing_lost(phase: dict) -> None:
    """No request failed, none waited too long, and few waited at all."""
    assert phase["requests"] > 0
    assert lost(phase, *JUDGED) == 0, phase["details"]
    assert_waited_less_than(phase, max=LONGEST_WAIT, p99=LONG_WAIT)


def assert_waited_less_than(phase: dict, **seconds: float) -> None:
    """The requests waited less, by the figures that are named, unless the load generator itself was held up."""
    if phase["lag"] < HELD_UP:
        assert [name for name, most in seconds.items() if phase["latency"][name] >= most] == [], phase["latency"]
    else:
        warnings.warn(f"{phase['name']}: the load was {phase['lag']} s late, so no wait was judged", stacklevel=2)


@pytest.fixture(scope="module")
def deployment():
    """The two services, deployed for the first time."""
    deployed = Deployment()
    deployed.run()
    return deployed


@pytest.fixture(scope="module")
def load(host, deployment):
    """Constant requests to the two services, until the plain unit is measured."""
    generator = Load(host, "role", ROLE_TARGETS, RATE)
    yield generator
    generator.stop()


@pytest.fixture(scope="module")
def plain_load(host, load):
    """The same load on the plain unit. The other load has ended."""
    load.stop()
    wait_for(lambda: answers(host, "http://127.0.0.1:8082/"))
    generator = Load(host, "plain", PLAIN_TARGETS, RATE)
    yield generator
    generator.stop()


@pytest.mark.parametrize("changes", RUNS, ids=title)
def test_planned_change_loses_nothing(host, deployment, load, changes):
    """Afterwards, the services that the run changes have new processes, and no others."""
    before = {service: main_pid(host, service) for service in SERVICES}
    with load.phase(title(changes)) as phase:
        for change in changes.values():
            assert host.run(change.before).rc == 0
        run = deployment.run(changes)
    assert [service for service in SERVICES if main_pid(host, service) != before[service]] == list(changes)
    assert bool(run.changed()) == bool(changes)
    assert_nothing_lost(phase)


def test_changes_are_live(host, deployment, load):
    """The services have all of the changes above."""
    shop, blog = (get_json(host, f"http://127.0.0.1:{port}/about")["environment"] for port in (8000, 8010))
    assert (shop["COLOUR"], blog["TOKEN"]) == ("green", "7f3a91")
    assert len(workers(host, "shop")) == 3
    page = get(host, "http://127.0.0.1:8000/")
    assert "Welcome to shop" in page
    assert f"under Gunicorn {VERSION}" in page
    assert f"under Gunicorn {GTHREAD_VERSION}" in get(host, "http://127.0.0.1:8011/")
    assert shown(host, "blog", "LimitNOFILE") == "4096"
    interpreter = host.check_output(f"readlink --canonicalize /proc/{main_pid(host, 'blog')}/exe")
    assert interpreter == host.check_output("readlink --canonicalize /usr/bin/python3")


def test_newer_version_of_the_role_loses_nothing(host, deployment, load, tmp_path):
    """Such as an update of the collection that writes every file a little differently.

    Each service has a slow request at any time meanwhile, and these survive as well.
    """
    collection = tmp_path / "ansible_collections" / "pyweb" / "gunicorn"
    for folder in ("meta", "plugins", "roles"):
        shutil.copytree(REPOSITORY / folder, collection / folder)
    for template in collection.glob("roles/gunicorn/templates/*.j2"):
        template.write_text(f"# Written by a newer version.\n{template.read_text()}")
    before = {service: main_pid(host, service) for service in SERVICES}
    slow = Load(host, "slow", SLOW_TARGETS, f"--rate={len(SLOW_TARGETS) / SLOW}", "--timeout=20")
    with load.phase(f"a newer version of the role, requests of {SLOW} s in flight") as phase:
        run = deployment.run(ANSIBLE_COLLECTIONS_PATH=str(tmp_path))
    results = slow.stop()["phases"][0]
    assert run.changed()
    assert host.file("/etc/systemd/system/shop.service").contains("Written by a newer version")
    assert all(main_pid(host, service) != before[service] for service in SERVICES)
    assert lost(results, *JUDGED) == 0, results["details"]
    assert results["latency"]["max"] > SLOW
    assert_nothing_lost(phase)


def test_rotated_log_loses_nothing(host, load):
    """The same processes go on, with new files."""
    before = {service: (main_pid(host, service), workers(host, service)) for service in SERVICES}
    with load.phase("log rotated") as phase:
        host.check_output("logrotate --force /etc/logrotate.d/gunicorn-shop /etc/logrotate.d/gunicorn-blog")
    assert {service: (main_pid(host, service), workers(host, service)) for service in SERVICES} == before
    assert_nothing_lost(phase)


@pytest.mark.parametrize("service", SERVICES)
def test_killed_worker_loses_only_its_own_requests(host, load, service):
    """At most one of a sync worker, and one of each thread of a gthread worker."""
    before = workers(host, service)
    with load.phase(f"a worker of {service} killed") as phase:
        host.check_output(f"kill -KILL {min(before)}")
        wait_for(lambda: len(workers(host, service)) == len(before) and workers(host, service) != before)
    assert lost(phase, service) <= THREADS[service], phase["details"]
    assert lost(phase, *(other for other in JUDGED if other != service)) == 0, phase["details"]


@pytest.mark.parametrize("service", SERVICES)
def test_killed_master_loses_only_requests_in_flight(host, load, service):
    """And those on kept-alive connections; and the service is back soon."""
    before, count = main_pid(host, service), len(workers(host, service))
    with load.phase(f"the master of {service} killed") as phase:
        host.check_output(f"kill -KILL {before}")
        wait_for(lambda: main_pid(host, service) not in (0, before))
        wait_for(lambda: len(workers(host, service)) == count)
    assert lost(phase, service) <= count * THREADS[service] + KEPT_ALIVE[service], phase["details"]
    assert lost(phase, *(other for other in JUDGED if other != service)) == 0, phase["details"]
    assert_waited_less_than(phase, max=BACK_WITHIN)


def test_nothing_was_lost_between_the_changes(load):
    """And connections were kept alive where they should be; otherwise none could have been lost."""
    results = load.stop()
    opened = {name: connections["opened"] for name, connections in results["connections"].items()}
    assert opened["blog-v4-keepalive"] < opened["blog-v4"] / 2
    between = [phase for phase in results["phases"] if phase["name"].startswith("after ")]
    assert between
    # The effect of a kill may last a moment longer.
    assert [phase["details"] for phase in between if lost(phase, *JUDGED) and "killed" not in phase["name"]] == []


@pytest.mark.parametrize("name", PLAIN_CHANGES if MEASURED else ["new application code"])
def test_plain_unit_is_measured_too(host, plain_load, name):
    """The same change without the role, which loses requests: the load notices what a restart costs."""
    with plain_load.phase(name) as phase:
        done = host.run(PLAIN_CHANGES[name])
        assert done.rc == 0, done.stderr
        wait_for(lambda: answers(host, "http://127.0.0.1:8020/"))
    assert phase["failed"] > 0


def rows(phase: dict) -> list[dict]:
    """Return what becomes rows of the table: of a run with several changes, the numbers of each one's service."""
    changes = next((changes for changes in RUNS if changes and title(changes) == phase["name"]), {})
    return [of_service(phase, service, change.name) for service, change in changes.items()] or [phase]


def of_service(phase: dict, service: str, name: str) -> dict:
    """Return the numbers of the requests to one service, under another name."""
    targets = [target for target in phase["targets"] if target["target"].startswith(service)]
    return {
        "name": name,
        "requests": sum(target["requests"] for target in targets),
        "failed": sum(target["failed"] for target in targets),
        "latency": {"max": max(target["latency"]["max"] for target in targets if target["latency"])},
    }


def test_table(load, plain_load, capsys):
    """scripts/zero-downtime-table, which writes the table of docs/zero_downtime.md, can read the results."""
    role = [row for phase in load.stop()["phases"] for row in rows(phase)]
    RESULTS.write_text(json.dumps({"role": {"phases": role}, "plain": plain_load.stop()}, indent=1))
    table = subprocess.run(
        [REPOSITORY / "scripts" / "zero-downtime-table", RESULTS], check=True, capture_output=True, text=True
    ).stdout
    Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "zero_downtime.md").write_text(table)
    with capsys.disabled():
        print(f"\n\n{table}")
    assert all(change.name in table for changes in RUNS for change in changes.values())
