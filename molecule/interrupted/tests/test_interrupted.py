"""Whatever ends a deployment early, the hosts serve on, and the next plain run completes the deployment.

The tests build on each other: each one finds the services as the one before left them.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import random
import threading
import time
from pathlib import Path

import load_on_host
import pytest
from cut_off import CutOff
from hosts import connect
from playbook_run import PlaybookRun
from waiting import wait_for
from web import get_json

SCENARIO = Path(__file__).parent.parent
PLAYBOOK = SCENARIO / "converge.yml"
Run = functools.partial(PlaybookRun, PLAYBOOK)
NAMES = ("cut-bookworm", "cut-trixie")
COMPARE = "Compare what runs with what is wanted"
PLAN = "Check the variables against the host"
# The tasks that run on a host when the configuration changes. A run is cut off after each of them.
BOUNDARIES = (PLAN, COMPARE, f"{COMPARE}, and let that take over")
# What shows on a host how far a switch is, whatever time that takes: the stand-in starts; the live service makes room.
BEGUN = "test -e /run/systemd/system/notes-standin.service"
HALF_WAY = f"{BEGUN} && ! systemctl is-active --quiet notes.service"
OTHER_VERSION = ("--extra-vars", "gunicorn_version=26.0.0")
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def hosts():
    """All hosts, each with a service that runs."""
    assert Run().code == 0
    return [connect(name) for name in NAMES]


@pytest.fixture(autouse=True)
def chance(request):
    """Make random times the same in every run of a test."""
    random.seed(request.node.name)


def variables_of(number):
    """A configuration that differs for each number, secrets included."""
    return {
        "gunicorn_workers": 1 + number % 2,
        "gunicorn_environment": {"NOTES_TITLE": f"Notes {number}"},
        "gunicorn_secrets": {"NOTES_LIMIT": str(number)},
    }


def change():
    """The arguments of a run that makes a new change, and what the application says afterwards."""
    number = next(numbers)
    return ["--extra-vars", json.dumps(variables_of(number))], (f"Notes {number}", str(number))


def everywhere(hosts, command):
    """Run a command on all hosts at once."""
    on_each(hosts, [command] * len(hosts))


def on_each(hosts, commands):
    """Run a command on each host, all at once."""

    def tell(host, command):
        with contextlib.suppress(RuntimeError):  # the command may end its own connection
            host.run(command)

    threads = [threading.Thread(target=tell, args=pair) for pair in zip(hosts, commands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def once(sign, then="true"):
    """The shell command that waits for a sign, half a minute at most, and then runs a command."""
    return f"for n in $(seq 600); do {{ {sign}; }} && break; sleep 0.05; done; {then}"


def under_load(hosts):
    """Fifteen requests a second on each host, none of which may fail."""
    return load_on_host.under_load(hosts, ("v4=127.0.0.1:8000", "v6=[::1]:8000"), "--rate=15")


def said_by(host):
    """The variables that the application has."""
    answer = get_json(host, "http://127.0.0.1:8000/", "--max-time 10")
    return answer["title"], answer["limit"]


@contextlib.contextmanager
def change_cut_off(hosts, task, *more):
    """Begin a change, and yield its run when each host has a result of the task, for the test to end it there.

    Afterwards, the next run completes the change. No request is lost.
    """
    arguments, said = change()
    arguments += more
    with under_load(hosts):
        cut = CutOff(PLAYBOOK, *arguments)
        cut.wait_for_results(task, NAMES)
        yield cut
        assert_completed(hosts, arguments, said)


def assert_completed(hosts, arguments, said):
    """The next plain run completes the change, the one after it has nothing to do, and nothing else is left."""
    run = Run(*arguments)
    assert run.code == 0, run.output
    for host in hosts:
        assert said_by(host) == said
        left = host.check_output("find /etc/opt/notes /etc/systemd /run/systemd/system -name '.*' -o -name '*standin*'")
        assert left == ""
        units = host.check_output("systemctl list-units --all --plain --no-legend 'notes*' | cut -d ' ' -f 1")
        assert units.split() == ["notes.service", "notes.socket"]
    assert Run(*arguments).changed() == []


@pytest.mark.parametrize("task", BOUNDARIES)
def test_killed_between_two_tasks(hosts, task):
    """SIGKILL of the controller's processes as soon as a task has its results."""
    with change_cut_off(hosts, task) as cut:
        cut.kill()


