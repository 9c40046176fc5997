"""Secrets reach the application and nobody else. These tests run on the host that the others left."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import service
from web import get_json

PLAYBOOK = Path(__file__).parent.parent / "converge.yml"
CANARY = "canary-7f3a91"
AWKWARD = f"{CANARY} $HOME ${{HOME}} `id` %n \\ \\\\ \" ' \r\n second line ☃"


@pytest.fixture
def play(tmp_path):
    """Run the playbook with Ansible's most verbose output, with variables from a file."""

    def run(variables, *arguments):
        given = tmp_path / "vars.json"
        given.write_text(json.dumps(variables))
        command = ["ansible-playbook", "-vvv", "--diff", "--extra-vars", f"@{given}", *arguments, str(PLAYBOOK)]
        process = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
        return process.returncode, process.stdout + process.stderr

    return run


def title(host):
    return get_json(host, "http://127.0.0.1:8000/")["title"]


def main_pid(host):
    return service.main_pid(host, "notes.service")


def test_secrets_reach_the_application_and_nobody_else(host, play):
    """The application gets them unchanged; no output, no unit and no log contains them, and no other user sees them."""
    variables = {"gunicorn_secrets": {"NOTES_TITLE": AWKWARD}, "gunicorn_credentials": {"api-token.v1": f"{CANARY}\n"}}
    checked, check_output = play(variables, "--check")
    code, output = play(variables)
    assert (checked, code) == (0, 0), output
    assert title(host) == AWKWARD
    credential = f"nsenter --target {main_pid(host)} --mount cat /run/credentials/notes.service/api-token.v1"
    assert host.check_output(credential) == CANARY
    assert CANARY not in check_output + output
    seen = {
        "systemctl show": host.check_output("systemctl show notes.service notes.socket"),
        "systemctl cat": host.check_output("systemctl cat notes.service"),
        "the journal": host.check_output("journalctl --no-pager --all --output=json"),
        "processes, for another user": host.run("sudo -u nobody ps axeww").stdout,
        "the bus": host.check_output("sudo -u nobody systemctl show notes.service"),
    }
    assert [place for place, text in seen.items() if CANARY in text] == []
    # After the journal was read: sudo logs these commands, and so the canary.
    root = host.run(f"grep -rIl --exclude-dir=credentials -e {CANARY} /etc /opt /var /run /home /root /tmp")
    assert root.stdout.split() == ["/etc/opt/notes/secrets.env"]
    others = host.run(f"sudo -u nobody grep -rIl -e {CANARY} /etc /opt /var /run /home /tmp 2>/dev/null")
    assert others.stdout == ""


def test_files_of_secrets_are_for_root_alone(host):
    """Not even the service's own user can read them."""
    for path, mode in (
        ("/etc/opt/notes/secrets.env", 0o600),
        ("/etc/opt/notes/credentials", 0o700),
        ("/etc/opt/notes/credentials/api-token.v1", 0o600),
    ):
        file = host.file(path)
        assert (file.user, file.group, file.mode) == ("root", "root", mode)


def test_only_changed_secrets_restart_the_service(host, play):
    """A second run has nothing to do, a new value goes live, and without secrets the file is removed."""
    variables = {"gunicorn_secrets": {"NOTES_TITLE": AWKWARD}, "gunicorn_credentials": {"api-token.v1": f"{CANARY}\n"}}
    before = main_pid(host)
    assert "changed=0" in play(variables)[1]
    assert main_pid(host) == before
    assert play({"gunicorn_secrets": {"NOTES_TITLE": "another"}})[0] == 0
    assert title(host) == "another"
    assert play({})[0] == 0
    assert title(host) == "Notes"
    assert not host.file("/etc/opt/notes/secrets.env").exists
    assert "changed=0" in play({})[1]


def test_secret_that_cannot_be_handed_over_is_named_but_not_shown(host, play):
    """The error has only the name."""
    before = main_pid(host)
    code, output = play({"gunicorn_secrets": {"TOKEN": f"{CANARY}\0"}})
    assert code == 2
    # YAML doubles the quotes.
    assert "gunicorn_secrets: 'TOKEN' can't be used" in output.replace("''", "'")
    assert CANARY not in output
    assert main_pid(host) == before
