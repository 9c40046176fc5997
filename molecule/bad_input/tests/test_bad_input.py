"""A value that can't be used is one clear error and changes nothing; a legal one arrives as it is, however it looks."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

SCENARIO = Path(__file__).parent.parent
ROOT = SCENARIO.parent.parent
TABLE = yaml.safe_load((ROOT / "tests/fixtures/bad_input.yml").read_text(encoding="utf-8"))
WATCHED = (
    "/etc /opt /srv /usr/bin /usr/lib/systemd /usr/lib/python3 /var/opt /var/lib/systemd /var/log/notes "
    "/run/systemd/system"
)
# Where the values that are commands would leave a trace.
TRACE = "/tmp/pwned"


def modules(row):
    """Which modules get the row on the host; the unit tests feed those which need none."""
    named = row.get("modules", ["gunicorn_plan_info"])
    return named if row.get("host") or named != ["gunicorn_plan_info"] else []


CASES = [
    (section, number, fed)
    for section, rows in TABLE.items()
    for number, row in enumerate(rows)
    for fed in ("role", *modules(row))
]
ROLE = {"gunicorn_project": "notes", "gunicorn_app": "notes:create_app()", "gunicorn_requirements": ["Flask"]}
# As the role would call them for this project.
OPTIONS = {
    "gunicorn_plan_info": {
        "project": "notes",
        "service_name": "notes",
        "user": "notes",
        "group": "notes",
        "app": "notes:create_app()",
        "venv": "/opt/notes/venv",
        "code_directory": "/opt/notes",
        "config_directory": "/etc/opt/notes",
        "data_directory": "/var/opt/notes",
        "log_file": "/var/log/notes/gunicorn.log",
    },
    "gunicorn_venv": {"path": "/opt/notes/venv", "requirements": ["Flask"]},
}
LEGAL = {
    "newline": "one\nUser=root\nExecStartPre=+/usr/bin/touch /tmp/pwned",
    "specifiers": "%n %% %",
    "variables": "$HOME ${HOME} $$ $(touch /tmp/pwned) `touch /tmp/pwned`",
    "quotes": "\"double\" 'single' \"\"\" '''",
    "backslashes": "\\ \\\\ \\n \\",
    "emoji": "🦄 ☃",
}


class Told:
    """What one ansible-playbook said about each of its hosts, and what is different on the real one since then."""

    def __init__(self, output, lines, changes):
        self.output = output
        self.failures = {}
        for line in lines:
            if line["failed"]:
                self.failures.setdefault(line["host"], []).append(line["message"])
        self.changes = changes


def play(playbook, *arguments):
    """Run a playbook; returns its exit code, all that it printed, and its results."""
    plugins = {
        "ANSIBLE_STDOUT_CALLBACK": "json_lines",
        "ANSIBLE_CALLBACK_PLUGINS": str(SCENARIO.parent / "shared/callback_plugins"),
    }
    process = subprocess.run(
        ["ansible-playbook", *arguments, str(SCENARIO / playbook)],
        env={**os.environ, **plugins},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
    return process.returncode, process.stdout + process.stderr, lines


def snapshot(host):
    """A line for every file that a value could have touched, for each account, and for what runs."""
    # The time of a directory says that there was something else for a while: a virtual environment, or its backup.
    formats = r"-type d -printf '%p %m %u %g\n' -o -printf '%p %y %m %u %g %s %T@\n'"
    seen = host.check_output(
        f"find {WATCHED} -xdev {formats} | sort; cat /etc/passwd /etc/group; "
        "systemctl show --property=MainPID,NRestarts notes.service; ss --listening --numeric --no-header --tcp; "
        f"find {TRACE} -print; true"
    )
    return set(seen.splitlines())


def name_of(section, number, fed):
    return f"{section.replace(' ', '_')}-{number}-{fed}"


def variables(row, fed):
    """What the host of the inventory gets that stands for a row."""
    given = {row["variable"]: row["value"], **row.get("also", {})}
    if fed == "role":
        return {"fed": fed, **ROLE, **given}
    options = {name.replace("gunicorn_", "", 1): value for name, value in given.items()}
    if fed == "gunicorn_venv" and "venv" in options:
        options["path"] = options.pop("venv")
    if "pip_environment" in options:
        options["pip_environment"] = list(options["pip_environment"])
    return {"fed": fed, "options": {**OPTIONS[fed], **options}}


@pytest.fixture(scope="module")
def connection(host):
    """How Ansible reaches the host."""
    name = host.backend.get_pytest_id().rpartition("/")[2]
    told = subprocess.run(["ansible-inventory", "--host", name], capture_output=True, check=True).stdout
    return json.loads(told)


@pytest.fixture(scope="module")
def feed(host, connection, tmp_path_factory):
    """Feed a section of the table, once: a call of ansible-playbook for each row would take minutes."""
    told = {}

    def run(section):
        if section not in told:
            rows = {
                name_of(*case): {**connection, **variables(TABLE[section][case[1]], case[2])}
                for case in CASES
                if case[0] == section
            }
            inventory = tmp_path_factory.mktemp("inventory") / "rows.json"
            inventory.write_text(json.dumps({"all": {"hosts": rows}}))
            before = snapshot(host)
            _code, output, lines = play("feed.yml", f"--inventory={inventory}")
            told[section] = Told(output, lines, sorted(before ^ snapshot(host)))
        return told[section]

    return run


def test_the_table_is_long():
    """It has not been emptied by accident."""
    assert len(CASES) > 200


@pytest.mark.parametrize(("section", "number", "fed"), CASES, ids=[name_of(*case) for case in CASES])
def test_bad_value_is_one_clear_error(feed, section, number, fed):
    """The error names the variable, shows the value, and says what was expected."""
    row = TABLE[section][number]
    (message,) = feed(section).failures.get(name_of(section, number, fed), ["nothing"])
    if "says" in row:
        assert [text for text in row["says"] if text not in message] == []
    else:
        shown = row.get("shows", row["value"])
        assert message.startswith(f"{row.get('names', row['variable'])}: {shown!r} can't be used: expected ")
    assert "\n" not in message.replace("Validation of arguments failed:\n", "")


@pytest.mark.parametrize("section", TABLE)
def test_nothing_has_changed(feed, section):
    """The files are those from before, down to their times, and so is what runs; no value was run as a command."""
    assert feed(section).changes == []


@pytest.mark.parametrize("section", TABLE)
def test_there_is_no_traceback_and_no_secret(feed, section):
    """Who made a mistake is told what it was, and others are not told a secret."""
    assert "Traceback" not in feed(section).output
    assert "canary" not in feed(section).output


def test_what_is_legal_arrives_unchanged(host):
    """Values that look hostile are handed on as they are: they add no directive, and are not run."""
    given = {
        "extra": LEGAL,
        "gunicorn_description": LEGAL["newline"],
        "gunicorn_settings": {"default_proc_name": "".join(LEGAL.values())},
    }
    code, output, _lines = play("converge.yml", "--extra-vars", json.dumps(given))
    assert code == 0, output
    properties = "--property=MainPID,User,ExecStartPre,Description,LoadState"
    unit = dict(line.split("=", 1) for line in host.check_output(f"systemctl show {properties} notes").splitlines())
    environ = host.check_output(f"tr '\\n\\0' '\\001\\n' </proc/{unit['MainPID']}/environ")
    found = dict(item.replace("\x01", "\n").split("=", 1) for item in environ.splitlines() if "=" in item)
    assert {name: found.get(name) for name in LEGAL} == LEGAL
    assert (unit["User"], unit["LoadState"], unit.get("ExecStartPre")) == ("notes", "loaded", None)
    assert unit["Description"] == "one User=root ExecStartPre=+/usr/bin/touch /tmp/pwned"
    script = (
        "import json, runpy; print(json.dumps(runpy.run_path('/etc/opt/notes/gunicorn.conf.py')['default_proc_name']))"
    )
    assert json.loads(host.check_output(f'/opt/notes/venv/bin/python -c "{script}"')) == "".join(LEGAL.values())
    assert not host.file(TRACE).exists
    assert [line for line in play("converge.yml", "--extra-vars", json.dumps(given))[2] if line["changed"]] == []
