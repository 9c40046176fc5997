# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import removal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import RemovalPlan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.supervisor import Program
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.systemd import Units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher as service_launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import (
    configuration as supervisor_configuration,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs as supervisor_programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

OURS = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.\n"
NO_UNIT = "LoadState=not-found\nActiveState=inactive\n"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units stand."""
    folder = tmp_path / "units"
    folder.mkdir()
    monkeypatch.setattr(systemd_units, "UNIT_DIRECTORY", str(folder))
    return folder


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs stand of a supervisor that does not run."""
    folder = tmp_path / "supervisor" / "conf.d"
    folder.mkdir(parents=True)
    socket = f"[unix_http_server]\nfile={tmp_path}/supervisor.sock\n"
    main = write(folder.parent / "supervisord.conf", f"{socket}[include]\nfiles = conf.d/*.conf more/*.ini\n")
    monkeypatch.setattr(supervisor_configuration, "CONFIGURATION", main)
    monkeypatch.setattr(supervisor_programs, "PROGRAMS", str(folder))
    monkeypatch.setattr(supervisor_programs, "LOGS", str(tmp_path / "log" / "supervisor"))
    return folder


def parameters(root: Path, **changes: object) -> dict:
    """The module's, with all directories below one."""
    given = {
        "project": "shop",
        "service_name": "shop",
        "user": "shop",
        "group": "shop",
        "manage_user": True,
        "venv": f"{root}/opt/shop/venv",
        "code_directory": f"{root}/opt/shop",
        "config_directory": f"{root}/etc/shop",
        "data_directory": f"{root}/var/shop",
        "log_file": f"{root}/log/shop/gunicorn.log",
        "access_log_file": "",
        "remove": [],
    }
    return {**given, **changes}


def plan(root: Path, **changes: object) -> RemovalPlan:
    """What there is to do on a host whose systemd knows nothing of the project."""
    wanted = removal.check_parameters(parameters(root, **changes))
    units = Units("shop", Runner(lambda command: (0, "\n".join(NO_UNIT for _name in command[4:]), "")))
    return removal.make_plan(wanted, units)


def write(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_host_without_it(etc: Path, tmp_path: Path) -> None:
    """There is nothing to do, whatever is named."""
    assert plan(tmp_path, remove=list(removal.NAMES)).changes == []


def test_what_the_role_made(etc: Path, tmp_path: Path) -> None:
    """Units, configuration, secrets, and what an interrupted change left beside them; nothing without the role's mark."""
    config = tmp_path / "etc" / "shop"
    made = [
        write(config / "gunicorn.conf.py", OURS),
        write(config / ".candidate.gunicorn.conf.py", OURS),
        write(config / "secrets.env", f"{OURS}# Credentials: key\nGUNICORN_SECRETS=1\n"),
        write(config / "credentials" / "key", "x"),
        str(config / "credentials"),
        write(etc / "shop.service", OURS),
        write(etc / "shop.socket", f"# Written by a newer version.\n{OURS}"),
        write(etc / ".shop.gunicorn-switch.json", "{}"),
    ]
    for other in (config / "settings.py", tmp_path / "opt" / "shop" / "shop.py", etc / "other.service"):
        write(other, "SECRET = 1\n")
    assert sorted(plan(tmp_path).paths) == sorted(made)
    os.unlink(etc / "shop.service")
    assert sorted(plan(tmp_path).paths) == sorted(set(made) - {str(etc / "shop.service")})


def test_what_is_not_the_roles_stays(etc: Path, tmp_path: Path) -> None:
    """And is told where a person may wonder."""
    config = tmp_path / "etc" / "shop"
    write(etc / "shop.service", OURS)
    kept = write(etc / "shop.service.by-hand", "[Service]\n")
    foreign = write(config / "gunicorn.conf.py", "workers = 3\n")
    write(config / "secrets.env", "A=1\n")
    write(config / "credentials" / "key", "x")
    found = plan(tmp_path)
    assert found.paths == (str(etc / "shop.service"),)
    assert found.left == (
        f"{kept} is what was there before the role, made by hand",
        f"{foreign} is not the role's",
    )


def test_a_unit_made_by_hand_is_refused(etc: Path, tmp_path: Path) -> None:
    """Neither stopped nor removed."""
    unit = write(etc / "shop.service", "[Service]\nExecStart=/opt/shop/venv/bin/gunicorn\n")
    with pytest.raises(InvalidValue, match=f"gunicorn_service_name: 'shop'.*{unit} was not"):
        plan(tmp_path)


def test_an_adoption_that_was_interrupted(etc: Path, tmp_path: Path) -> None:
    """What the role had just replaced is not the role's to remove."""
    write(etc / "shop.service", OURS)
    write(etc / ".previous.shop.service", "[Service]\n")
    write(etc / ".previous.shop.socket", OURS)
    assert plan(tmp_path).keep == (str(etc / "shop.service"),)


class TestNamed:
    def test_directories(self, etc: Path, tmp_path: Path) -> None:
        """Each by its name, and no other."""
        write(tmp_path / "opt" / "shop" / "shop.py")
        write(tmp_path / "var" / "shop" / "db.sqlite3")
        write(tmp_path / "log" / "shop" / "gunicorn.log")
        write(tmp_path / "etc" / "shop" / "settings.py")
        for name, folder in {"code": "opt", "data": "var", "logs": "log", "config": "etc"}.items():
            assert plan(tmp_path, remove=[name]).paths == (str(tmp_path / folder / "shop"),)

    def test_a_directory_of_another_name(self, etc: Path, tmp_path: Path) -> None:
        """It may hold anything."""
        (tmp_path / "srv").mkdir()
        with pytest.raises(InvalidValue, match=r"gunicorn_data_directory: .*/srv'.*the project's name"):
            plan(tmp_path, data_directory=f"{tmp_path}/srv", remove=["data"])

    def test_logs_among_others(self, etc: Path, tmp_path: Path) -> None:
        """Only these, with those that were rotated."""
        logs = [write(tmp_path / "log" / name) for name in ("shop.log", "shop.log.1", "shop.log.2.gz", "shop.log-2026")]
        write(tmp_path / "log" / "shop.logic")
        write(tmp_path / "log" / "blog.log")
        assert sorted(plan(tmp_path, log_file=logs[0], remove=["logs"]).paths) == sorted(logs)

    def test_what_another_unit_names(self, etc: Path, tmp_path: Path) -> None:
        """By a path in it, too; a longer name is another one, at either end."""
        write(tmp_path / "var" / "shop" / "db.sqlite3")
        others = (f"{tmp_path}/var/shop-data", f"{tmp_path}/var/shop2", f"/srv{tmp_path}/var/shop")
        write(etc / "other.service", f"[Service]\nReadWritePaths={' '.join(others)}\n")
        assert plan(tmp_path, remove=["data"]).left == ()
        write(etc / "other.service", f"[Service]\nExecStart={tmp_path}/var/shop/bin/run\n")
        assert plan(tmp_path, remove=["data"]).left == (f"{tmp_path}/var/shop is named by other.service",)
        assert plan(tmp_path, remove=["data"]).paths == ()

    def test_a_venv_that_was_built(self, etc: Path, tmp_path: Path) -> None:
        """The link, what it leads to, and what was left of another."""
        code = tmp_path / "opt" / "shop"
        for name in ("venv-12345678", "venv-87654321"):
            write(code / name / ".gunicorn-venv")
            write(code / name / "pyvenv.cfg")
        (code / "venv").symlink_to(code / "venv-12345678")
        found = sorted(os.path.basename(path) for path in plan(tmp_path, remove=["venv"]).paths)
        assert found == ["venv", "venv-12345678", "venv-87654321"]

    def test_a_venv_of_the_users_own(self, etc: Path, tmp_path: Path) -> None:
        """A link to it goes alone."""
        own, venv = tmp_path / "venvs" / "django", tmp_path / "opt" / "shop" / "venv"
        write(own / "pyvenv.cfg")
        venv.parent.mkdir(parents=True)
        venv.symlink_to(own)
        assert plan(tmp_path, remove=["venv"]).paths == (str(venv),)
        assert plan(tmp_path, venv=str(own), remove=["venv"]).paths == (str(own),)

    def test_what_is_no_venv(self, etc: Path, tmp_path: Path) -> None:
        """Such as the code itself."""
        write(tmp_path / "opt" / "shop" / "shop.py")
        with pytest.raises(InvalidValue, match="gunicorn_venv: .*pyvenv.cfg"):
            plan(tmp_path, venv=f"{tmp_path}/opt/shop", remove=["venv"])

    def test_users(self, etc: Path, tmp_path: Path) -> None:
        """Not one that the role did not make, nor one that another service runs as."""
        with pytest.raises(InvalidValue, match="gunicorn_absent_remove: 'user'.*gunicorn_manage_user"):
            plan(tmp_path, manage_user=False, remove=["user"])
        with pytest.raises(InvalidValue, match="gunicorn_absent_remove: 'user'.*no system user"):
            plan(tmp_path, user="nobody", remove=["user"])
        name = pwd.getpwuid(2).pw_name
        assert plan(tmp_path, user=name, remove=["user"]).user == name
        write(etc / "other.service", f"[Service]\nUser={name}\n")
        found = plan(tmp_path, user=name, remove=["user"])
        assert (found.user, found.left) == ("", (f"the user {name} is named by other.service",))


class TestUnderSupervisor:
    """The same, where a program takes the place of units."""

    @pytest.fixture(autouse=True)
    def _units(self, etc: Path) -> None:
        """No unit of the machine that the tests run on counts."""

    def plan(self, root: Path, **changes: object) -> RemovalPlan:
        wanted = removal.check_parameters(parameters(root, **changes))
        return removal.make_plan(wanted, Program(wanted.service, wanted.config_directory))

    def program(self, programs: Path, name: str, folder: Path, **description: object) -> str:
        """The file of a program that the role made, with its description."""
        path = str(folder / service_launcher.DESCRIPTION)
        state = f"/run/gunicorn-{name}"
        write(Path(path), json.dumps({"state": state, "sockets": [], **description}, indent=2))
        options = service_launcher.program_options(name, str(folder), True, 40, "hash")
        return write(programs / f"{name}.conf", supervisor_programs.program_text(name, "", options))

    def test_a_host_without_it(self, tmp_path: Path) -> None:
        """There is nothing to do, whatever is named."""
        assert self.plan(tmp_path, remove=list(removal.NAMES)).changes == []

    def test_what_the_role_made(self, programs: Path, tmp_path: Path) -> None:
        """Program, launcher, description, configuration, secrets, and what an interrupted change left; the program last."""
        config = tmp_path / "etc" / "shop"
        program = self.program(programs, "shop", config)
        made = [
            program,
            str(config / service_launcher.DESCRIPTION),
            write(config / service_launcher.LAUNCHER, OURS),
            write(config / ".candidate.gunicorn.launch.py", OURS),
            write(config / ".candidate.gunicorn.launch.json", "{}"),
            write(config / "gunicorn.conf.py", OURS),
            write(config / "secrets.env", f"{OURS}# Credentials: key\nGUNICORN_SECRETS=1\n"),
            write(config / "credentials" / "key", "x"),
            str(config / "credentials"),
            write(programs / ".shop.gunicorn-switch.json", "{}"),
            write(programs / ".previous.shop.conf", OURS),
        ]
        for other in (config / "settings.py", tmp_path / "opt" / "shop" / "shop.py", programs / "other.conf"):
            write(other, "x = 1\n")
        write(tmp_path / "log" / "supervisor" / "shop" / "console.log")
        assert sorted(self.plan(tmp_path).paths) == sorted(made)
        assert self.plan(tmp_path).paths[-1] == program
        os.unlink(program)
        assert sorted(self.plan(tmp_path).paths) == sorted(set(made) - {program})

    def test_what_is_not_the_roles_stays(self, programs: Path, tmp_path: Path) -> None:
        """And is told: a description is the role's if it is of this service."""
        config = tmp_path / "etc" / "shop"
        program = self.program(programs, "shop", config, state="/run/gunicorn-other")
        launcher = write(config / service_launcher.LAUNCHER, "import os\n")
        found = self.plan(tmp_path)
        assert found.paths == (program,)
        assert found.left == (
            f"{launcher} is not the role's",
            f"{config / service_launcher.DESCRIPTION} is not the role's",
        )

    @pytest.mark.parametrize("name", ["conf.d/shop.conf", "conf.d/web.conf", "more/web.ini", "supervisord.conf"])
    def test_a_program_made_by_hand_is_refused(self, name: str, programs: Path, tmp_path: Path) -> None:
        """Wherever supervisor reads it."""
        path = programs.parent / name
        before = path.read_text() if path.exists() else ""
        write(path, f"{before}[program:shop]\ncommand=/opt/shop/venv/bin/gunicorn shop.wsgi\n")
        with pytest.raises(InvalidValue, match=f"gunicorn_service_name: 'shop'.*{path} was not"):
            self.plan(tmp_path)

    def test_a_name_that_no_program_has(self, tmp_path: Path) -> None:
        """supervisorctl would take it for every program."""
        with pytest.raises(InvalidValue, match="gunicorn_service_name: 'all'"):
            self.plan(tmp_path, service_name="all")

    def test_the_log_directory_of_supervisor(self, tmp_path: Path) -> None:
        """Goes with the logs."""
        console = Path(write(tmp_path / "log" / "supervisor" / "shop" / "console.log"))
        assert self.plan(tmp_path).paths == ()
        assert self.plan(tmp_path, log_file="-", remove=["logs"]).paths == (str(console.parent),)

    def test_what_another_program_names(self, programs: Path, tmp_path: Path) -> None:
        """Itself, or in the description that it is started by."""
        write(tmp_path / "var" / "shop" / "db.sqlite3")
        data = str(tmp_path / "var" / "shop")
        self.program(programs, "shop", tmp_path / "etc" / "shop", directory=data)
        assert data in self.plan(tmp_path, remove=["data"]).paths
        self.program(programs, "blog", tmp_path / "etc" / "blog", directory=data)
        assert self.plan(tmp_path, remove=["data"]).left == (f"{data} is named by blog.conf",)
        os.unlink(programs / "blog.conf")
        write(programs.parent / "more" / "queue.ini", f"[program:queue]\ncommand=/usr/bin/queue --spool={data}\n")
        assert self.plan(tmp_path, remove=["data"]).left == (f"{data} is named by queue.ini",)
        assert data not in self.plan(tmp_path, remove=["data"]).paths

    def test_users_of_other_programs(self, programs: Path, tmp_path: Path) -> None:
        """By an option or a description."""
        name = pwd.getpwuid(2).pw_name
        assert self.plan(tmp_path, user=name, remove=["user"]).user == name
        write(programs / "queue.conf", f"[program:queue]\nuser={name} ; not root\n")
        assert self.plan(tmp_path, user=name, remove=["user"]).left == (f"the user {name} is named by queue.conf",)
        os.unlink(programs / "queue.conf")
        self.program(programs, "blog", tmp_path / "etc" / "blog", user=name)
        assert self.plan(tmp_path, user=name, remove=["user"]).left == (f"the user {name} is named by blog.conf",)
