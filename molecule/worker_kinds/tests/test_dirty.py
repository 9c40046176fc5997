"""Dirty workers and the control socket: what goes live was tried, and tasks in flight are finished.

The tests build on each other: each one finds the host as the one before left it.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hosts import connect
from playbook_run import PlaybookRun
from service import children, main_pid, workers

SITE = Path(__file__).parent.parent / "site.yml"
INFO = Path(__file__).parent.parent / "info.yml"
DIRTY = {"dirty_apps": ["jobs:Tasks"], "dirty_workers": 2, "control_socket_disable": False}
ASKED = {"gunicorn_threads": 4, "gunicorn_settings": DIRTY}
CURL = "curl --silent --show-error --max-time 60 http://127.0.0.1:8000"
CONTROL = "/run/gunicorn/kinds/gunicorn.ctl"


@pytest.fixture(scope="module")
def host():
    """The host, with a service that has dirty workers."""
    found = connect("kinds-bookworm")
    deploy(found, "first")
    return found


def announce(host, version: str) -> dict:
    """Bring a version, and return the variables that announce it."""
    host.check_output(f"printf {version} >/opt/kinds/version")
    return {**ASKED, "gunicorn_app_revision": version}


def deploy(host, version: str) -> PlaybookRun:
    """Let a version take over."""
    run = PlaybookRun(SITE, variables=announce(host, version))
    assert run.code == 0, run.output
    return run


def dirty_workers(host) -> set[int]:
    """The grandchildren of the master."""
    return {pid for child in workers(host, "kinds.service") for pid in children(host, child)}


def test_they_work_at_the_first_request(host) -> None:
    """Each task is done by one of them."""
    told = {host.check_output(f"{CURL}/wait/0") for _time in range(4)}
    assert told == {f"first {pid}" for pid in dirty_workers(host)}
    assert len(told) == 2


def test_they_are_counted_as_what_they_are() -> None:
    """Not as web workers, and with their memory."""
    run = PlaybookRun(INFO)
    assert run.code == 0, run.output


def test_a_second_run_changes_nothing(host) -> None:
    """The settings of dirty workers are part of the configuration as all others are."""
    assert deploy(host, "first").changed() == []


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("broken", "LookupError: this version has no model"),
        ("killed", "jobs:Tasks of dirty_apps does not start: its worker ended while it started"),
    ],
)
def test_a_broken_app_never_goes_live(host, version: str, reason: str) -> None:
    """The run fails with its own words, and the live service has not noticed."""
    before = main_pid(host, "kinds.service"), dirty_workers(host)
    error = PlaybookRun(SITE, variables=announce(host, version)).error()
    assert error.startswith("kinds was tried and does not work: ")
    assert reason in error
    assert "The live service was not touched" in error
    assert (main_pid(host, "kinds.service"), dirty_workers(host)) == before
    assert host.check_output(f"{CURL}/wait/0").startswith("first ")


def test_tasks_in_flight_are_finished(host) -> None:
    """Those at work and those that wait for their turn, by the version that they began with."""
    script = f"for n in 1 2 3 4 5 6; do {CURL}/wait/5 & done; wait"
    host.check_output(f"systemd-run --quiet --unit=tasks --property=StandardOutput=file:/root/tasks sh -c '{script}'")
    deploy(host, "second")
    host.run("while systemctl is-active tasks; do sleep 0.2; done")
    told = host.file("/root/tasks").content_string.splitlines()
    assert [line.split()[0] for line in told] == ["first"] * 6
    assert host.check_output(f"{CURL}/wait/0").startswith("second ")


def test_the_live_service_alone_has_the_control_socket(host) -> None:
    """After changes and failed ones; it answers, and the stand-in had none."""
    shown = host.check_output(f"/opt/kinds/venv/bin/gunicornc -s {CONTROL} -c 'show workers'")
    assert all(str(pid) in shown for pid in live_web_workers(host))
    watch = "while sleep 0.05; do find /run/gunicorn -name '*.ctl'; done"
    host.check_output(f"systemd-run --quiet --unit=watch --property=StandardOutput=file:/root/seen sh -c '{watch}'")
    deploy(host, "third")
    host.check_output("systemctl stop watch")
    assert set(host.file("/root/seen").content_string.split()) == {CONTROL}
    shown = host.check_output(f"/opt/kinds/venv/bin/gunicornc -s {CONTROL} -c 'show workers'")
    assert all(str(pid) in shown for pid in live_web_workers(host))


def live_web_workers(host) -> set[int]:
    """The children of the master that have none."""
    return {pid for pid in workers(host, "kinds.service") if not children(host, pid)}


def test_the_rotation_reaches_them(host) -> None:
    """What they log afterwards is in the new file."""
    log = "/var/log/kinds/gunicorn.log"
    for _time in range(4):
        host.check_output(f"{CURL}/log")
    for _rotation in range(2):
        host.check_output("logrotate --force /etc/logrotate.d/gunicorn-kinds")
        time.sleep(1)
        for _time in range(4):
            host.check_output(f"{CURL}/log")
        said = host.file(log).content_string
        assert all(f"A task in {pid}" in said for pid in dirty_workers(host))


def test_a_reload_is_refused(host) -> None:
    """It would leave them with their old code, and says so; the service goes on."""
    before = dirty_workers(host)
    assert host.run("systemctl reload kinds.service").rc == 1
    assert "A reload brings no new code of dirty apps: restart kinds" in host.check_output(
        "journalctl --unit=kinds.service"
    )
    assert dirty_workers(host) == before


def test_a_dirty_worker_that_fails_later_does_not_take_the_others_along(host) -> None:
    """Web workers go on, and failing ones are not started without a pause."""
    host.check_output("printf broken >/opt/kinds/version")
    before = main_pid(host, "kinds.service")
    host.check_output(f"kill -9 {min(dirty_workers(host))}")
    time.sleep(5)
    assert main_pid(host, "kinds.service") == before
    host.check_output(f"{CURL}/")
    log = host.file("/var/log/kinds/gunicorn.log").content_string
    assert 2 <= log.count("Dirty worker failed to boot") <= 6
    host.check_output("printf third >/opt/kinds/version")
