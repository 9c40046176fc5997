"""Two projects on one host do not disturb each other."""

import re
from pathlib import Path

import pytest
from playbook_run import PlaybookRun
from service import main_pid, workers
from web import get

CONVERGE = Path(__file__).parent.parent / "converge.yml"
FOR_PEOPLE = {
    "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
    "ANSIBLE_FORCE_COLOR": "false",
    "ANSIBLE_NOCOLOR": "true",
}
PORTS = {"shop": 8000, "blog": 8001}


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("project", PORTS)
def test_each_answers_on_its_port(host, project, address):
    """Each project's own page, over both address families."""
    assert f"<h1>Hello from {project}</h1>" in get(host, f"http://{address}:{PORTS[project]}/")


@pytest.mark.parametrize("project", PORTS)
def test_each_runs_as_itself(host, project):
    """Each has its own user, virtual environment and log."""
    processes = host.process.filter(user=project)
    assert processes
    assert all(f"/opt/{project}/venv/bin/gunicorn" in process.args for process in processes)
    assert host.file(f"/var/log/{project}/gunicorn.log").user == project


@pytest.mark.parametrize("project", PORTS)
def test_only_what_the_host_can_not_apply_is_left_out(host, project):
    """The deployment found that out by trying, and a second run and a change keep to it."""
    comments = [
        line for line in host.check_output(f"systemctl cat {project}").splitlines() if "This host can't" in line
    ]
    is_container = "container" in host.check_output("hostname")
    assert [line.partition(" (")[0] for line in comments] == ["# This host can't apply PrivateUsers"] * is_container
    shown = f"systemctl show --property=PrivateUsers,ProtectProc,ProtectHome,PrivateTmp {project} | sort"
    private_users = "no" if is_container else "yes"
    assert host.check_output(shown).splitlines() == [
        "PrivateTmp=yes",
        f"PrivateUsers={private_users}",
        "ProtectHome=yes",
        "ProtectProc=invisible",
    ]
    assert host.check_output("systemctl list-units --all --plain --no-legend 'run-*.service'") == ""


def test_change_to_one_leaves_the_other_alone(host):
    """The side effect gave blog one worker: blog has another master since then, and shop the same."""
    before = {project: int(host.check_output("cat /var/tmp/%s-before", project)) for project in PORTS}
    assert len(workers(host, "blog")) == 1
    assert main_pid(host, "blog") != before["blog"]
    assert main_pid(host, "shop") == before["shop"]


class TestMemory:
    """Both are sized without a share, and blog gets its workers back that the side effect took."""

    @pytest.fixture(scope="class")
    def second_run(self, host):
        """The output of a run after which nothing is left to do, for people, in one line."""
        # The other host must stay as the side effect left it, until its own tests have run.
        limit = f"--limit={host.backend.get_hostname()}"
        first = PlaybookRun(CONVERGE, limit)
        assert first.code == 0, first.output
        second = PlaybookRun(CONVERGE, limit, environment=FOR_PEOPLE)
        assert second.code == 0, second.output
        return " ".join(second.output.split())

    def test_a_second_run_changes_nothing(self, host, second_run):
        """The numbers are those of the first run, and the run does not warn that they are too many."""
        assert re.findall(r" changed=(\d+) ", second_run) == ["0"]
        assert "may take" not in second_run
        assert [len(workers(host, project)) for project in PORTS] == [4, 3]

    def test_together_they_fit(self, host, second_run):
        """What their notes say is what their workers were sized for, and within the memory beside the reserve."""
        given = {}
        for project in PORTS:
            note = host.file(f"/var/lib/gunicorn-{project}.memory")
            assert (note.user, note.mode) == ("root", 0o644)
            given[project] = int(re.search(r"^memory=(\d+)M$", note.content_string, re.MULTILINE)[1])
        assert given == {project: len(workers(host, project)) * 128 + 32 for project in PORTS}
        assert sum(given.values()) == 960

    def test_each_run_names_the_other(self, second_run):
        """The sentence says why there are so many workers."""
        assert (
            "- 544 MiB for other projects - 32 MiB master holds 3 workers of 128 MiB, so memory decides." in second_run
        )
        for project, memory in (("shop", 544), ("blog", 416)):
            assert f"Another project shares the host: {project} {memory} MiB." in second_run
