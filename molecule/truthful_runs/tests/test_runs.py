"""Each run of the role says what it does and does nothing else, and a second run has nothing to do.

The tests build on each other: the first one finds a fresh host, the others the service as the one before left it.
"""

import functools
import json
from pathlib import Path

import pytest
import service
from files_on_host import listing_command
from playbook_run import PlaybookRun
from waiting import wait_for
from web import answers, get_json

SCENARIO = Path(__file__).parent.parent
WATCHED = "/etc /opt /var/opt /var/log/notes /usr/bin /usr/lib/systemd /var/lib/systemd"
COMPARE = "Compare what runs with what is wanted"
SWITCH = f"{COMPARE}, and let that take over"
CODE = SCENARIO.parent.parent / "tests/projects/flask/notes.py"
URL = "http://127.0.0.1:8000/"


Run = functools.partial(PlaybookRun, SCENARIO / "converge.yml")


def snapshot(host):
    """Every file that the role could touch, with its size and time, the accounts, and the master."""
    listing = host.check_output(f"{listing_command(WATCHED)} | sha256sum")
    accounts = host.check_output("cat /etc/passwd /etc/group | sha256sum")
    return listing, accounts, main_pid(host)


def main_pid(host):
    return service.main_pid(host, "notes.service")


def workers(host):
    return service.workers(host, "notes.service")


def test_check_mode_on_a_fresh_host(host):
    """It works on an empty host, says what would be done, and does nothing."""
    host.run("mkdir --parents /opt/notes /var/log/notes && rmdir /var/log/notes")
    assert host.run("printf %s %s > /opt/notes/notes.py", "%s", CODE.read_text()).rc == 0
    before = snapshot(host)
    run = Run("--check", "--diff")
    assert run.code == 0, run.output
    assert "Make the user" in run.changed()
    assert COMPARE in run.changed()
    assert snapshot(host) == before
    assert not host.file("/etc/systemd/system/notes.service").exists


def test_first_run_deploys(host):
    """Afterwards, the service answers."""
    run = Run()
    assert run.code == 0, run.output
    assert get_json(host, URL)["title"] == "Notes"


def test_second_run_changes_nothing_and_asks_little(host):
    """Nothing restarts, and only one module runs on the host."""
    before = snapshot(host)
    run = Run()
    assert run.code == 0, run.output
    assert run.changed() == []
    assert snapshot(host) == before
    assert run.on_host() == ["Check the variables against the host"]


def test_check_mode_on_a_deployed_host(host):
    """It finds nothing to do."""
    before = snapshot(host)
    run = Run("--check")
    assert run.code == 0, run.output
    assert run.changed() == []
    assert snapshot(host) == before


def test_check_and_diff_show_a_change_and_make_none(host):
    """Diff mode shows the line of the unit that would change; then a real run makes the change."""
    before, arguments = snapshot(host), ["--extra-vars", "gunicorn_workers=2"]
    run = Run("--check", "--diff", *arguments)
    assert run.code == 0, run.output
    assert run.changed() == [COMPARE, SWITCH]
    compared = next(result for result in run.results if result["task"] == COMPARE)
    command = "/opt/notes/venv/bin/gunicorn --config=/etc/opt/notes/gunicorn.conf.py --workers=2 "
    assert f"+ExecStart={command}" in compared["diff"]
    assert snapshot(host) == before
    real = Run(*arguments)
    assert real.code == 0, real.output
    assert len(workers(host)) == 2
    assert Run(*arguments).changed() == []
    assert Run().code == 0


@pytest.mark.parametrize(
    "damage",
    [
        "systemctl disable --now notes.service notes.socket",
        "sed -i 's/^RestartSec=.*/RestartSec=9/' /etc/systemd/system/notes.service && systemctl daemon-reload",
        "sed -i 's/127.0.0.1:8000/127.0.0.1:8008/' /etc/systemd/system/notes.socket && systemctl daemon-reload"
        " && systemctl restart notes.socket",
        "rm /etc/opt/notes/gunicorn.conf.py",
        "sed -i 's/^threads = .*/threads = 3/' /etc/opt/notes/gunicorn.conf.py && systemctl restart notes",
        "systemctl kill --kill-who=main --signal=TTIN notes.service",
        "sed -i 's/--workers=3/--workers=4/' /etc/systemd/system/notes.service && systemctl daemon-reload"
        " && systemctl restart notes && sed -i 's/--workers=4/--workers=3/' /etc/systemd/system/notes.service",
        "/opt/notes/venv/bin/pip install --quiet gunicorn==26.0.0",
        # Its user may write what it says of itself.
        r"sudo -u notes sh -c 'printf \"\\377\" > /run/gunicorn/notes/running.json'",
    ],
)
def test_what_somebody_changed_is_put_right(host, damage):
    """Check mode sees what was done by hand, the next run repairs it, and the one after has nothing to do."""
    assert host.run(damage).rc == 0
    assert Run("--check").changed() != []
    run = Run()
    assert run.code == 0, run.output
    assert answers(host, URL)
    assert host.service("notes").is_enabled
    assert host.service("notes").is_running
    assert Run().changed() == []


