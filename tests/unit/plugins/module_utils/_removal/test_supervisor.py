# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import supervised_companions
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes as host_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import parameters, supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.supervisor import SupervisorManager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher as launcher_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import Access, SupervisorError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_a_host_without_the_project(host: Host) -> None:
    """There is nothing to do, whatever is named."""
    assert host.plan_under_supervisor(remove=list(parameters.NAMES)).removals == []


def test_what_the_role_made(host: Host) -> None:
    """Program, launcher, description, configuration, secrets, and what an interrupted change left; the program last."""
    program = host.write_program("shop", host.config)
    made = [
        program,
        str(host.config / launcher_files.DESCRIPTION),
        host.write(host.config / launcher_files.LAUNCHER, host.ours),
        host.write(host.config / ".candidate.gunicorn.launch.py", host.ours),
        host.write(host.config / ".candidate.gunicorn.launch.json", "{}"),
        host.write(host.config / "gunicorn.conf.py", host.ours),
        host.write(host.config / "secrets.env", f"{host.ours}# Credentials: key\nGUNICORN_SECRETS=1\n"),
        host.write(host.config / "credentials" / "key", "x"),
        str(host.config / "credentials"),
        host.write(host.programs / ".shop.gunicorn-switch.json", "{}"),
        host.write(host.programs / ".previous.shop.conf", host.ours),
    ]
    for other in (host.config / "settings.py", host.root / "opt" / "shop" / "shop.py", host.programs / "other.conf"):
        host.write(other, "x = 1\n")
    host.write("log/supervisor/shop/console.log")
    assert sorted(host.plan_under_supervisor().paths) == sorted(made)
    assert host.plan_under_supervisor().paths[-1] == program
    os.unlink(program)
    assert sorted(host.plan_under_supervisor().paths) == sorted(set(made) - {program})


def test_what_is_not_the_roles_stays(host: Host) -> None:
    """The plan says so. A description is the role's if it is of this service."""
    program = host.write_program("shop", host.config, state="/run/gunicorn-other")
    launcher = host.write(host.config / launcher_files.LAUNCHER, "import os\n")
    found = host.plan_under_supervisor()
    assert found.paths == (program,)
    assert found.left == (
        f"{launcher} is not the role's",
        f"{host.config / launcher_files.DESCRIPTION} is not the role's",
    )


@pytest.mark.parametrize("name", ["conf.d/shop.conf", "conf.d/web.conf", "more/web.ini", "supervisord.conf"])
def test_a_program_made_by_hand_is_refused(name: str, host: Host) -> None:
    """In whatever file supervisor finds it."""
    path = host.programs.parent / name
    before = path.read_text() if path.exists() else ""
    host.write(path, f"{before}[program:shop]\ncommand=/opt/shop/venv/bin/gunicorn shop.wsgi\n")
    with pytest.raises(InvalidValue, match=f"gunicorn_service_name: 'shop'.*{path} was not"):
        host.plan_under_supervisor()


def test_a_name_that_no_program_can_have_is_refused(host: Host) -> None:
    """supervisorctl would take it for every program."""
    with pytest.raises(InvalidValue, match="gunicorn_service_name: 'all'"):
        host.plan_under_supervisor(service_name="all")


def test_the_log_directory_of_supervisor_is_one_of_the_logs(host: Host) -> None:
    """It is removed if the logs are named."""
    console = Path(host.write("log/supervisor/shop/console.log"))
    assert host.plan_under_supervisor().paths == ()
    assert host.plan_under_supervisor(log_file="-", remove=["logs"]).paths == (str(console.parent),)


def test_what_another_program_names_stays(host: Host) -> None:
    """In its own file, or in the description with which the role starts it."""
    host.write("var/shop/db.sqlite3")
    data = str(host.root / "var" / "shop")
    host.write_program("shop", host.config, directory=data)
    assert data in host.plan_under_supervisor(remove=["data"]).paths
    host.write_program("blog", host.root / "etc" / "blog", directory=data)
    assert host.plan_under_supervisor(remove=["data"]).left == (f"{data} is named by blog.conf",)
    os.unlink(host.programs / "blog.conf")
    host.write(host.programs.parent / "more" / "queue.ini", f"[program:queue]\ncommand=/usr/bin/queue --spool={data}\n")
    assert host.plan_under_supervisor(remove=["data"]).left == (f"{data} is named by queue.ini",)
    assert data not in host.plan_under_supervisor(remove=["data"]).paths