def test_killed_during_the_switch(hosts):
    """SIGKILL of the controller's processes; the module on the host may go on."""
    with change_cut_off(hosts, COMPARE) as cut:
        everywhere(hosts, once(BEGUN))
        assert cut.is_running()
        cut.kill()


# SIGKILL of what Ansible runs on a host, as for lack of memory: nothing goes on there.
KILL_THE_MODULE = "pkill -KILL --exact --full /usr/bin/python3"
# SIGKILL of the SSH server's processes for the sessions
LOSE_THE_CONNECTION = "pkill -KILL --full 'sshd.*ansible'"


@pytest.mark.parametrize(
    ("sign", "commands"),
    [(BEGUN, (KILL_THE_MODULE, LOSE_THE_CONNECTION)), (HALF_WAY, (LOSE_THE_CONNECTION, KILL_THE_MODULE))],
    ids=["begun", "half-way"],
)
def test_module_killed_or_connection_lost_during_the_switch(hosts, sign, commands):
    """On one host each, and then the other way round."""
    with change_cut_off(hosts, COMPARE) as cut:
        on_each(hosts, [once(sign, command) for command in commands])
        assert cut.wait() != 0
        assert cut.failed == set(NAMES)


def test_killed_during_the_installation(hosts):
    """While pip installs another version of Gunicorn; pip goes on, or is killed as well."""
    with change_cut_off(hosts, PLAN, *OTHER_VERSION) as cut:
        everywhere(hosts, once("pgrep --full '[v]env.*pip'"))
        # In the midst of it
        time.sleep(1)
        assert cut.is_running()
        cut.kill()
        everywhere(hosts[:1], "pkill -KILL --full '[v]env.*pip'")
    for host in hosts:
        assert "26.0.0" in host.check_output("/opt/notes/venv/bin/gunicorn --version")


def test_rebooted_during_the_switch(hosts):
    """Each host serves the old or the new configuration after its boot; then the next run completes the change."""
    arguments, said = change()
    arguments += OTHER_VERSION
    booted = [host.check_output("cut -d ' ' -f 22 /proc/1/stat") for host in hosts]
    cut = CutOff(PLAYBOOK, *arguments)
    cut.wait_for_results(COMPARE, NAMES)
    everywhere(hosts, once(HALF_WAY, "systemctl reboot --force"))
    cut.kill()
    for host, before in zip(hosts, booted):
        wait_until_succeeds(host, f"test $(cut -d ' ' -f 22 /proc/1/stat) != {before}", 120)
        wait_until_succeeds(host, "curl --silent --fail http://127.0.0.1:8000/", 60)
    assert_completed(hosts, arguments, said)


def wait_until_succeeds(host, command, seconds):
    """Wait until a command succeeds on a host, which may not accept connections yet."""

    def succeeds():
        with contextlib.suppress(RuntimeError):
            return host.run(command).rc == 0
        return False

    wait_for(succeeds, seconds, command)


def test_two_runs_at_once(hosts):
    """One succeeds at least, and every host has the whole configuration of one of them."""
    one, said_one = change()
    other, said_other = change()
    with under_load(hosts):
        both = [CutOff(PLAYBOOK, *one), CutOff(PLAYBOOK, *other)]
        codes = [run.wait() for run in both]
        assert 0 in codes
        for host in hosts:
            assert said_by(host) in (said_one, said_other)
        assert_completed(hosts, other, said_other)


