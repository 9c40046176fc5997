"""gunicorn_service_info says the same of companions as systemctl and their processes.

It deploys the project by itself, whatever the tests before have left.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hosts import connect
from playbook_run import PlaybookRun
from service import shown
from waiting import wait_for

SITE = Path(__file__).parent.parent / "site.yml"
MODULE = "pyweb.gunicorn.gunicorn_service_info"
HOSTS = ("companions-bookworm", "companions-trixie")


@pytest.mark.parametrize("name", HOSTS)
def test_service_info_says_how_companions_are(name):
    """Those of each kind, with their processes, their memory and their times; and they are part of the one service."""
    # Each host has a beat, which must not be on two hosts of one run.
    run = PlaybookRun(SITE, "--limit", name)
    assert run.code == 0, run.output
    host = connect(name)
    service = read_between_reports(host)
    assert (service["name"], service["state"]) == ("letters", "active")
    found = {companion["name"]: companion for companion in service["companions"]}
    assert {each["name"]: (each["kind"], each["state"], each["wanted"]) for each in found.values()} == {
        "beat": ("single", "active", 1),
        "report": ("job", "active", None),
        "stamps": ("service", "active", 1),
        "worker": ("service", "active", 2),
    }
    listed = host.check_output("systemctl list-units --plain --no-legend --state=active 'letters-worker@*'")
    main_pids = {int(shown(host, line.split()[0], "MainPID")) for line in listed.splitlines()}
    assert found["worker"]["running"] == len(main_pids) == 2
    assert main_pids < set(found["worker"]["pids"])
    assert found["beat"]["pids"] == [int(shown(host, "letters-beat.service", "MainPID"))]
    for each in (found["beat"], found["stamps"], found["worker"]):
        memory = each["memory"]
        assert 5 << 20 < memory["pss"] <= memory["rss"]
        assert memory["private"] + memory["shared"] == memory["pss"]
        assert (each["running"], each["restarts"], each["last_run"]) == (each["wanted"], 0, None)
    # Not a part of the service's own
    own = {process["pid"] for process in service["processes"]}
    assert not own & {pid for each in found.values() for pid in each["pids"]}
    report, now = found["report"], time.time()
    assert report["last_result"] == "success"
    assert now - 60 < report["last_run"] <= now + 1
    assert now - 60 < report["next_run"] < now + 60


def read_between_reports(host):
    """What the module says of the one service. While its job runs, every five seconds, that has no times."""
    told = []

    def read():
        told[:] = host.ansible(MODULE, "sample=0.1", check=False, become=True)["services"]
        return [each["last_run"] and each["next_run"] for each in told[0]["companions"] if each["name"] == "report"][0]

    wait_for(read, 60, "the job has ended, and waits")
    (service,) = told
    return service
