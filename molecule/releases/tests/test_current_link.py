"""What a "current" link of the usual kind loses, beside the role's releases. Nothing is asserted about its losses.

The tests build on each other, under the names of the events in test_releases.py.
"""

from __future__ import annotations

import time

import pytest
from hosts import connect
from load_on_host import Load
from waiting import wait_for

TARGETS = (
    "tcp=127.0.0.1:8020,host=board.example.com",
    "nginx=127.0.0.1:8082,host=board.example.com,keepalive=4",
    "add=127.0.0.1:8020,host=board.example.com,path=/add",
)
CURL = "curl --silent --output /dev/null --write-out '%{http_code} %header{x-version}'"
# How long people look at a bad release until they go back
NOTICED_AFTER = 5.0
# The versions in tests/projects/board, and the events of the table in docs/zero_downtime.md
BAD = {"broken": "a release that does not load", "error_500": "a release that answers 500"}


@pytest.fixture(scope="module")
def host():
    """The host with the plain unit."""
    return connect("releases-trixie")


@pytest.fixture(scope="module")
def load(host, rate):
    """Constant requests to the plain unit."""
    host.check_output("deploy-plain first")
    wait_for(lambda: answers(host) == "200 first")
    generator = Load(host, "plain", TARGETS, "--header=X-Version", f"--rate={rate}")
    yield generator
    generator.stop()
    host.check_output("systemctl stop plain.service")


def answers(host) -> str:
    """The status of the site's page, and the version that answered."""
    return host.run(f"{CURL} --header 'Host: board.example.com' http://127.0.0.1:8020/").stdout


def kill_workers(host) -> None:
    """Kill every worker of the plain unit."""
    host.run("pkill --signal KILL --parent $(systemctl show --property=MainPID --value plain.service)")


def go_back(host, version: str) -> float:
    """Move the link back, reload, and return the seconds until the old code answers alone."""
    begin = time.monotonic()
    host.check_output(f"ln -sfn /srv/plain/releases/{version} /srv/plain/current")
    # A reload fails if the master of the bad release has just ended, and systemd has not started the next one yet.
    wait_for(lambda: host.run("systemctl reload-or-restart plain").rc == 0, 90)
    wait_for(lambda: [answers(host) for _request in range(4)] == [f"200 {version}"] * 4, 90)
    return time.monotonic() - begin


def test_good_release(host, load, results):
    """It adds a column."""
    with load.phase("good") as phase:
        host.check_output("deploy-plain column")
        wait_for(lambda: answers(host) == "200 column")
    results["link"]["events"]["a good release"] = phase


@pytest.mark.parametrize("version", BAD)
def test_bad_release(host, load, results, version):
    """Its checks and migrations find nothing, and the link is moved. The workers are killed, and somebody goes back."""
    with load.phase(version) as phase:
        host.run(f"deploy-plain {version}")
        kill_workers(host)
        time.sleep(NOTICED_AFTER)
    results["link"]["events"][BAD[version]] = phase
    with load.phase(f"back from {version}") as phase:
        results["link"]["seconds"]["going back on the host"] = go_back(host, "column")
    results["link"]["events"]["going back"] = phase


def test_bad_migration(host, load, results):
    """It fails, and the link was not moved yet."""
    with load.phase("bad migration") as phase:
        assert host.run("deploy-plain bad_migration").rc != 0
        kill_workers(host)
        time.sleep(NOTICED_AFTER)
    results["link"]["events"]["a migration that fails"] = phase
    assert answers(host) == "200 column"
