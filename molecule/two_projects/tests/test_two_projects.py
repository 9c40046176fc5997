"""Two projects on one host do not disturb each other."""

import pytest
from service import main_pid, workers
from web import get

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


def test_shares_of_the_host_are_sized(host):
    """Half of the host has half of its cores: twice as many workers, and one more."""
    cores = int(host.check_output("nproc"))
    assert len(workers(host, "shop")) == cores + 1


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
