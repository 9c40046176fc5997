"""The sandbox allows what applications do, and forbids what they must not do; each directive can be relaxed.

An errand is something that the project does when its page is requested: in the service, and so in the sandbox.
"""

import json
from pathlib import Path

import pytest
import yaml
from service import exposure

INVENTORY = yaml.safe_load((Path(__file__).parent.parent / "inventory" / "hosts.yml").read_text(encoding="utf-8"))
SERVICES = {service["project"]: service for service in INVENTORY["all"]["vars"]["services"]}
SYSTEMD = {"bookworm": 252, "trixie": 257}

# What some applications have to do, and the error that the sandbox gives by default
RELAXABLE = {
    "memory": "No such file or directory: '/proc/meminfo'",
    "processes": "process PID not found (pid=1)",
    "upload_elsewhere": "Read-only file system: '/srv/uploads",
    "setgid_directory": "Operation not permitted: '/var/opt/errands/shared",
    "change_group": "Operation not permitted: '/var/opt/errands/owned.txt'",
    "priority": "Operation not permitted",
    "affinity": "Operation not permitted",
    "interfaces": "Address family not supported",
    "sendmail": "Address family not supported",
}
# What no application has to do, and the error that the sandbox gives
FORBIDDEN = {
    "write_usr": "Read-only file system: '/usr/local/",
    "write_etc": "Read-only file system: '/etc/",
    "write_code": "Read-only file system: '/opt/errands/",
    "read_home": "Permission denied: '/home/",
    "read_tmp": "No such file or directory: '/tmp/",
    "see_init": "No such file or directory: '/proc/1/",
    "see_others": "only processes of this user",
    "become_root": "the program ran as",
}


def errand(host, name, text="text"):
    """Have the service do an errand, and return the page's status and text."""
    url = f"http://127.0.0.1:8000/errands/{name}?text={text}"
    answer = host.check_output("curl --silent --max-time 20 --write-out %s %s", "%{http_code}", url)
    return int(answer[-3:]), answer[:-3].strip()


def done(host, name, text="text"):
    """Have the service do an errand that works, and return the page's text."""
    status, answer = errand(host, name, text)
    assert status == 200, answer
    return answer


@pytest.fixture(scope="module")
def outside(host):
    """The errors of the same errands, done by the same user without the sandbox."""
    environment = "env PYTHONPATH=/etc/opt/errands:/opt/errands DJANGO_SETTINGS_MODULE=settings"
    names = " ".join([*FORBIDDEN, *RELAXABLE])
    program = "/opt/errands/venv/bin/python -m errands.errands"
    return json.loads(host.check_output(f"cd / && sudo -u errands {environment} {program} {names}"))


def upload(host, port):
    """Upload a file so large that Django writes it to a temporary file first; return where it was stored."""
    make = "head --bytes=3000000 /dev/urandom > /root/upload"
    send = f"curl --silent --fail --max-time 20 --form file=@/root/upload http://127.0.0.1:{port}/upload"
    return host.check_output(f"{make} && {send}")


def test_versions_of_systemd(host):
    """These tests run with the systemd of each release."""
    suite = host.ansible.get_variables()["testhost_suite"]
    assert int(host.check_output("systemctl --version").split()[1]) == SYSTEMD[suite]


def test_sqlite(host):
    """The database is in the data directory."""
    assert done(host, "sqlite", "kept-in-a-file") == "kept-in-a-file"
    connect = "import sqlite3; database = sqlite3.connect('/var/opt/errands/db.sqlite3')"
    query = "print(database.execute('SELECT text FROM errands_note').fetchall())"
    assert "kept-in-a-file" in host.check_output("python3 -c %s", f"{connect}; {query}")


@pytest.mark.parametrize("way", ["tcp", "socket"])
def test_postgresql(host, way):
    """With a password over TCP, and as the service's user over the unix socket."""
    assert done(host, f"postgresql_{way}", f"kept-by-{way}") == f"kept-by-{way}"
    query = f"SELECT text FROM errands_note WHERE text = 'kept-by-{way}'"
    assert f"kept-by-{way}" in host.check_output("cd / && sudo -u postgres psql --tuples-only errands -c %s", query)


def test_mail_is_delivered(host):
    """Over SMTP, by the host's mail server, to a user's mailbox."""
    assert done(host, "mail", "delivered-by-smtp") == "1"
    host.check_output("timeout 20 sh -c 'until grep delivered-by-smtp /var/mail/ansible; do sleep 0.1; done'")


def test_other_servers_are_found_and_asked(host):
    """The DNS has the neighbour's name, and the neighbour answers the request."""
    assert done(host, "http", "greeting") == f"a greeting from {host.ansible.get_variables()['neighbour']}"


def test_other_programs_run(host):
    """As the service's user, with its umask."""
    assert done(host, "subprocesses").split() == ["errands", "0027"]


def test_c_functions_are_called_and_call_back(host):
    """With cffi, which generates code for the callback at run time."""
    assert done(host, "cffi_call", "four") == "4"
    assert done(host, "cffi_callback", "sorted") == "deorst"


def test_uploads_are_for_the_group(host):
    """A web server whose user is in the group can serve uploaded files; others can't read them."""
    stored = upload(host, 8000)
    assert stored.startswith("/var/opt/errands/media/")
    compare = f"setpriv --reuid www-data --regid www-data --groups %s cat {stored} | cmp - /root/upload"
    assert host.run(compare % "errands").rc == 0
    assert host.run(compare % "nogroup").rc != 0


@pytest.mark.parametrize("name", [*FORBIDDEN, *RELAXABLE])
def test_only_the_sandbox_forbids_it(host, outside, name):
    """The service can't do it, and the same user can without the sandbox."""
    status, answer = errand(host, name)
    assert (status, {**FORBIDDEN, **RELAXABLE}[name] in answer) == (500, True), answer
    assert outside[name] is None


def test_service_has_no_privileges_and_can_gain_none(host):
    """And its system calls are filtered."""
    told = json.loads(done(host, "privileges"))
    capabilities = {name: int(value, 16) for name, value in told.items() if name.startswith("Cap")}
    assert capabilities == {"CapEff": 0, "CapPrm": 0, "CapBnd": 0, "CapAmb": 0}
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")


def test_exposure_is_low(host):
    """systemd's own rating; the book's plain unit has 9.2."""
    assert exposure(host, "errands.service") <= 1.1


@pytest.mark.parametrize("project", SERVICES)
def test_directives_allow_what_they_say_and_no_more(host, project):
    """Each service can do what its directives are for, and nothing else that the sandbox forbids by default."""
    names = [*RELAXABLE, "cffi_callback"]
    url = f"http://127.0.0.1:{SERVICES[project]['port']}/errands/{{{','.join(names)}}}?text={project}"
    ask = "curl --silent --fail-early --max-time 20 --output /dev/null"
    statuses = host.check_output(f"{ask} --write-out %s %s", "%{http_code} ", url).split()
    assert {name for name, status in zip(names, statuses) if status == "200"} == set(SERVICES[project]["allows"])
    assert set(statuses) <= {"200", "500"}


def test_another_writable_path_is_added_to_the_others(host):
    """The data directory and the logs stay writable."""
    assert host.file(upload(host, SERVICES["errands_uploads"]["port"])).size == 3_000_000
    assert "Booting worker" in host.file("/var/log/errands_uploads/gunicorn.log").content_string