@pytest.mark.parametrize(("lost", "restarts"), [("/var/log/notes/gunicorn.log", False), ("/var/log/notes", True)])
def test_log_that_was_deleted_is_written_again(host, lost, restarts):
    """The file is opened anew by the process that runs; for another directory, the sandbox must be made anew."""
    log, before = host.file("/var/log/notes/gunicorn.log"), main_pid(host)
    host.check_output(f"rm -r {lost}")
    assert COMPARE in Run("--check").changed()
    run = Run()
    assert run.code == 0, run.output
    assert log.user == "notes"
    assert (main_pid(host) != before) is restarts
    host.check_output("systemctl kill --kill-who=main --signal=HUP notes.service && sleep 3")
    assert "Booting worker" in log.content_string
    assert Run().changed() == []


def test_new_configuration_is_started_though_the_run_before_was_killed(host):
    """It had written the unit: the next run compares what is running."""
    assert Run("--extra-vars", "gunicorn_workers=2").code == 0
    unit = "/etc/systemd/system/notes.service"
    host.run(f"cp {unit} /root/unit-of-two")
    assert Run("--extra-vars", "gunicorn_workers=3").code == 0
    before = main_pid(host)
    host.run(f"cp /root/unit-of-two {unit}")  # as a killed run leaves it: the file is new, the process is old
    run = Run("--extra-vars", "gunicorn_workers=2")
    assert run.changed() == [COMPARE, SWITCH]
    assert main_pid(host) != before
    assert len(workers(host)) == 2
    assert Run().code == 0


def test_code_that_the_service_would_not_reach_is_named(host):
    """In a home directory, and in a directory of a group: nothing is built or changed, and the advice works."""
    host.check_output("useradd --create-home deploy && chmod 0755 /home/deploy && cp -r /opt/notes /home/deploy/notes")
    host.check_output("chown --recursive deploy:deploy /home/deploy/notes && rm -rf /home/deploy/notes/venv*")
    elsewhere = {"gunicorn_project": "other", "gunicorn_port": 8100, "gunicorn_code_directory": "/home/deploy/notes"}
    before = snapshot(host)
    run = Run("--extra-vars", json.dumps(elsewhere))
    assert run.code == 2
    assert "gunicorn_code_directory: '/home/deploy/notes'" in run.output
    assert "ProtectHome: read-only" in run.output
    host.check_output("chmod 0750 /home/deploy/notes")
    elsewhere["gunicorn_service_directives"] = {"ProtectHome": "read-only"}
    run = Run("--extra-vars", json.dumps(elsewhere))
    assert run.code == 2
    assert "/home/deploy/notes is of deploy:deploy with mode 0750" in run.output
    assert "SupplementaryGroups: deploy" in run.output
    assert snapshot(host) == before
    assert not host.file("/home/deploy/notes/venv").exists
    elsewhere["gunicorn_service_directives"]["SupplementaryGroups"] = "deploy"
    run = Run("--extra-vars", json.dumps(elsewhere))
    assert run.code == 0, run.output
    assert get_json(host, "http://127.0.0.1:8100/")["title"] == "Notes"
    removal = {**elsewhere, "gunicorn_state": "absent", "gunicorn_absent_remove": ["config", "data", "logs", "user"]}
    assert Run("--extra-vars", json.dumps(removal)).code == 0


