"""Every control node can go on with what another one has deployed: it finds nothing to do, and can change it."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from hosts import connect
from service import main_pid, workers
from web import get

SCENARIO = Path(__file__).parent.parent
CONTROL = SCENARIO.parents[1] / ".cache/control"
INVENTORIES = [f"--inventory={path}" for path in os.environ["ANSIBLE_INVENTORY"].split(",")]
REPORT = "pyweb.gunicorn.capacity_report"
PLAIN = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
RECAP = re.compile(r"managed-bookworm +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)")


class Here:
    """This machine, with a version of ansible-core."""

    def __init__(self, version):
        self.version = version
        self.programs = CONTROL / version / "bin"

    def run(self, program, *arguments, folder="."):
        command = [self.programs / program, *arguments]
        done = subprocess.run(command, cwd=folder, env=PLAIN, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def play(self, playbook, *arguments, folder="."):
        path = playbook if playbook == REPORT else SCENARIO / playbook
        return self.run("ansible-playbook", *INVENTORIES, "--limit=managed-bookworm", path, *arguments, folder=folder)


class There:
    """The control host, with the newest version."""

    def __init__(self):
        self.host = connect("control-trixie", sudo=False)

    def run(self, program, *arguments):
        quoted = " ".join(f"'{argument}'" for argument in arguments)
        return self.host.check_output(f"cd /home/ansible && LC_ALL=C.UTF-8 control/bin/{program} {quoted}")

    def play(self, playbook, *arguments, folder=None):
        return self.run("ansible-playbook", "--inventory=hosts.yml", playbook, *arguments)


@pytest.fixture(params=["2.17", "2.18", "newest"])
def node(request):
    """A control node."""
    return There() if request.param == "newest" else Here(request.param)


@pytest.fixture
def managed():
    """The host that all control nodes manage."""
    return connect("managed-bookworm")


def recap(output):
    """What the recap says of the host: the numbers of tasks that are ok, changed, unreachable and failed."""
    found = RECAP.search(output)
    assert found, output
    return tuple(int(number) for number in found.groups())


def test_node_has_its_version(node):
    """The newest ansible-core is newer than the one of this machine, and runs on a newer Python."""
    said = node.run("ansible", "--version")
    found = re.search(r"core (\d+)\.(\d+)\..*python version = (\d+)\.(\d+)", said, re.DOTALL)
    core, python = (int(found[1]), int(found[2])), (int(found[3]), int(found[4]))
    if isinstance(node, There):
        assert core >= (2, 20)
        assert python >= (3, 13)
    else:
        assert said.startswith(f"ansible [core {node.version}.")


def test_node_finds_nothing_to_do(node):
    """It would write the same files, to the letter, as another version wrote."""
    assert recap(node.play("converge.yml"))[1:] == (0, 0, 0)


def test_node_changes_what_runs(node, managed):
    """There and back; check mode announces the change and does nothing."""
    before = main_pid(managed, "notes")
    other = "--extra-vars=gunicorn_workers=3"
    assert recap(node.play("converge.yml", other, "--check", "--diff"))[1] > 0
    assert main_pid(managed, "notes") == before
    for arguments, number in ((other,), 3), ((), 2):
        assert recap(node.play("converge.yml", *arguments))[1] > 0
        assert len(workers(managed, "notes")) == number
        assert get(managed, "http://127.0.0.1:8000/")


def test_bad_value_is_one_clear_error(node):
    """The message is the role's own, not the message of a template."""
    with pytest.raises(AssertionError) as failure:
        node.play("converge.yml", "--extra-vars=gunicorn_port=70000")
    said = " ".join(str(failure.value).split())
    assert "gunicorn_port: 70000 can" in said
    assert "expected a number from 1 to 65535" in said
    assert "Nothing was changed" in said
    assert "Traceback" not in said


def test_node_writes_the_report(node, tmp_path):
    """The page is in the directory in which the playbook was called."""
    node.play(REPORT, "--become", folder=tmp_path)
    if isinstance(node, There):
        page = node.host.check_output("cat /home/ansible/capacity_report.html")
    else:
        page = (tmp_path / "capacity_report.html").read_text(encoding="utf-8")
    assert 'data-host="managed-bookworm"' in page
