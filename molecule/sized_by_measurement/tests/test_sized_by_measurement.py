"""A service is measured under load, sized by the measurement, and then performs as the report promised."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hosts import connect
from playbook_run import PlaybookRun

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
WAITING, MEMORY = "sized-waiting", "sized-memory"
LIMIT = 512 << 20
LOAD = "load.py run --concurrency %d --seconds %d --timeout 60 measured=127.0.0.1:8000"
# Computes on one core, as a database might
BESIDE = "systemd-run --quiet --unit=beside timeout 20 python3 -c 'while True: pass'"
# More requests at once than any of the services can work on
MANY = 64


@dataclass
class Observed:
    """A service under load: answers a second, memory of its workers, processes that the kernel killed for memory."""

    per_second: float
    worker_memory: int
    killed_at_reload: int
    failed: int


@dataclass
class Fleet:
    """The two hosts, and what was observed before and after they were sized by a measurement."""

    directory: Path
    before: dict[str, Observed] = field(default_factory=dict)
    after: dict[str, Observed] = field(default_factory=dict)
    report: dict[str, dict] = field(default_factory=dict)
    alone: dict = field(default_factory=dict)
    beside: dict = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    changed_again: list[str] = field(default_factory=list)

    def run(self, playbook: str, *arguments: str, variables: dict | None = None) -> PlaybookRun:
        """Run a playbook of the collection; host_vars beside the second inventory override those of the scenario."""
        inventory = f"{os.environ['ANSIBLE_INVENTORY']},{self.directory / 'inventory'}"
        environment = {"ANSIBLE_INVENTORY": inventory}
        run = PlaybookRun(PLAYBOOKS / playbook, *arguments, variables=variables, environment=environment)
        assert run.code == 0, run.output
        return run

    def measure(self, directory: Path) -> dict[str, dict]:
        """Write the capacity report, and return its service of each host."""
        self.run("capacity_report.yml", "--become", variables={"capacity_report_dir": str(directory)})
        report = json.loads((directory / "capacity_report.json").read_text())
        return {host["name"]: host["services"][0] for host in report["hosts"]}


def about(host, sample: float = 0.5) -> dict:
    """What gunicorn_service_info says about the service."""
    options = f"name=measured sample={sample}"
    told = host.ansible("pyweb.gunicorn.gunicorn_service_info", options, check=False, become=True)
    return told["services"][0]


def ask(host, requests_at_once: int, seconds: int) -> dict:
    return json.loads(host.check_output(LOAD % (requests_at_once, seconds)))["phases"][-1]


def about_under_load(name: str) -> dict:
    """What gunicorn_service_info says about the service that it watches for some seconds under load."""
    with ThreadPoolExecutor(1) as executor:
        # Until it watches, Ansible takes some seconds on a busy machine.
        loaded = executor.submit(ask, connect(name), 2, 15)
        told = about(connect(name), sample=4)
        assert loaded.result()["failed"] == 0
    return told


def observe(host) -> Observed:
    """Put the service under load, reload it afterwards, and return what was seen."""
    asked = ask(host, MANY, 5)
    service = about(host)
    host.run("systemctl reload measured")
    return Observed(
        per_second=(asked["requests"] - asked["failed"]) / asked["seconds"],
        worker_memory=sum(process["pss"] for process in service["processes"] if process["role"] == "worker"),
        killed_at_reload=about(host)["exits"]["out_of_memory"] - service["exits"]["out_of_memory"],
        failed=asked["failed"],
    )


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Fleet:
    """Deploy, measure under load, deploy what the report recommends, and put it under the same load again."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    own = fleet.directory / "inventory"
    (own / "host_vars").mkdir(parents=True)
    (own / "hosts.yml").write_text("all: {}\n")
    fleet.run("site.yml")
    for name in (WAITING, MEMORY):
        # A load that the service can bear: the application is measured, not the queue before it.
        assert ask(connect(name), 2, 5)["failed"] == 0
    fleet.report = fleet.measure(fleet.directory)
    fleet.alone = about_under_load(MEMORY)
    connect(MEMORY).check_output(BESIDE)
    fleet.beside = about_under_load(MEMORY)
    connect(MEMORY).run("systemctl stop beside")
    for name in (WAITING, MEMORY):
        fleet.before[name] = observe(connect(name))
    for snippet in (fleet.directory / "capacity_report_host_vars").iterdir():
        shutil.copy(snippet, own / "host_vars")
    fleet.changed = fleet.run("site.yml").changed()
    fleet.changed_again = fleet.run("site.yml").changed()
    for name in (WAITING, MEMORY):
        fleet.after[name] = observe(connect(name))
    return fleet


