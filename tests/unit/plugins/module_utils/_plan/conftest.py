# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment's parameters, and a host for its plan."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, listening
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import parameters as plan_parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import plan as plan_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import systemd_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit


@pytest.fixture
def parameters() -> Callable[..., dict]:
    """The parameters of the module as the role's defaults make them, with changes."""

    def make(**changes: object) -> dict:
        given = {
            "project": "shop",
            "service_name": "shop",
            "user": "shop",
            "group": "shop",
            "manage_user": True,
            "app": "shop.wsgi:application",
            "venv": "/opt/shop/venv",
            "python": "python3",
            "venv_rebuild": False,
            "version": "newest",
            "requirements": [],
            "revision": "",
            "upgrade": False,
            "installer": "pip",
            "workers": "auto",
            "threads": "auto",
            "companions": {},
            "run_group": "",
            "worker_class": "sync",
            "bind": [],
            "port": 8000,
            "environment": {"PYTHONPATH": "/etc/opt/shop:/opt/shop", "DJANGO_SETTINGS_MODULE": "settings"},
            "settings": {},
            "health_path": "/",
            "health_host": "localhost",
            "health_statuses": [],
            "health_timeout": 30,
            "release": None,
            "release_packages": [],
            "release_steps": [],
            "venv_standing": "",
            "description": "shop: Gunicorn",
            "service_directives": {},
            "sizing": {},
            "secrets": "",
            "unfit_secrets": [],
            "unfit_credentials": [],
            "pip_extra_args": [],
            "pip_environment": [],
            "code_directory": "/opt/shop",
            "config_directory": "/etc/opt/shop",
            "data_directory": "/var/opt/shop",
            "log_file": "/var/log/shop/gunicorn.log",
            "access_log_file": "",
        }
        assert set(changes) <= set(given)
        return {**given, **changes}

    return make


@pytest.fixture
def check(parameters: Callable[..., dict]) -> Callable[..., DeploymentParameters]:
    """Check the parameters as the module does."""
    return lambda **changes: plan_parameters.check_parameters(parameters(**changes), ipv6=True)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A fresh host that has nothing of the project; tests change it, and its directories are real ones."""
    no_unit = Unit(False, False, False, False, 0, False, "", ())
    fresh = SimpleNamespace(
        root=tmp_path,
        accounts={},
        groups=set(),
        # Addresses that can't be listened on, with the error
        refused={},
        units={"shop.service": no_unit, "shop.socket": no_unit},
    )
    monkeypatch.setattr(
        units, "read_units", lambda names, run: {name: fresh.units.get(name, no_unit) for name in names}
    )
    monkeypatch.setattr(accounts, "read_account", fresh.accounts.get)
    monkeypatch.setattr(accounts, "has_group", lambda name: name in fresh.groups)
    monkeypatch.setattr(listening, "bind_error", lambda family, name, port: fresh.refused.get(f"{name}:{port}", 0))
    return fresh


@pytest.fixture
def at_host(host: SimpleNamespace, check: Callable[..., DeploymentParameters]) -> Callable[..., DeploymentParameters]:
    """Parameters with directories below the root of the host."""
    directories = {
        "config_directory": f"{host.root}/etc/shop",
        "data_directory": f"{host.root}/var/shop",
        "log_file": f"{host.root}/log/shop/gunicorn.log",
    }
    return lambda **changes: check(**{**directories, **changes})


@pytest.fixture
def plan(at_host: Callable[..., DeploymentParameters]) -> Callable[..., dict]:
    """The plan for the host."""
    runner = Runner(lambda command: (0, "", ""))

    def make(**changes: object) -> dict:
        wanted = at_host(**changes)
        return plan_plan.make_plan(wanted, runner, systemd_state.ask(wanted.service, runner))

    return make


@pytest.fixture
def supervised_plan(
    at_host: Callable[..., DeploymentParameters], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], dict]:
    """The plan for a host without systemd, which lacks supervisor, too; nobody is asked for units."""
    monkeypatch.setattr(programs, "PROGRAM", str(tmp_path / "supervisord"))
    monkeypatch.setattr(configuration, "CONFIGURATION", str(tmp_path / "supervisord.conf"))
    monkeypatch.setattr(programs, "PROGRAMS", str(tmp_path / "conf.d"))
    monkeypatch.setattr(programs, "LOGS", str(tmp_path / "logs"))

    def run(command: list[str]) -> tuple[int, str, str]:
        raise AssertionError(f"{command}: there is no systemctl")

    return lambda: plan_plan.make_plan(at_host(), Runner(run), None)
