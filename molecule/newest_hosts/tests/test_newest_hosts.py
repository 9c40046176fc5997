"""What the role promises holds on Debian's next releases, too; the tests that change the hosts come last."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
import service
from hosts import connect
from playbook_run import PlaybookRun
from waiting import wait_for
from web import get, get_json

SCENARIO = Path(__file__).parent.parent
PLAYBOOKS = SCENARIO.parents[1] / "playbooks"
NAME = "gallery.example.com"
WARNING = re.compile(r"\[(DEPRECATION )?WARNING\]")
HOSTS = ("newest-sid", "newest-testing")
AS_SITE = f"--header 'Host: {NAME}'"


@pytest.fixture(params=HOSTS)
def newest(request):
    """Each of the hosts."""
    return connect(request.param)


def play(playbook: Path, **variables: object) -> PlaybookRun:
    run = PlaybookRun(playbook, variables=variables)
    assert run.code == 0, run.output
    assert not WARNING.search(run.output), run.output
    return run


def info(host, name: str, sample: str = "0.1") -> dict:
    told = host.ansible(
        "pyweb.gunicorn.gunicorn_service_info", f"name={name} sample={sample}", check=False, become=True
    )
    (known,) = told["services"]
    return known


def test_host_is_newer_than_the_releases(newest):
    """Otherwise these tests would prove nothing new."""
    version = int(newest.check_output("systemctl --version").split()[1])
    python = newest.check_output("python3 -c 'import sys; print(*sys.version_info[:2])'").split()
    assert version >= 258
    assert tuple(map(int, python)) >= (3, 13)
    assert newest.file("/sys/fs/cgroup/cgroup.controllers").exists


def test_site_is_served(newest):
    """By the web server, with the static files, and with what Django must know of the client."""
    seen = get_json(newest, "http://127.0.0.1/seen", AS_SITE, "--header 'X-Forwarded-For: 192.0.2.66'")
    assert seen["forwarded"] == {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http"}
    assert "color" in get(newest, "http://127.0.0.1/static/gallery/site.css", AS_SITE)


def test_service_info_is_true(newest):
    """Of the service of systemd, and of the one of supervisor."""
    gallery, notes = info(newest, "gallery"), info(newest, "notes")
    assert gallery["workers"]["running"] == len(service.workers(newest, "gallery"))
    assert (gallery["user"], notes["user"]) == ("gallery", "notes")
    assert notes["unit"] is None
    assert notes["workers"]["running"] == 2
    assert get_json(newest, "http://127.0.0.1:8100/")["title"] == "Notes"


def test_newest_python_is_a_control_node():
    """With the next ansible-core, it finds nothing to do, and warns of nothing but what supervisor can't do."""
    host = connect("newest-sid", sudo=False)
    run = "cd /home/ansible && LC_ALL=C.UTF-8 next/bin/ansible"
    version = host.check_output(f"{run} --version")
    assert re.search(r"python version = 3\.(1[4-9]|[2-9]\d)", version), version
    said = host.check_output(f"{run}-playbook --inventory=hosts.yml supervised.yml 2>&1")
    assert re.search(r"newest-sid +: ok=\d+ +changed=0 +unreachable=0 +failed=0", said), said
    assert not WARNING.search(said.replace("[WARNING]: notes runs under supervisor here", "")), said


def test_sandbox_takes_effect(newest):
    """What the unit asks for, the processes have."""
    pid = service.main_pid(newest, "gallery")
    status = dict(line.split(":\t", 1) for line in newest.file(f"/proc/{pid}/status").content_string.splitlines())
    assert (status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]) == ("0" * 16, "1", "2")
    assert newest.run(f"nsenter --target {pid} --mount touch /etc/of-the-sandbox").rc != 0
    assert service.exposure(newest, "gallery") < 2.5


def test_systemd_has_no_complaint(newest):
    """Of a directive that is unknown or will be, or that it leaves out; but for a machine without the controllers."""
    said = newest.check_output("journalctl --boot --quiet --no-pager --output=cat _PID=1").splitlines()
    words = re.compile("(?i)unknown|deprecated|obsolete|ignoring|unsupported")
    assert [line for line in said if "gallery" in line and words.search(line) and "pids.max" not in line] == []


def test_limits_of_cgroup_v2_count(newest):
    """Where the machine gives its controllers to the hosts: in what is told, and in the number of workers."""
    if "memory" not in newest.file("/sys/fs/cgroup/cgroup.controllers").content_string:
        pytest.skip("this machine's cgroup v2 has no controllers: it has cgroup v1, too")
    before = info(newest, "gallery")["workers"]["running"]
    play(PLAYBOOKS / "site.yml", gunicorn_service_directives={"MemoryMax": "256M", "CPUQuota": "50%"})
    limited = info(newest, "gallery")
    assert limited["memory"]["limit_bytes"] == 256 * 1024 * 1024
    assert limited["workers"]["running"] <= before
    play(PLAYBOOKS / "site.yml")


def test_broken_change_does_not_go_live():
    """The run shows why, and what was live still is."""
    before = [service.main_pid(connect(name), "gallery") for name in HOSTS]
    run = PlaybookRun(PLAYBOOKS / "site.yml", variables={"gunicorn_environment": {"DJANGO_SETTINGS_MODULE": "no_such"}})
    assert run.code == 2, run.output
    assert {name for name, errors in run.errors_by_host().items() if "no_such" in errors[0]} == set(HOSTS)
    assert [service.main_pid(connect(name), "gallery") for name in HOSTS] == before
    assert all(get_json(connect(name), "http://127.0.0.1/seen", AS_SITE)["host"] == NAME for name in HOSTS)


def test_update_behind_haproxy():
    """Each host is taken out, updated and put back."""
    balancer = connect("newest-testing")
    before = [service.workers(connect(name), "gallery") for name in HOSTS]
    play(PLAYBOOKS / "rolling_update.yml", gunicorn_app_revision="next")
    after = [service.workers(connect(name), "gallery") for name in HOSTS]
    assert all(old.isdisjoint(new) for old, new in zip(before, after, strict=True))
    seen = {get_json(balancer, "http://127.0.0.1:8080/seen", AS_SITE)["host"] for _number in range(4)}
    assert seen == {NAME}


def test_report_knows_the_hosts(tmp_path):
    """Each has its row."""
    with contextlib.chdir(tmp_path):
        play(PLAYBOOKS / "capacity_report.yml", ansible_become=True)
    page = (tmp_path / "capacity_report.html").read_text(encoding="utf-8")
    assert all(f'data-host="{name}"' in page for name in HOSTS)


def test_services_start_at_boot(newest):
    """All of them."""
    assert newest.run("systemctl is-enabled gallery.service supervisor.service").rc == 0


def test_removal_leaves_nothing_that_runs():
    """Neither under systemd nor under supervisor."""
    play(SCENARIO / "supervised.yml", gunicorn_state="absent")
    play(SCENARIO / "removal.yml")
    for name in HOSTS:
        host = connect(name)
        wait_for(lambda host=host: host.run("pgrep --full [/]opt/gallery/venv").rc == 1)
        assert host.run("pgrep --full [/]opt/notes/venv").rc == 1
        assert not host.file("/etc/systemd/system/gallery.service").exists
