"""Without the capabilities SYS_ADMIN and SYS_PTRACE, everything works, and what is not protected is said."""

from pathlib import Path

import pytest
import service
from playbook_run import PlaybookRun
from web import get

CONVERGE = Path(__file__).parent.parent / "converge.yml"
URL = "http://127.0.0.1:8000/"
# What the kernel does for any process, whatever its capabilities
ALWAYS = {"CapabilityBoundingSet", "NoNewPrivileges", "RestrictAddressFamilies", "SystemCallFilter"}
FILES = {"PrivateDevices", "PrivateTmp", "ProtectHome", "ProtectSystem"}


@pytest.fixture(scope="module")
def run():
    """A change of both hosts."""
    done = PlaybookRun(CONVERGE, variables={"revision": "second"})
    assert done.code == 0, done.output
    return done


def sandbox(host):
    """The directives that took effect, and those that did not, as gunicorn_service_info returns them."""
    (found,) = host.ansible("pyweb.gunicorn.gunicorn_service_info", "name=notes", become=True, check=False)["services"]
    return {key: set(names) for key, names in found["sandbox"].items()}


def is_writable(host, path):
    """Whether a command of the project can write where all users can."""
    host.check_output("install --directory --mode=0777 %s", path)
    return host.run("notes-run touch %s/probe", path).rc == 0


def test_it_serves(host):
    """With what root gives it, which other users can't read."""
    assert "Notes" in get(host, URL)
    script = 'test "$TOKEN" = 52c8e0 && cat "$CREDENTIALS_DIRECTORY/tls.key"'
    assert host.check_output("notes-run sh -c %s", script) == "e0c852"
    assert service.shown(host, "notes-sleeper@*.service", "ActiveState") == "active"


def test_reload(host):
    """Commands that systemd runs beside the service have its sandbox, too."""
    master, before = service.main_pid(host, "notes"), service.workers(host, "notes")
    host.check_output("systemctl reload notes")
    assert "Notes" in get(host, URL)
    assert service.main_pid(host, "notes") == master
    assert not before & service.workers(host, "notes")


def test_what_is_said_to_be_in_force_is(host):
    """The file system's protection is tried from inside: systemd 252 sets it up in a user namespace, 257 does not."""
    found = sandbox(host)
    assert found["applied"] >= ALWAYS
    assert not found["applied"] & found["not_applied"]
    protected = "ProtectSystem" in found["applied"]
    assert protected == (host.system_info.release == "12")
    assert found["applied" if protected else "not_applied"] >= FILES
    assert is_writable(host, "/usr/local/open") != protected
    assert (host.run("notes-run ls /home/ansible").rc != 0) or not protected
    assert {"ProtectProc", "ProcSubset"} <= found["not_applied"]
    assert host.run("notes-run test -e /proc/meminfo").rc == 0


def test_a_change_says_what_is_not_in_force(host, run):
    """One warning for each host that names the directives."""
    warnings = {result["host"]: result["warnings"] for result in run.results if result["warnings"]}
    (text,) = warnings[host.backend.host]
    named = text.partition("This host does not apply ")[2].partition(" to notes.service, which systemd does not say")[0]
    left_out = {"PrivateIPC"} if host.system_info.release == "12" else set()
    assert {*named.split(", ")} | left_out | {"DevicePolicy"} == sandbox(host)["not_applied"] | {"DevicePolicy"}
    assert "capabilities 00000000800405fb" in text


def test_only_what_can_not_be_applied_is_left_out(host):
    """systemd 252 can't share an IPC namespace with the commands beside the service; no companion keeps it, either."""
    left_out = host.system_info.release == "12"
    for unit in ("notes.service", "notes-sleeper@1-1.service", "notes-sleeper@2-1.service"):
        text = host.run("cat /etc/systemd/system/%s", unit).stdout
        if text:
            assert ("\nPrivateIPC=yes\n" in text) != left_out
            assert "\nPrivateUsers=yes\n" in text
    comments = [line for line in host.check_output("systemctl cat notes").splitlines() if "can't apply" in line]
    assert [line.partition(" (")[0] for line in comments] == ["# This host can't apply PrivateIPC"] * left_out
