# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_missing_directories(host: SimpleNamespace, plan: Callable) -> None:
    """The configuration and all parents are root's, the rest the user's; nobody else may look in."""
    directories = plan(access_log_file=f"{host.root}/log/access/a.log")["directories"]
    parents = [directory for directory in directories if directory["mode"] == "0755"]
    assert [(directory["path"], directory["owner"]) for directory in parents] == [
        (f"{host.root}/{name}", "root") for name in ("etc", "var", "log")
    ]
    assert [directory for directory in directories if directory not in parents] == [
        {"path": f"{host.root}/etc/shop", "owner": "root", "group": "shop", "mode": "0750"},
        {"path": f"{host.root}/var/shop", "owner": "shop", "group": "shop", "mode": "0750"},
        {"path": f"{host.root}/log/access", "owner": "shop", "group": "shop", "mode": "0750"},
        {"path": f"{host.root}/log/shop", "owner": "shop", "group": "shop", "mode": "0750"},
    ]


def test_a_directory_in_another_that_is_missing(host: SimpleNamespace, plan: Callable) -> None:
    """Each is made once, the outer one first and for its own owner."""
    data = f"{host.root}/var/shop"
    planned = plan(log_file=f"{data}/logs/gunicorn.log", access_log_file=f"{data}/logs/access/a.log")["directories"]
    owners = [(one["path"], one["owner"]) for one in planned if one["path"].startswith(data)]
    assert owners == [(data, "shop"), (f"{data}/logs", "shop"), (f"{data}/logs/access", "shop")]


def test_a_directory_of_the_projects_name_changes_hands(host: SimpleNamespace, plan: Callable) -> None:
    """It keeps the mode that it has."""
    (host.root / "var/shop").mkdir(parents=True)
    (host.root / "var/shop").chmod(0o2755)
    assert {"path": f"{host.root}/var/shop", "owner": "shop", "group": "shop", "mode": "2755"} in plan()["directories"]


def test_a_directory_of_the_host_never_changes_hands(host: SimpleNamespace, plan: Callable) -> None:
    """/var/log itself must not become the user's."""
    (host.root / "log").mkdir()
    with pytest.raises(InvalidValue, match="log'.*the user shop may write"):
        plan(log_file=f"{host.root}/log/shop.log")
    (host.root / "log").chmod(0o777)
    with pytest.raises(InvalidValue):  # no user yet, so nobody knows
        plan(log_file=f"{host.root}/log/shop.log")
    host.accounts["shop"] = Account(4242, 4242, (4242,))
    assert f"{host.root}/log" not in [entry["path"] for entry in plan(log_file=f"{host.root}/log/a.log")["directories"]]


def test_a_configuration_directory_is_left_as_it_is(host: SimpleNamespace, plan: Callable) -> None:
    """The user need not write there."""
    (host.root / "etc/shop").mkdir(parents=True)
    (host.root / "etc/shop").chmod(0o700)
    assert f"{host.root}/etc/shop" not in [entry["path"] for entry in plan()["directories"]]


@pytest.mark.parametrize(
    ("parameter", "variable"),
    [
        ("config_directory", "gunicorn_config_directory"),
        ("data_directory", "gunicorn_data_directory"),
        ("log_file", "gunicorn_log_file"),
        ("access_log_file", "gunicorn_access_log_file"),
    ],
)
def test_a_path_through_a_file_is_refused(host: SimpleNamespace, plan: Callable, parameter: str, variable: str) -> None:
    """The directory could not be made, and the error names the variable that asks for it."""
    (host.root / "file").touch()
    for path in (f"{host.root}/file/a", f"{host.root}/file/a/b"):
        with pytest.raises(InvalidValue, match=f"{variable}: '{path}' .*file is not a directory"):
            plan(**{parameter: path})


def test_a_log_file_is_no_directory(host: SimpleNamespace, plan: Callable) -> None:
    """Gunicorn would not start."""
    with pytest.raises(InvalidValue, match="gunicorn_log_file: .*this is a directory"):
        plan(log_file=str(host.root))