def test_the_user_of_another_program_stays(host: Host, system_user: str) -> None:
    """In an option or a description."""
    name = system_user
    assert host.plan_under_supervisor(user=name, remove=["user"]).user == name
    host.write(host.programs / "queue.conf", f"[program:queue]\nuser={name} ; not root\n")
    assert host.plan_under_supervisor(user=name, remove=["user"]).left == (f"the user {name} is named by queue.conf",)
    os.unlink(host.programs / "queue.conf")
    host.write_program("blog", host.root / "etc" / "blog", user=name)
    assert host.plan_under_supervisor(user=name, remove=["user"]).left == (f"the user {name} is named by blog.conf",)


class FakeSupervisor:
    """Answers as a supervisor with one program, and notes what it is told."""

    access = Access("/run/supervisor.sock")

    def __init__(self, process: ProgramProcess) -> None:
        self.known = process
        self.told: list[str] = []
        self.groups: dict[str, dict[str, ProgramProcess]] = {}
        self.failing = ""

    def runs(self) -> bool:
        return True

    def process(self, _name: str) -> ProgramProcess:
        return self.known

    def group(self, name: str) -> dict[str, ProgramProcess]:
        return self.groups.get(name, {})

    def stop_group(self, name: str, wait: bool = True) -> None:
        self.tell(f"{'end' if wait else 'ask'} {name}")

    def remove(self, name: str) -> None:
        self.tell(f"remove {name}")

    def reread(self) -> None:
        self.tell("reread")

    def tell(self, what: str) -> None:
        self.told.append(what)
        if self.failing and what.startswith(self.failing):
            raise SupervisorError(f"supervisor says {self.failing}")


class TestWithSupervisor:
    @pytest.fixture
    def supervisor(self, monkeypatch: pytest.MonkeyPatch) -> FakeSupervisor:
        """One that runs the program."""
        supervisor = FakeSupervisor(ProgramProcess("RUNNING", os.getpid()))
        monkeypatch.setattr(client, "this_supervisor", lambda: supervisor)
        return supervisor

    @pytest.fixture
    def manager(self, host: Host, supervisor: FakeSupervisor) -> SupervisorManager:
        """The manager of that program."""
        return SupervisorManager("shop", str(host.config))

    def test_a_program_that_runs_is_stopped(
        self, host: Host, supervisor: FakeSupervisor, manager: SupervisorManager
    ) -> None:
        """Its unix sockets are closed with it."""
        host.write_program("shop", host.config, sockets=[{"path": "/run/shop.sock"}])
        found = manager.read()
        assert (found.stop, found.addresses, found.active) == (("program shop",), ("/run/shop.sock",), True)
        manager.stop(found)
        manager.forget(found, found.definitions)
        assert supervisor.told == ["remove shop", "reread"]

    def test_its_processes_are_the_services_own(self, supervisor: FakeSupervisor, manager: SupervisorManager) -> None:
        """Those that it has started, too: they are no reason to leave what they use."""
        with subprocess.Popen(["sh", "-c", "read x"], stdin=subprocess.PIPE) as process:
            assert {os.getpid(), process.pid} <= manager.own_processes()
        supervisor.known = ProgramProcess()
        assert manager.own_processes() == set()

    def test_nothing_is_told_where_nothing_is_left(
        self, supervisor: FakeSupervisor, manager: SupervisorManager
    ) -> None:
        """A second run leaves supervisor alone."""
        supervisor.known = ProgramProcess()
        found = manager.read()
        assert (found.stop, found.active) == ((), False)
        manager.stop(found)
        manager.forget(found, ())
        assert supervisor.told == []

    def test_a_program_of_somebody_else_is_refused(self, manager: SupervisorManager) -> None:
        """Its file is gone, so the environment of its process must tell."""
        with pytest.raises(InvalidValue, match="'shop'.*what supervisor runs as shop was not"):
            manager.read()

    def test_a_failure_has_supervisors_words(
        self, host: Host, supervisor: FakeSupervisor, manager: SupervisorManager
    ) -> None:
        """If it can't read another program's file, that is no failure."""
        host.write_program("shop", host.config)
        supervisor.failing = "remove"
        with pytest.raises(RemovalError, match="^supervisor says remove$"):
            manager.stop(manager.read())
        supervisor.failing = "reread"
        manager.forget(manager.read(), manager.read().definitions)


