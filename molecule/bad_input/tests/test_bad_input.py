"""A bad value is one clear error and changes nothing; a legal value arrives unchanged, however hostile it looks."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from files_on_host import listing_command
from playbook_run import PlaybookRun

SCENARIO = Path(__file__).parent.parent
ROOT = SCENARIO.parent.parent
TABLE = yaml.safe_load((ROOT / "tests/fixtures/bad_input.yml").read_text(encoding="utf-8"))
WATCHED = (
    "/etc /opt /srv /usr/bin /usr/lib/systemd /usr/lib/python3 /var/opt /var/lib/systemd /var/log/notes "
    "/run/systemd/system"
)
# Sections of which unit tests give each row to the check that the role calls
CHECKED = ("companions", "releases", "steps")
# The file that values which are commands would make
TRACE = "/tmp/pwned"


def modules(row):
    """The modules that get the row on the host. Unit tests feed the modules that need no host."""
    named = row.get("modules", ["gunicorn_plan_info"])
    return named if row.get("host") or named != ["gunicorn_plan_info"] else []


def is_for_the_role(section, number):
    """Whether the role gets the row here: the first of each variable, and what unit tests don't give to its checks."""
    rows = TABLE[section]
    row = rows[number]
    checked = "gunicorn_plan_info" in row.get("modules", ["gunicorn_plan_info"]) or section in CHECKED
    is_first = row["variable"] not in [earlier["variable"] for earlier in rows[:number]]
    return is_first or not checked or "host" in row or "says" in row


CASES = [
    (section, number, fed)
    for section, rows in TABLE.items()
    for number, row in enumerate(rows)
    for fed in (*(["role"] if is_for_the_role(section, number) else []), *modules(row))
]
ROLE = {"gunicorn_project": "notes", "gunicorn_app": "notes:create_app()", "gunicorn_requirements": ["Flask"]}
# The modules' options, as the role gives them for this project
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
    """The output and errors of one run, and what it changed on the host."""

    def __init__(self, run, changes):
        self.output = run.output
        self.errors = run.errors_by_host()
        self.changes = changes


def snapshot(host):
    """A line for each file that a value could have touched, each account, and what runs and listens."""
    seen = host.check_output(
        f"{listing_command(WATCHED)}; cat /etc/passwd /etc/group; "
        "systemctl show --property=MainPID,NRestarts notes.service; ss --listening --numeric --no-header --tcp; "
        f"find {TRACE} -print; true"
    )
    return set(seen.splitlines())


def name_of(section, number, fed):
    return f"{section.replace(' ', '_')}-{number}-{fed}"


def variables(row, fed):
    """The variables of the inventory's host for a row."""
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
    """Feed a section of the table in one call, once: a call of ansible-playbook for each row would take minutes."""
    told = {}

    def feed_section(section):
        if section not in told:
            rows = {
                name_of(*case): {**connection, **variables(TABLE[section][case[1]], case[2])}
                for case in CASES
                if case[0] == section
            }
            inventory = tmp_path_factory.mktemp("inventory") / "rows.json"
            inventory.write_text(json.dumps({"all": {"hosts": rows}}))
            before = snapshot(host)
            run = PlaybookRun(SCENARIO / "feed.yml", f"--inventory={inventory}")
            told[section] = Told(run, sorted(before ^ snapshot(host)))
        return told[section]

    return feed_section


def test_every_section_feeds_a_host():
    """No section was emptied by accident, and the table is as long as it was."""
    assert {section for section, _number, _fed in CASES} == set(TABLE)
    assert sum(map(len, TABLE.values())) >= 400
    fed = {TABLE[section][number]["variable"] for section, number, _fed in CASES}
    assert fed == {row["variable"] for rows in TABLE.values() for row in rows}


@pytest.mark.parametrize(("section", "number", "fed"), CASES, ids=[name_of(*case) for case in CASES])
def test_bad_value_is_one_clear_error(feed, section, number, fed):
    """The error names the variable, shows the value, and says what was expected."""
    row = TABLE[section][number]
    (message,) = feed(section).errors.get(name_of(section, number, fed), ["nothing"])
    if "says" in row:
        assert [text for text in row["says"] if text not in message] == []
    else:
        shown = row.get("shows", row["value"])
        assert message.startswith(f"{row.get('names', row['variable'])}: {shown!r} can't be used: expected ")
    assert "\n" not in message.replace("Validation of arguments failed:\n", "")


@pytest.mark.parametrize("section", TABLE)
def test_nothing_has_changed(feed, section):
    """The files and their times are the same, the same processes run, and no value was run as a command."""
    assert feed(section).changes == []


@pytest.mark.parametrize("section", TABLE)
def test_output_has_no_traceback_and_no_secret(feed, section):
    """The person who made a mistake learns what it was, and nobody learns a secret."""
    assert "Traceback" not in feed(section).output
    assert "canary" not in feed(section).output


@pytest.mark.parametrize("batches", ["100%", "1"])
def test_what_is_single_is_on_one_host_of_a_play(host, connection, tmp_path, batches):
    """One host says it for all, before any of them has changed; so it is in check mode, and in batches."""
    beat = {"gunicorn_companions": {"beat": {"command": "sleep infinity", "single": True}}}
    rows = {name: {**connection, "fed": "role", **ROLE, **beat} for name in ("web1", "web2")}
    rows["web3"] = {**connection, "fed": "role", **ROLE}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": rows}}))
    before = snapshot(host)
    for arguments in ([], ["--check"]):
        run = PlaybookRun(SCENARIO / "feed.yml", f"--inventory={inventory}", *arguments, variables={"batches": batches})
        assert run.errors_by_host() == {
            "web1": [
                "gunicorn_companions['beat']['single']: True can't be used: expected the name of the host that has it, "
                "such as web1, since web1 and web2 would both run it. Nothing was changed."
            ]
        }
    assert snapshot(host) == before


def test_a_host_that_is_named_has_what_is_single(connection, tmp_path):
    """The others have no such companion; a name that is not in the inventory is refused on each of them."""
    beat = {"gunicorn_companions": {"beat": {"command": "sleep infinity", "single": "web2"}}}
    rows = {name: {**connection, "fed": "role", **ROLE, **beat} for name in ("web1", "web2")}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": rows}}))
    run = PlaybookRun(SCENARIO / "feed.yml", f"--inventory={inventory}", "--check", "--diff")
    assert run.code == 0, run.output
    assert run.changed() != []
    inventory.write_text(json.dumps({"all": {"hosts": {"web1": rows["web1"]}}}))
    told = PlaybookRun(SCENARIO / "feed.yml", f"--inventory={inventory}", "--check").errors_by_host()
    assert told["web1"][0].startswith(
        "gunicorn_companions['beat']['single']: 'web2' can't be used: expected true, false or the name of a host in "
        "the inventory"
    )


def test_what_is_legal_arrives_unchanged(host):
    """Values that look hostile are passed on as they are: they add no directive, and are not run."""
    given = {
        "extra": LEGAL,
        "gunicorn_description": LEGAL["newline"],
        "gunicorn_settings": {"default_proc_name": "".join(LEGAL.values())},
    }
    run = PlaybookRun(SCENARIO / "converge.yml", variables=given)
    assert run.code == 0, run.output
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
    assert PlaybookRun(SCENARIO / "converge.yml", variables=given).changed() == []
