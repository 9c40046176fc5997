# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _hoststate, _removal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

OURS = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.\n"
NO_UNIT = "LoadState=not-found\nActiveState=inactive\n"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units stand."""
    folder = tmp_path / "units"
    folder.mkdir()
    monkeypatch.setattr(_hoststate, "UNIT_DIRECTORY", str(folder))
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


def plan(root: Path, **changes: object) -> _removal.Plan:
    """What there is to do on a host whose systemd knows nothing of the project."""
    wanted = _removal.check_parameters(parameters(root, **changes))
    return _removal.make_plan(wanted, lambda command: (0, "\n".join(NO_UNIT for _name in command[4:]), ""))


def write(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_host_without_it(etc: Path, tmp_path: Path) -> None:
    """There is nothing to do, whatever is named."""
    assert plan(tmp_path, remove=list(_removal.NAMES)).changes == []


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