class TestCompanions:
    @pytest.fixture
    def supervisor(self, monkeypatch: pytest.MonkeyPatch) -> FakeSupervisor:
        """One that runs them."""
        supervisor = FakeSupervisor(ProgramProcess())
        monkeypatch.setattr(client, "this_supervisor", lambda: supervisor)
        return supervisor

    @pytest.fixture
    def there(self, host: Host) -> None:
        """Two are on the host."""
        found = {"mail": supervised_companions.MAIL, "beat": supervised_companions.BEAT}
        supervised_companions.put(*supervised_companions.wanted(host.config, found))

    def test_they_end_with_the_service_each_in_its_own_time(
        self, host: Host, supervisor: FakeSupervisor, there: None
    ) -> None:
        manager = SupervisorManager("shop", str(host.config))
        found = manager.read()
        assert found.stop == ("program shop-beat", "program shop-mail")
        manager.stop(found)
        assert supervisor.told == [
            "ask shop-beat",
            "ask shop-mail",
            "remove shop",
            "end shop-beat",
            "remove shop-beat",
            "end shop-mail",
            "remove shop-mail",
        ]
        manager.forget(found, (str(host.programs / "shop-mail.conf"),))
        assert supervisor.told[-1] == "reread"

    def test_their_files_go_the_programs_last(self, host: Host, supervisor: FakeSupervisor, there: None) -> None:
        """And they do not have something stay that they name themselves."""
        program = host.write_program("shop", host.config)
        data = str(host.root / "opt/shop/venv-12345678")
        plan = host.plan_under_supervisor(remove=["venv"], venv=data)
        assert set(plan.paths[:3]) > {str(host.config / "gunicorn.launch.mail.json")}
        assert plan.paths[-3:] == (
            str(host.programs / "shop-mail.conf"),
            str(host.programs / "shop-beat.conf"),
            program,
        )
        assert plan.left == ()

    def test_their_processes_are_the_services_own(self, host: Host, supervisor: FakeSupervisor, there: None) -> None:
        supervisor.groups = {"shop-mail": supervised_companions.up(os.getpid())}
        assert os.getpid() in SupervisorManager("shop", str(host.config)).own_processes()

    def test_one_without_its_program_is_found_by_its_description(
        self, host: Host, supervisor: FakeSupervisor, there: None
    ) -> None:
        """Unless somebody else has made a program of its name."""
        (host.programs / "shop-mail.conf").unlink()
        (host.programs / "shop-beat.conf").write_text("[program:shop-beat]\n")
        assert SupervisorManager("shop", str(host.config)).read().stop == ("program shop-mail",)


class TestProcesses:
    """What a supervisor that was killed leaves running."""

    @pytest.fixture
    def process(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen]:
        """A process as the launcher starts it, in a group of its own that the launcher notes."""
        monkeypatch.setattr(launcher_files, "runtime_directory", lambda name: str(tmp_path / name))
        monkeypatch.setattr(launcher_files, "group_note", lambda name: str(tmp_path / f"{name}.group"))
        process = subprocess.Popen(
            ["sleep", "60"], env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path / "shop")}, start_new_session=True
        )
        (tmp_path / "shop.group").write_text(f"{process.pid}\n")
        # The kernel shows the environment a moment after the program has started.
        while not host_processes.read_environment(process.pid):
            time.sleep(0.01)
        # A zombie would be a process of the service still.
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        yield process
        process.kill()
        reaper.join()

    def test_they_are_ended(self, host: Host, process: subprocess.Popen) -> None:
        """Though supervisor does not answer."""
        manager = SupervisorManager("shop", str(host.config))
        found = manager.read()
        assert found.stop == ("program shop",)
        assert manager.own_processes() == {process.pid}
        manager.stop(found)
        assert process.wait(5) == -signal.SIGTERM
        assert manager.read().stop == ()

    def test_another_group_with_the_noted_number_is_left_alone(
        self, host: Host, process: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The environment tells."""
        monkeypatch.setattr(launcher_files, "runtime_directory", lambda name: f"/run/other/{name}")
        assert SupervisorManager("shop", str(host.config)).read().stop == ()
        assert process.poll() is None

    def test_a_supervisor_that_runs_them_must_answer(
        self, host: Host, process: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would start them again."""
        monkeypatch.setattr(supervisor, "_is_child_of_supervisor", lambda pid: pid == process.pid)
        with pytest.raises(SupervisorError, match=r"supervisor runs shop, and does not answer on .*supervisor\.sock"):
            SupervisorManager("shop", str(host.config)).read()
        monkeypatch.setattr(client, "this_supervisor", lambda: FakeSupervisor(ProgramProcess()))
        assert SupervisorManager("shop", str(host.config)).read().stop == ("program shop",)