def test_waiting_is_measured(fleet):
    """The application waits 40 ms and computes 2 ms; Gunicorn's own computing is not counted."""
    assert 10 < fleet.report[WAITING]["measured"]["wait_ratio"] < 25


def test_computing_is_measured(fleet):
    """The other application only computes, and its requests wait only for its one CPU."""
    assert fleet.report[MEMORY]["measured"]["wait_ratio"] < 0.5


def test_what_others_compute_is_measured(fleet):
    """Without requests it is not known, and the report says how to measure it; then another process takes a core."""
    (quiet,) = (line for line in fleet.report[WAITING]["unseen"] if "other processes" in line)
    assert "capacity_report_sample" in quiet
    assert fleet.report[WAITING]["requests"]["other_cpu_ratio"] is None
    alone, beside = (told["requests"]["other_cpu_ratio"] for told in (fleet.alone, fleet.beside))
    # The service has a quota of one CPU; the load generator takes little.
    assert 0 < alone < 0.4
    assert alone + 0.3 < beside < 2


def test_memory_is_measured(fleet):
    """A worker has 130 MiB and the interpreter; the recommendation leaves room for a second one in a reload."""
    assert 135 << 20 < fleet.report[MEMORY]["memory"]["per_worker"] < 170 << 20
    assert fleet.report[MEMORY]["recommended"]["decided_by"] == "memory"


def test_waiting_application_answers_more(fleet):
    """With threads, as it may have them: its CPU is busy now, while the three workers only waited."""
    recommended = fleet.report[WAITING]["recommended"]
    assert recommended["threads"] > 1
    # On a quiet machine it answers five times as much.
    assert fleet.after[WAITING].per_second > 2 * fleet.before[WAITING].per_second
    assert fleet.after[WAITING].failed == 0


def test_memory_of_the_other_one_falls(fleet):
    """It has fewer workers: a reload no longer exceeds the limit, nothing is killed, and it answers as much."""
    before, after = fleet.before[MEMORY], fleet.after[MEMORY]
    assert after.worker_memory < before.worker_memory
    assert before.killed_at_reload > 0
    assert after.killed_at_reload == 0
    assert after.per_second > 0.7 * before.per_second
    assert after.failed == 0


@pytest.mark.parametrize("name", [WAITING, MEMORY])
def test_what_is_recommended_runs(fleet, name):
    """The role deploys the numbers of the report."""
    recommended, service = fleet.report[name]["recommended"], about(connect(name))
    assert service["workers"] == {"configured": recommended["workers"], "running": recommended["workers"]}
    assert (service["threads"], service["worker_class"]) == (recommended["threads"], recommended["worker_class"])
    assert recommended["workers"] * service["memory"]["per_worker"] * 2 < LIMIT


def test_second_run_changes_nothing(fleet):
    """The measurement is in the inventory, so another load since then changes nothing."""
    assert fleet.changed
    assert fleet.changed_again == []


def test_measuring_changes_nothing(fleet):
    """A second report, after another load, recommends the same."""
    directory = fleet.directory / "again"
    for name, service in fleet.measure(directory).items():
        recommended, before = service["recommended"], fleet.report[name]["recommended"]
        assert (recommended["workers"], recommended["threads"]) == (before["workers"], before["threads"])
