"""The role takes over services that were made by hand and loses no request; it can also remove them again.

The tests build on each other: each one finds the hosts as the one before left them.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import load_on_host
import pytest
from hosts import connect
from playbook_run import PlaybookRun
from service import main_pid
from web import answers

SCENARIO = Path(__file__).parent.parent
NAMES = ("adopted-bookworm", "adopted-trixie")
PROJECTS = ("shop", "notes")
TARGETS = (
    "v4=127.0.0.1:8000",
    "v6=[::1]:8000",
    "unix=unix:/run/notes/notes.sock",
    "kept=unix:/run/notes/notes.sock,keepalive=4",
)
DROP_IN = "/etc/systemd/system/shop.service.d/by-hand.conf"
# The files of a project, without its units
OWN = "find /opt/{0} /var/opt/{0} /var/log/{0} /etc/opt/{0} -not -path '*/__pycache__*' -printf '%p %u %m\\n'"
# Kills what Ansible runs on the host as soon as two servers share the addresses
KILL = """systemd-run --quiet --collect sh -c '
until systemctl --quiet is-active shop-standin; do sleep 0.05; done; pkill -KILL --exact --full /usr/bin/python3'"""


@pytest.fixture(scope="module")
def hosts():
    """Both hosts, with systemd 252 and 257. Each run is on both at the same time."""
    return [connect(name) for name in NAMES]


def deploy(**variables):
    return PlaybookRun(SCENARIO / "converge.yml", variables=variables)


def remove(project, *options, **variables):
    return PlaybookRun(SCENARIO / "absent.yml", *options, variables={"adopted_project": project, **variables})


def failures(run):
    """The errors of a run that failed on every host."""
    messages = run.errors()
    assert len(messages) == len(NAMES), run.output
    return messages


def on_each(hosts, command):
    return [host.check_output(command) for host in hosts]


def under_load(hosts):
    """Two hundred requests a second, none of which may fail. How long one takes does not matter here."""
    return load_on_host.under_load(hosts, TARGETS, f"--rate={200 / len(hosts):g}", "--timeout=60")


@contextlib.contextmanager
def everywhere(hosts, command, back):
    """Run a command on both hosts, and another one at the end, which undoes it."""
    on_each(hosts, command)
    try:
        yield
    finally:
        on_each(hosts, back)


def processes(host):
    """The ids of the processes that serve the projects."""
    return set(host.check_output("pgrep --full /venv/bin/gunicorn").split())


def as_made_by_hand(host):
    """What must stay the same until the role adopts it: units, files, processes, and the settings of the sockets."""
    places = "/etc/systemd /run/systemd/system /run/notes /etc/opt/shop/*"
    files = f"find {places} '(' -name '*shop*' -o -name '*notes*' ')' -printf '%p %l %m %u %g\\n' | sort"
    # With the owner of a socket, without the number of waiting connections
    sockets = "ss --tcp --listening --numeric --extended --no-header sport = 8000 | sed 's/^LISTEN *[0-9]*//'"
    units = "systemctl list-units --all --plain --no-legend 'shop*' 'notes*'"
    pids = "systemctl show --property=MainPID shop notes"
    return [line for command in (files, sockets, units, pids) for line in host.check_output(command).splitlines()]


def test_service_made_by_hand_is_not_removed(hosts):
    """The role removes only what it made or adopted."""
    before = [as_made_by_hand(host) for host in hosts]
    for message in failures(remove("shop", gunicorn_absent_remove=["code", "data"])):
        assert "gunicorn_service_name: 'shop'" in message
        assert "/etc/systemd/system/shop.service was not" in message
    for host, lines in zip(hosts, before):
        assert as_made_by_hand(host) == lines


def test_drop_in_with_its_own_start_command_is_refused(hosts):
    """It would override the role's unit."""
    write = f"mkdir {Path(DROP_IN).parent}; printf '[Service]\\nExecStart=\\nExecStart=/bin/true\\n' > {DROP_IN}"
    with everywhere(hosts, write, f"rm -r {Path(DROP_IN).parent}"):
        for message in failures(deploy()):
            assert f"no ExecStart= in {DROP_IN}" in message


def test_failed_adoption_changes_nothing(hosts):
    """The new code is broken: the old process serves on, on the same sockets and with its own unit."""
    break_it = "echo 'raise RuntimeError(\"no shop today\")' >> /opt/shop/shop/wsgi.py"
    before = [as_made_by_hand(host) for host in hosts]
    with under_load(hosts), everywhere(hosts, break_it, "sed --in-place '$d' /opt/shop/shop/wsgi.py"):
        for message in failures(deploy()):
            assert "RuntimeError: no shop today" in message.splitlines()[0]
            assert "The live service was not touched." in message
    for host, lines in zip(hosts, before):
        assert as_made_by_hand(host) == lines


def test_adoption_loses_nothing(hosts):
    """Not even if the first run is killed while two servers share the addresses."""
    before = [processes(host) for host in hosts]
    unit = on_each(hosts, "sha256sum /etc/systemd/system/shop.service /etc/systemd/system/notes.service")
    with under_load(hosts):
        on_each(hosts, KILL)
        assert len(failures(deploy())) == len(hosts)
        assert all(host.run("systemctl is-active --quiet shop.socket").rc == 0 for host in hosts)
        run = deploy()
        assert run.code == 0, run.output
    units = [f"/etc/systemd/system/{project}.service" for project in PROJECTS for _host in hosts]
    assert run.warnings() == [f"{unit} was made by hand; it is kept as {unit}.by-hand." for unit in units]
    assert on_each(hosts, "cd /etc/systemd/system; sha256sum $PWD/*.by-hand | sed s/.by-hand//") == [
        "\n".join(sorted(text.splitlines(), key=lambda line: line.split()[1])) for text in unit
    ]
    for host, old in zip(hosts, before):
        assert processes(host).isdisjoint(old)
    assert deploy().changed() == []


