"""Every control node can go on with what another one has deployed: it finds nothing to do, and can change it."""

import json
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
COMMUNITY = CONTROL / "community/collections"
PLAIN = {
    **os.environ,
    "ANSIBLE_FORCE_COLOR": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_DEPRECATION_WARNINGS": "true",
    "ANSIBLE_COLLECTIONS_PATH": f"{os.environ['ANSIBLE_COLLECTIONS_PATH']}:{COMMUNITY}",
}
RECAP = re.compile(r"(?:managed-bookworm|localhost) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)")


class Here:
    """This machine, with a version of ansible-core."""

    def __init__(self, version):
        self.version = version
        self.programs = CONTROL / version / "bin"

    def run(self, program, *arguments, folder="."):
        command = [self.programs / program, *arguments]
        done = subprocess.run(command, cwd=folder, env=PLAIN, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def play(self, playbook, *arguments, folder="."):
        path = playbook if playbook == REPORT else SCENARIO / playbook
        return self.run("ansible-playbook", *INVENTORIES, "--limit=managed-bookworm", path, *arguments, folder=folder)


class There:
    """The control host, with the newest version, or with the next one, which may be a pre-release."""

    def __init__(self, version):
        self.version = version
        self.host = connect("control-trixie", sudo=False)

    def run(self, program, *arguments):
        quoted = " ".join(f"'{argument}'" for argument in arguments)
        paths = "/home/ansible/.ansible/collections:/home/ansible/collections"
        variables = f"LC_ALL=C.UTF-8 ANSIBLE_COLLECTIONS_PATH={paths}"
        return self.host.check_output(f"cd /home/ansible && {variables} {self.version}/bin/{program} {quoted} 2>&1")

    def play(self, playbook, *arguments, folder=None, inventory="hosts.yml"):
        return self.run("ansible-playbook", f"--inventory={inventory}", playbook, *arguments)


def node_of(version):
    return There(version) if version in ("newest", "next") else Here(version)


@pytest.fixture(params=["2.17", "2.18", "newest"])
def node(request):
    """A control node."""
    return node_of(request.param)


@pytest.fixture
def managed():
    """The host that all control nodes manage."""
    return connect("managed-bookworm")


def recap(output):
    """What the recap says of the host: the numbers of tasks that are ok, changed, unreachable and failed."""
    found = RECAP.search(output)
    assert found, output
    return tuple(int(number) for number in found.groups())


def without_warnings(output):
    """The same output, of which nothing is a warning; a deprecation today is an error next year."""
    assert not re.search(r"\[(DEPRECATION )?WARNING\]", output), output
    return output


@pytest.mark.parametrize("version", ["2.17", "2.18", "newest", "next"])
def test_node_has_its_version(version):
    """The newest ansible-core is newer than the one of this machine, and runs on a newer Python."""
    node = node_of(version)
    said = node.run("ansible", "--version")
    found = re.search(r"core (\d+)\.(\d+)\..*python version = (\d+)\.(\d+)", said, re.DOTALL)
    core, python = (int(found[1]), int(found[2])), (int(found[3]), int(found[4]))
    if isinstance(node, There):
        assert core >= (2, 20)
        assert python >= (3, 13)
    else:
        assert said.startswith(f"ansible [core {node.version}.")


@pytest.mark.parametrize("version", ["2.17", "2.18", "newest", "next"])
def test_node_finds_nothing_to_do(version):
    """It would write the same files, to the letter, as another version wrote, and has nothing to warn of."""
    assert recap(without_warnings(node_of(version).play("converge.yml")))[1:] == (0, 0, 0)


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_become_method": "ansible.builtin.su", "ansible_become_password": "sesame"},
        {"ansible_connection": "containers.podman.podman", "ansible_become_method": "community.general.doas"},
        {
            "ansible_connection": "ansible.netcommon.libssh",
            # Options of the program ssh, which the connection warns of
            "ansible_ssh_common_args": "",
            "ansible_ssh_args": "",
            "ansible_host_key_checking": False,
        },
    ],
    ids=["ssh and su", "podman and doas", "libssh and sudo"],
)
def test_other_ways_to_connect_and_to_become_root(variables):
    """Modules get there, with their arguments and their answers, whoever carries them."""
    if "podman" in variables.get("ansible_connection", ""):
        variables = {
            **variables,
            "ansible_host": connect("managed-bookworm").ansible.get_variables()["testhost_container"],
        }
    output = Here("2.18").play("converge.yml", f"--extra-vars={json.dumps(variables)}")
    assert recap(without_warnings(output))[1:] == (0, 0, 0)


def test_next_deploys_to_its_own_host():
    """Without a connection, and with run0 in the place of sudo; then it finds nothing to do."""
    ways = {"deployed": "localhost", "ansible_become_method": "community.general.run0"}
    ways["ansible_python_interpreter"] = "/usr/bin/python3"
    arguments = ["converge.yml", "--connection=local", f"--extra-vars={json.dumps(ways)}"]
    first, second = (recap(without_warnings(There("next").play(*arguments, inventory="localhost,"))) for _run in "12")
    assert first[2:] == (0, 0)
    assert second[1:] == (0, 0, 0)
    assert get(connect("control-trixie"), "http://127.0.0.1:8000/")


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