def test_a_log_file_is_no_fifo(host: SimpleNamespace, plan: Callable) -> None:
    """The service's user can put one there, and each start would wait for a reader until it runs out of time."""
    os.mkfifo(host.root / "pipe")
    (host.root / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(InvalidValue, match=f"gunicorn_log_file: '.*/{name}' .*this is a FIFO"):
            plan(log_file=f"{host.root}/{name}")


class TestRootsDirectory:
    """A user who can put files beside the configuration could make root move and load any file."""

    @pytest.fixture(autouse=True)
    def account(self, host: SimpleNamespace) -> None:
        """The user is there, and so is a configuration."""
        host.accounts["shop"] = Account(4242, 4242, (4242,))
        (host.root / "etc/shop").mkdir(parents=True)

    def test_it_is_root_alone_who_may_write(self, host: SimpleNamespace, plan: Callable) -> None:
        """Otherwise the directory is refused, whoever owns it."""
        plan()
        (host.root / "etc/shop").chmod(0o777)
        with pytest.raises(InvalidValue, match="gunicorn_config_directory: .*may not write, as it may in .*/etc/shop"):
            plan()

    def test_its_parents_count(self, host: SimpleNamespace, plan: Callable) -> None:
        """Who owns one of them could put another directory in its place; so could who owns what a link leads to."""
        os.chown(host.root / "etc", 4242, 4242)
        for name in ("etc/shop", "etc/new/deep", "link/shop"):
            (host.root / "link").unlink(missing_ok=True)
            (host.root / "link").symlink_to("etc")
            with pytest.raises(InvalidValue, match=f"may not write, as it may in {host.root}/etc$"):
                plan(config_directory=f"{host.root}/{name}")

    def test_what_will_be_the_users_counts(self, host: SimpleNamespace, plan: Callable) -> None:
        """The first run refuses what the second one would."""
        for name, own in (("var/shop/etc", "var/shop"), ("log/shop/etc", "log/shop")):
            with pytest.raises(InvalidValue, match=f"may not write, as it may in {host.root}/{own}$"):
                plan(config_directory=f"{host.root}/{name}")

    def test_a_directory_that_the_user_can_not_have_has_its_own_error(
        self, host: SimpleNamespace, plan: Callable
    ) -> None:
        """It is the one to change, and not the configuration in it."""
        with pytest.raises(InvalidValue, match=f"gunicorn_data_directory: '{host.root}/etc' "):
            plan(data_directory=f"{host.root}/etc", bind=[f"unix:{host.root}/etc/s"])

    def test_the_credentials_in_it_count(self, host: SimpleNamespace, plan: Callable) -> None:
        """systemd reads what is at their paths as root."""
        (host.root / "etc/shop/credentials").mkdir()
        plan()
        os.chown(host.root / "etc/shop/credentials", 4242, 4242)
        with pytest.raises(InvalidValue, match="as it may in .*/etc/shop/credentials$"):
            plan()


def test_root_does_not_follow_the_users_links(host: SimpleNamespace, plan: Callable) -> None:
    """It would make a directory, or give one away, where the user says."""
    harmless, data = host.root / "harmless" / "shop", host.root / "var/shop"
    host.accounts["shop"] = Account(4242, 4242, (4242,))
    harmless.mkdir(parents=True)
    data.mkdir(parents=True)
    (data / "shop").symlink_to(harmless)
    os.chown(data, 4242, 4242)
    for name in ("shop", "shop/new"):
        with pytest.raises(
            InvalidValue, match=f"gunicorn_log_file: '{data}/{name}/g.*{data}/shop is a link to {harmless}"
        ):
            plan(log_file=f"{data}/{name}/gunicorn.log")
    planned = plan(log_file=f"{data}/other/gunicorn.log")["directories"]
    assert {"path": f"{data}/other", "owner": "shop", "group": "shop", "mode": "0750"} in planned


def test_a_live_service_keeps_its_directories(host: SimpleNamespace, plan: Callable) -> None:
    """Another user would get them before the service has proved that it works as that user."""
    host.accounts["blog"] = Account(4242, 4242, (4242,))
    no_unit = host.units["shop.service"]
    host.units["shop.service"] = Unit(True, True, False, True, 0, False, "/etc/systemd/system/shop.service", ())
    (host.root / "var/shop").mkdir(parents=True)
    os.chown(host.root / "var/shop", 4343, 4343)
    with pytest.raises(InvalidValue, match="gunicorn_user: 'blog'.*chown"):
        plan(user="blog", group="blog")
    host.units["shop.service"] = no_unit
    assert f"{host.root}/var/shop" in [item["path"] for item in plan(user="blog", group="blog")["directories"]]


class TestChangeableCode:
    """Root must not run code that the service's user can change."""

    @pytest.fixture
    def code(self, host: SimpleNamespace) -> Path:
        """Code of root's, with a directory for uploads that is the user's."""
        host.accounts["shop"] = Account(4242, 4242, (4242,))
        code = host.root / "code"
        (code / "shop").mkdir(parents=True)
        (code / "shop/__init__.py").touch()
        (code / "manage.py").touch()
        (code / "media").mkdir()
        os.chown(code / "media", 4242, 4242)
        return code

    @pytest.fixture
    def changeable(self, code: Path, at_host: Callable[..., DeploymentParameters]) -> Callable[[], str]:
        """Look at the code, and say what of it can be changed."""
        return lambda: directories.changeable_code([str(code / "nothing"), str(code)], at_host())

    def test_code_of_root(self, changeable: Callable[[], str]) -> None:
        """What is no module may be the user's."""
        assert changeable() == ""

    @pytest.mark.parametrize("name", ["", "manage.py", "shop"])
    def test_code_of_the_user(self, code: Path, changeable: Callable[[], str], name: str) -> None:
        """The directory, a module or a package: by its owner, or by its mode."""
        path = code / name
        os.chown(path, 4242, 0)
        assert changeable() == str(path).rstrip("/")
        os.chown(path, 0, 4242)
        path.chmod(0o775)
        assert changeable() == str(path).rstrip("/")

    @pytest.mark.parametrize(
        "name",
        ["shop/settings.py", "shop/conf/base.py", "shop/__pycache__", "shop/__pycache__/settings.cpython-311.pyc"],
    )
    def test_what_is_in_a_package(self, code: Path, changeable: Callable[[], str], name: str) -> None:
        """Root would run it as well; a link to the package itself leads nowhere."""
        for module in ("__init__.py", "conf/__init__.py", name.partition("/")[2] if "." in name else "settings.py"):
            (code / "shop" / module).parent.mkdir(exist_ok=True)
            (code / "shop" / module).touch()
        (code / "shop" / "__pycache__").mkdir(exist_ok=True)
        (code / "shop" / "again").symlink_to("../shop")
        assert changeable() == ""
        os.chown(code / name, 4242, 0)
        assert changeable() == str(code / name)
