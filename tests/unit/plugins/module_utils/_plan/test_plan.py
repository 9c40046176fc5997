# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import plan as plan_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_a_fresh_host(host: SimpleNamespace, plan: Callable, parameters: Callable) -> None:
    """Everything is to be made."""
    found = plan()
    assert (found["create_user"], found["create_group"]) == (True, True)
    assert found["binds"] == ["127.0.0.1:8000", "[::1]:8000"]
    assert found["socket_directives"]["ListenStream"] == ["127.0.0.1:8000", "[::1]:8000"]
    assert found["environment"] == parameters()["environment"]
    assert [directory["path"] for directory in found["directories"]] == [
        f"{host.root}/{path}" for path in ("etc", "etc/shop", "var", "var/shop", "log", "log/shop")
    ]


def test_a_host_that_has_all(host: SimpleNamespace, plan: Callable) -> None:
    """Nothing is to be made."""
    host.accounts["shop"] = Account(os.getuid(), os.getgid(), (os.getgid(),))._replace(uid=4242)
    host.groups.add("shop")
    service = Unit(True, True, False, True, 0, False, "/etc/systemd/system/shop.service", ())
    host.units = {
        "shop.service": service,
        "shop.socket": service._replace(
            path="/etc/systemd/system/shop.socket", listen=("127.0.0.1:8000", "[::1]:8000")
        ),
    }
    for path in ("etc/shop", "var/shop", "log/shop"):
        (host.root / path).mkdir(parents=True)
        (host.root / path).chmod(0o755 if path == "etc/shop" else 0o777)
    found = plan()
    assert (found["create_user"], found["create_group"], found["directories"]) == (False, False, [])


def test_a_supervised_host_that_has_nothing(supervised_plan: Callable, tmp_path: Path) -> None:
    """It gets supervisor, and a directory that nobody else reads for what supervisor logs."""
    plan = supervised_plan()
    assert plan["manager"] == "supervisor"
    assert "supervisor" in plan["packages"]
    logs = {"path": f"{tmp_path}/logs/shop", "owner": "root", "group": "shop", "mode": "0750"}
    assert plan["directories"][-1] == logs


def test_a_supervised_host_that_has_all(supervised_plan: Callable, tmp_path: Path) -> None:
    """Nothing is made anew."""
    (tmp_path / "supervisord").touch()
    (tmp_path / "logs/shop").mkdir(parents=True)
    plan = supervised_plan()
    assert "supervisor" not in plan["packages"]
    assert f"{tmp_path}/logs/shop" not in [directory["path"] for directory in plan["directories"]]


class TestWritable:
    @pytest.mark.parametrize(
        ("folder", "variable"),
        [
            ("/etc/systemd/system", "gunicorn_service_name: 'shop'"),
            ("/etc/logrotate.d", "gunicorn_service_name: 'shop'"),
            ("{root}/etc/shop", "gunicorn_config_directory: '{root}/etc/shop'"),
            ("{root}/opt/shop", "gunicorn_venv: '{root}/opt/shop/venv'"),
            ("{root}", "gunicorn_data_directory: '{root}/var/shop'"),
        ],
    )
    def test_a_read_only_directory_is_named(
        self, host: SimpleNamespace, at_host: Callable, monkeypatch: pytest.MonkeyPatch, folder: str, variable: str
    ) -> None:
        """Before anything is changed, with the variable that leads there."""
        for path in ("etc/shop", "opt/shop", "log/shop"):
            (host.root / path).mkdir(parents=True)
        readonly = folder.format(root=host.root)
        monkeypatch.setattr(
            atomic_files, "unwritable", lambda paths: [readonly] if _folder(paths[0]) == readonly else []
        )
        wanted = at_host(venv=f"{host.root}/opt/shop/venv")
        with pytest.raises(InvalidValue) as caught:
            plan_plan.check_writable(wanted, {"manager": "systemd"}, new_venv=True)
        text = f"{variable} can't be used: expected a host on which root can write in {readonly}: it is read-only"
        assert str(caught.value) == text.format(root=host.root)

    def test_only_what_is_needed_counts(self, at_host: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment that stays is not written, nor are the other manager's files."""
        asked: list[str] = []
        monkeypatch.setattr(atomic_files, "unwritable", lambda paths: asked.extend(paths) or [])
        plan_plan.check_writable(at_host(log_file="-"), {"manager": "supervisor"}, new_venv=False)
        assert "/etc/supervisor/conf.d/shop.conf" in asked
        assert not [path for path in asked if "venv" in path or "systemd" in path or "logrotate" in path]


def _folder(path: str) -> str:
    """The innermost directory that exists."""
    folder = os.path.dirname(path)
    return folder if os.path.isdir(folder) else _folder(folder)


class TestLacking:
    PLAN: typing.ClassVar = {"packages": [], "create_group": False, "create_user": False, "directories": []}

    def test_a_host_that_has_everything_lacks_nothing(self) -> None:
        """So that the role skips the installation as a whole."""
        assert plan_plan.lacking(self.PLAN, {"changed": False}) == []

    def test_each_thing_is_named(self) -> None:
        """In the order in which it is made."""
        plan = {
            "packages": ["logrotate"],
            "create_group": True,
            "create_user": True,
            "directories": [{"path": "/var/a"}],
        }
        assert plan_plan.lacking(plan, {"changed": True}) == [
            "the package logrotate",
            "the group",
            "the user",
            "the directory /var/a",
            "what belongs in the virtual environment",
        ]
        for name, value in plan.items():
            assert len(plan_plan.lacking({**self.PLAN, name: value}, {"changed": False})) == 1