def test_index_that_goes_away(hosts):
    """The virtual environment stays the same, and the error names the variables."""
    files = "find /opt/notes/venv/ -type f -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum"
    contents = f"readlink /opt/notes/venv; ls -A /opt/notes; {files}"
    before = [host.check_output(contents) for host in hosts]
    variables = {
        "gunicorn_version": "27.0.1",
        "gunicorn_pip_environment": {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"},
        "gunicorn_pip_extra_args": ["--retries=0", "--no-cache-dir"],
    }
    with under_load(hosts):
        run = Run(variables=variables)
    assert run.code == 2
    assert len(run.errors()) == len(hosts)
    assert all("gunicorn_version, gunicorn_requirements" in error for error in run.errors())
    assert [host.check_output(contents) for host in hosts] == before


@contextlib.contextmanager
def small(host, path, size):
    """Put a directory on its own small file system meanwhile; its content is copied there and back."""
    copy = "cp --archive --no-target-directory"
    again = "systemctl daemon-reload && systemctl restart notes"
    host.check_output(f"{copy} {path} /root/kept && mount -t tmpfs -o size={size},mode=0755 tmpfs {path}")
    host.check_output(f"{copy} /root/kept {path} && rm -r /root/kept && {again}")
    yield
    host.check_output(f"{copy} {path} /root/kept && umount --lazy {path} && find {path} -mindepth 1 -delete")
    host.check_output(f"{copy} /root/kept {path} && rm -r /root/kept && {again}")


# Another version on the first host alone
ON_THE_FIRST = "{{ '27.0.1' if inventory_hostname == ansible_play_hosts_all[0] else 'newest' }}"
# Directories, one for each host and with a size that is enough for what is in it; and the variables of the run
FULL = [
    ({"/var/log/notes": "4m", "/etc/systemd/system": "64k"}, {}),
    ({"/opt/notes": "40m", "/etc/opt/notes": "256k"}, {"gunicorn_version": ON_THE_FIRST}),
]


@pytest.mark.parametrize(("sizes", "variables"), FULL, ids=[" and ".join(sizes) for sizes, _variables in FULL])
def test_disk_is_full(hosts, sizes, variables):
    """On each host, another directory is full. Whether the run fails or not, the services serve on.

    With space again, the next run completes the change.
    """
    arguments, said = change()
    arguments += ["--extra-vars", json.dumps(variables)]
    with contextlib.ExitStack() as stack:
        for host, (path, size) in zip(hosts, sizes.items()):
            stack.enter_context(small(host, path, size))
            host.run(f"head --bytes=100M /dev/zero > {path}/filler")
            assert host.check_output(f"df --output=avail {path} | tail -n 1").strip() == "0"
        with under_load(hosts):
            run = Run(*arguments)
            errors = run.errors_by_host()
            assert bool(run.code) == bool(errors), run.output
            for (error,) in errors.values():
                assert "No space left on device" in error
            for host, path in zip(hosts, sizes):
                host.check_output(f"rm {path}/filler && mount -o remount,size=400m {path}")
            assert_completed(hosts, arguments, said)


# The same for releases: wherever a run is killed, the hosts serve the release that was live, and the next run goes on.
CODE = "/srv/git/notes"
RELEASES = "/opt/notes/releases"
LOOK = "Look which release is wanted"
# What shows how far it is, beside the signs of a switch
BUILDS, MIGRATES = "pgrep --full '[b]uilt/list'", "pgrep --full '[v]ar/opt/notes/migrations'"
BRING = "Bring the release"
BUILD, MIGRATE = "Do the steps of the release: build", "Do the steps of the release: migrate"
STEPS = [
    {"name": "build", "command": ["/bin/sh", "-c", "sleep 1; ls > built/list"], "when": "build", "writes": ["built"]},
    {"name": "migrate", "command": ["/bin/sh", "-c", "sleep 1; echo >> /var/opt/notes/migrations"], "once": False},
    {"name": "after", "command": ["/bin/sh", "-c", "echo >> /var/opt/notes/after"], "when": "after"},
]
RELEASED = (
    "--extra-vars",
    json.dumps(
        {
            "gunicorn_release": {"git": CODE, "version": "main"},
            "gunicorn_release_steps": STEPS,
            "gunicorn_requirements": "requirements.txt",
        }
    ),
)


def commit(hosts, version):
    """Commit another version of the code, which says so, on each host."""
    told = f"import os\\nos.environ['NOTES_TITLE'] = 'Release {version}'\\n"
    git = "git -c user.name=A -c user.email=a@example.com"
    everywhere(
        hosts,
        f"set -e; test -d {CODE} || {{ git init --quiet --initial-branch=main {CODE}; cp /opt/notes/*.py {CODE}; "
        f"cp {CODE}/notes.py {CODE}/plain.py; echo Flask > {CODE}/requirements.txt; }}; cd {CODE}; "
        f'{{ printf "{told}"; grep -v __future__ plain.py; }} > notes.py; '
        f"{git} add -A; {git} commit --quiet --message={version}",
    )


@pytest.fixture(scope="module")
def released(hosts):
    """The hosts, moved to a first release without a lost request."""
    everywhere(hosts, "apt-get install --yes -qq git >/dev/null")
    commit(hosts, 1)
    with under_load(hosts):
        run = Run(*RELEASED)
    assert run.code == 0, run.output
    assert [said_by(host)[0] for host in hosts] == ["Release 1"] * len(hosts)
    return hosts


def assert_released(hosts, version):
    """The next plain run completes the release, the one after it has nothing to do, and nothing is left half."""
    run = Run(*RELEASED)
    assert run.code == 0, run.output
    for host in hosts:
        assert said_by(host)[0] == f"Release {version}"
        live = host.check_output("readlink /opt/notes/current").rpartition("/")[2]
        assert f"{RELEASES}/{live}" in host.check_output("cat /etc/systemd/system/notes.service")
        assert "notes.py" in host.check_output(f"cat {RELEASES}/{live}/built/list")
        note = json.loads(host.check_output(f"cat {RELEASES}/.{live}.json"))
        assert sorted(note["steps"]) == ["after", "build", "migrate"]
        assert note["built"]
        left = host.check_output(f"find {RELEASES} -maxdepth 1 -name '*.new' -o -name '*.candidate*'; ls /run")
        assert not [name for name in left.split() if name.endswith(".new") or "step" in name]
        assert host.check_output(f"find {RELEASES}/{live} -user notes") == ""
    assert Run(*RELEASED).changed() == []


@pytest.mark.parametrize("task", [BRING, BUILD])
def test_killed_between_two_tasks_of_a_release(released, task):
    """SIGKILL of the controller's processes; the hosts go on with the release that was live."""
    before = [said_by(host) for host in released]
    version = random.randrange(10**6)
    commit(released, version)
    with under_load(released):
        cut = CutOff(PLAYBOOK, *RELEASED)
        cut.wait_for_results(task, NAMES)
        cut.kill()
        assert [said_by(host) for host in released] == before
        assert_released(released, version)


@pytest.mark.parametrize("signs", [(BUILDS, BEGUN), (HALF_WAY, MIGRATES)], ids=["build, begun", "half-way, migrate"])
def test_modules_killed_during_a_release(released, signs):
    """SIGKILL of what Ansible runs on each host, each at another instant, while the release is on its way."""
    version = random.randrange(10**6)
    commit(released, version)
    with under_load(released):
        cut = CutOff(PLAYBOOK, *RELEASED)
        cut.wait_for_results(LOOK, NAMES)
        on_each(released, [once(sign, KILL_THE_MODULE) for sign in signs])
        assert cut.wait() != 0
        assert cut.failed == set(NAMES)
        assert_released(released, version)


def test_killed_on_the_way_back(released):
    """The command on the host is killed; what it had begun is completed by the next one."""
    version = random.randrange(10**6)
    before = said_by(released[0])[0]
    commit(released, version)
    assert Run(*RELEASED).code == 0
    with under_load(released):
        for host, after in zip(released, (0.5, 1.5)):
            host.run(f"timeout --signal=KILL {after} notes-roll-back")
            assert host.run("notes-roll-back").rc == 0
            assert said_by(host)[0] == before
            assert host.check_output("notes-roll-back --list | head --lines=1").split()[3] == "live"