def test_read_only_units_are_named_before_anything_changes(host):
    """A run that has nothing to do still has nothing to do; another one ends with one clear error."""
    units = "/etc/systemd/system"
    host.check_output(f"mount --bind {units} {units} && mount -o remount,bind,ro {units}")
    try:
        before = snapshot(host)
        assert Run().changed() == []
        run = Run("--extra-vars", "gunicorn_workers=2")
        assert run.code == 2
        assert f"root can't write in {units}" in run.output
        run = Run("--extra-vars", "gunicorn_project=other gunicorn_port=8100 gunicorn_code_directory=/opt/notes")
        assert run.code == 2
        assert (
            f"gunicorn_service_name: 'other' can't be used: expected a host on which root can write in {units}"
            in run.output
        )
        assert snapshot(host) == before
    finally:
        host.check_output(f"umount {units}")
    assert Run().code == 0


def test_run_goes_on_while_systemd_is_executed_anew(host):
    """An upgrade of systemd takes the connection from each systemctl; the run asks again, and loses nothing by it."""
    again = "for each in $(seq 40); do systemctl daemon-reexec; sleep 0.3; done"
    host.check_output(f"nohup sh -c '{again}' >/dev/null 2>&1 & echo $! > /root/again.pid")
    try:
        run = Run("--extra-vars", "gunicorn_workers=2")
    finally:
        host.run("kill $(cat /root/again.pid)")
        wait_for(lambda: host.run("systemctl show --property=Version").rc == 0)
    assert run.code == 0, run.output
    assert len(workers(host)) == 2
    run = Run()
    assert run.code == 0, run.output
    assert Run().changed() == []


def test_masked_unit_is_left_to_the_administrator(host):
    """Somebody who masks a unit does not want it to start: the role says so, and leaves it masked."""
    unit = "/etc/systemd/system/notes.service"
    assert host.run(f"mv {unit} /root/notes.service && systemctl mask notes.service").rc == 0
    run = Run()
    assert run.code == 2
    assert "systemctl unmask notes.service" in run.output
    assert (
        host.run(f"systemctl unmask notes.service && mv /root/notes.service {unit} && systemctl daemon-reload").rc == 0
    )
    assert Run().code == 0


def test_service_can_be_stopped_and_disabled(host):
    """It stays so, and comes back when it is wanted again."""
    arguments = ["--extra-vars", "gunicorn_service_state=stopped gunicorn_service_enabled=false"]
    assert Run(*arguments).code == 0
    assert not host.service("notes").is_running
    assert not host.service("notes").is_enabled
    assert not answers(host, URL)
    assert Run(*arguments).changed() == []
    assert Run().code == 0
    assert host.service("notes").is_running


def test_missing_requirement_is_installed_and_the_service_restarted(host):
    """So is another version of Gunicorn, as check mode announced it."""
    before = main_pid(host)
    assert host.run("/opt/notes/venv/bin/pip uninstall --yes flask").rc == 0
    assert Run().code == 0
    assert host.run("/opt/notes/venv/bin/python -c 'import flask'").rc == 0
    foretold = Run("--check", "--extra-vars", "gunicorn_version=26.0.0")
    downgrade = Run("--extra-vars", "gunicorn_version=26.0.0")
    assert foretold.changed() == downgrade.changed()
    assert downgrade.code == 0, downgrade.output
    assert "gunicorn 26.0.0" in host.check_output("tail -n 20 /var/log/notes/gunicorn.log")
    assert main_pid(host) != before


def test_service_listens_on_ipv6_if_the_host_has_it(host):
    """On a host without ::1 it listens on 127.0.0.1 alone, and on both when ::1 is back."""

    def listening():
        return {address for address in host.socket.get_listening_sockets() if address.endswith(":8000")}

    assert host.run("ip -6 address delete ::1/128 dev lo").rc == 0
    try:
        assert Run().code == 0
        assert listening() == {"tcp://127.0.0.1:8000"}
    finally:
        assert host.run("ip -6 address add ::1/128 dev lo").rc == 0
    assert Run().code == 0
    assert listening() == {"tcp://127.0.0.1:8000", "tcp://::1:8000"}


SHOP = """
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
version = "1.0"
[tool.setuptools]
py-modules = ["shop"]
"""


def write_shop(host, title):
    """An application that is a package: its version stays the same whatever its code is."""
    code = f"""
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{{"title": "{title}"}}']
"""
    requirements = "--no-index\n--find-links ../wheels\n.\n"
    for path, text in (("pyproject.toml", SHOP), ("shop.py", code), ("requirements.txt", requirements)):
        assert host.run(f"mkdir --parents /srv/shop && printf %s %s > /srv/shop/{path}", "%s", text).rc == 0