def test_adopted_service_is_like_any_other(hosts):
    """systemd has one listener on each address, and nothing is left of the adoption."""
    for host in hosts:
        for table in ("tcp", "tcp6"):
            assert host.check_output(f"grep -c ':1F40 [0-9:A-F]* 0A ' /proc/net/{table}") == "1"
        assert host.check_output("grep -c 'notes.sock$' /proc/net/unix") == "1"
        units = host.check_output("systemctl list-units --all --plain --no-legend 'shop*' 'notes*' | cut -d ' ' -f 1")
        assert units.split() == ["notes.service", "shop.service", "notes.socket", "shop.socket"]
        assert host.check_output("systemctl show --property=ReusePort --value shop.socket") == "no"
        left = "find /run/systemd/system /run/notes /etc/systemd /etc/opt -name '.*' -o -path '/run/systemd/system/*'"
        assert host.check_output(left) == ""
        assert host.check_output("stat --format='%U %G %a' /run/notes/notes.sock") == "notes www-data 660"
        assert host.run("systemctl is-enabled shop.service shop.socket notes.service notes.socket").rc == 0


def test_socket_in_a_directory_of_the_user_is_refused(hosts):
    """The user could put a link there before systemd gives the socket away. Nothing changes."""
    before = on_each(hosts, "systemctl show --property=MainPID shop notes")
    with everywhere(hosts, "chown notes /run/notes", "chown root /run/notes"):
        for message in failures(deploy()):
            assert "gunicorn_bind: '/run/notes/notes.sock'" in message
            assert "such as /run/notes.sock: notes may in /run/notes. Nothing was changed." in message
    assert on_each(hosts, "systemctl show --property=MainPID shop notes") == before


def test_adopted_service_starts_from_its_files_alone(hosts):
    """As it does at boot."""
    for host in hosts:
        host.check_output("systemctl stop shop.socket notes.socket shop.service notes.service")
        host.check_output("rm -r /run/notes && systemctl daemon-reload && systemctl start shop.socket notes.socket")
        for url, *options in (
            ("http://127.0.0.1:8000/",),
            ("http://[::1]:8000/",),
            ("http://x/", "--unix-socket /run/notes/notes.sock"),
        ):
            assert answers(host, url, "--max-time 30", *options)
    assert deploy().changed() == []


def test_removal_takes_only_what_the_role_made(hosts):
    """The code, data, logs and settings stay, and so does the other project."""
    own = on_each(hosts, OWN.format("notes"))
    before = [main_pid(host, "shop") for host in hosts]
    asked = remove("notes", "--check", "--diff")
    assert asked.code == 0, asked.output
    assert on_each(hosts, "systemctl is-active notes") == ["active"] * len(hosts)
    run = remove("notes", "--diff")
    assert run.code == 0, run.output
    assert [result["diff"] for result in run.results if result["diff"]] == [
        result["diff"] for result in asked.results if result["diff"]
    ]
    kept = "/etc/systemd/system/notes.service.by-hand was made by hand before the role replaced it: it stays."
    assert run.warnings() == [kept] * len(hosts)
    for host, had in zip(hosts, own):
        gone = set(had.splitlines()) - set(host.check_output(OWN.format("notes")).splitlines())
        roles = ("gunicorn.conf.py", "secrets.env", "credentials", "credentials/key")
        assert {line.split()[0] for line in gone} == {f"/etc/opt/notes/{name}" for name in roles}
        left = host.check_output("find /etc /run -name '*notes*' -not -path '/run/systemd/*' | sort").split()
        assert left == ["/etc/opt/notes", "/etc/systemd/system/notes.service.by-hand", "/run/notes"]
        assert host.check_output("systemctl list-units --all --no-legend 'notes*'") == ""
        assert host.user("notes").exists
    assert [main_pid(host, "shop") for host in hosts] == before
    assert remove("notes").changed() == []


def test_removal_takes_what_is_named_too(hosts):
    """Even if half of it is gone already. A directory that another project's unit names stays."""
    named = ["venv", "code", "config", "data", "logs", "user"]
    # As if both had the same data
    on_each(hosts, "rm /etc/systemd/system/shop.socket /etc/opt/shop/gunicorn.conf.py")
    on_each(hosts, "printf '[Service]\\nReadWritePaths=/var/opt/shop\\n' > /etc/systemd/system/other.service")
    run = remove("shop", gunicorn_absent_remove=named)
    assert run.code == 0, run.output
    assert run.warnings().count("/var/opt/shop is named by other.service: it stays.") == len(hosts)
    for host in hosts:
        left = host.check_output("find /etc /run /opt /var -name '*shop*' -not -path '/run/systemd/*' | sort").split()
        assert left == ["/etc/systemd/system/shop.service.by-hand", "/var/opt/shop"]
        assert not host.user("shop").exists
        assert not host.group("shop").exists
        assert host.run("curl --silent http://127.0.0.1:8000/").rc == 7
    assert remove("shop", gunicorn_absent_remove=named).changed() == []