def test_new_code_of_a_package_is_served(host):
    """Under the same version, from a folder, without an index; and the role does not manage the user."""
    assert host.run("/opt/notes/venv/bin/pip download --quiet --dest /srv/wheels gunicorn setuptools").rc == 0
    variables = {
        "gunicorn_app": "shop:app",
        "gunicorn_venv": "/srv/notes/venv",
        "gunicorn_requirements": "/srv/shop/requirements.txt",
        "gunicorn_pip_environment": {"PIP_NO_CACHE_DIR": "1"},
        "gunicorn_python": "/usr/bin/python3",
        "gunicorn_manage_user": False,
    }
    for title in ("one", "two"):
        write_shop(host, title)
        run = Run(variables=variables)
        assert run.code == 0, run.output
        assert get_json(host, URL)["title"] == title
        assert Run(variables=variables).changed() == []
    (command,) = {process.args.split()[1] for process in host.process.filter(ppid=main_pid(host))}
    assert command == "/srv/notes/venv/bin/gunicorn"
    upgrade = Run(variables={**variables, "gunicorn_upgrade": True})
    assert (upgrade.code, upgrade.changed()) == (0, [])
    assert Run().code == 0


def test_venv_that_something_runs_from_stays(host):
    """Others are built and activated beside it, and the role does not come; then a step of somebody's is at work."""
    live = host.check_output("readlink --canonicalize /opt/notes/venv")
    try:
        for version in (99, 98):
            variables = {"requirements": ["Flask", f"itsdangerous<{version}"]}
            run = PlaybookRun(SCENARIO / "install_alone.yml", variables=variables)
            assert run.code == 0, run.output
        assert json.loads(host.file("/run/gunicorn/notes/running.json").content_string)["prefix"] == live
        for worker in workers(host):
            host.check_output(f"kill {worker}")
            wait_for(lambda: len(workers(host)) == 3)
        assert [answers(host, URL) for _request in range(20)] == [True] * 20
        step = f"{live}/bin/python -c 'import time; time.sleep(600)'"
        host.check_output(f"systemd-run --unit=notes-step --collect {step}")
        host.check_output(f"touch --date='2 hours ago' {live}")  # else it might belong to another run
        assert Run().code == 0
        assert host.file(f"{live}/bin/python").exists
    finally:
        host.run("systemctl stop notes-step.service")
    host.check_output(f"touch --date='2 hours ago' {live}")
    assert Run("--extra-vars", "gunicorn_workers=2").code == 0
    assert not host.file(live).exists
    assert Run().code == 0
    assert Run().changed() == []


def test_another_project_with_the_same_venv(host):
    """One that wants something else in it is refused; otherwise each run of one would undo the other's."""
    assert Run().code == 0
    before = snapshot(host)
    other = {"gunicorn_project": "other", "gunicorn_code_directory": "/opt/notes", "gunicorn_port": 8010}
    run = Run(variables={**other, "gunicorn_requirements": ["Flask", "itsdangerous<99"]})
    assert "gunicorn_venv: '/opt/notes/venv' can't be used: expected a virtual environment of its own" in run.error()
    assert "the service notes uses this one" in run.error()
    assert snapshot(host) == before


def test_a_venv_of_the_account_that_deploys(host):
    """It goes on as before, though root does not ask it; once the service's user can change it, it is refused."""
    host.run("useradd deploy")  # another test may have made it
    assert host.run("chown --recursive --no-dereference deploy:deploy /opt/notes").rc == 0
    try:
        run = Run()
        assert (run.code, run.changed()) == (0, [])
        assert host.run("chown notes /opt/notes").rc == 0
        before = snapshot(host)
        assert "that the user notes can't change, since root runs it; but /opt/notes belongs to notes" in Run().error()
        assert snapshot(host) == before
    finally:
        assert host.run("chown --recursive --no-dereference root:root /opt/notes").rc == 0
    assert Run().changed() == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("gunicorn_project", "my site", "gunicorn_project: 'my site'"),
        ("gunicorn_settings", {"gracefull_timeout": 3}, "the nearest is 'graceful_timeout'"),
        ("gunicorn_version", "99.0", "99.0"),
    ],
)
def test_bad_value_is_one_clear_error(host, variable, value, said):
    """One value for each step that can find it (bad_input has all); the service and its files stay the same."""
    before = snapshot(host)
    run = Run(variables={variable: value})
    assert said in run.error()
    assert "Traceback" not in run.output
    assert snapshot(host) == before
