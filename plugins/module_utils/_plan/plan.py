# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment will find and need on its host, worked out before anything is changed.

Source of the layout: the book "Deploying Django on a single Debian or Ubuntu server".
"""

from __future__ import annotations

import os
import re
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories as host_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import addresses, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import directories as plan_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names as service_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import systemd_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state

_DEBIAN_PYTHON = re.compile(r"(python|pypy)3(\.[0-9]+)?\Z")


def make_plan(wanted: DeploymentParameters, runner: Runner, manager: str = service_manager.SYSTEMD) -> dict:
    """Read the host and say what is there and what is missing; raises InvalidValue where the two can't meet."""
    service, sockets = names.read_service(wanted.service, runner, manager)
    host_directories.check_parent("gunicorn_venv", wanted.venv)
    has_venv = state.stays(wanted.venv, wanted.python, wanted.venv_rebuild)
    account = _check_accounts(wanted)
    addresses.check_addresses(wanted.service, wanted.binds, service, sockets)
    directories = plan_directories.wanted_directories(wanted, account, service.active)
    return {
        "manager": manager,
        "binds": [bind.gunicorn_bind for bind in wanted.binds],
        "socket_directives": addresses.socket_directives(wanted.binds),
        "environment": wanted.environment,
        "packages": _missing_packages(wanted, has_venv, manager),
        "create_user": account is None,
        "create_group": not accounts.has_group(wanted.group),
        "directories": directories
        + (plan_directories.console_directory(wanted) if manager == service_manager.SUPERVISOR else []),
    }


def observe(wanted: DeploymentParameters, secrets: str, credentials: str, runner: Runner) -> SystemdState:
    """Read what the host has and runs of the service; raises NotOurs."""
    secret_files, secrets_hash = service_secrets.secret_files(secrets, credentials, wanted.config_directory)
    files = service_names.paths(wanted.service, wanted.config_directory)
    found = systemd_state.read(wanted.service, files, wanted.binds, wanted.venv, wanted.group, runner)
    return systemd_state.without_secrets(found, secret_files, secrets_hash)


def lacking(plan: dict, venv: dict) -> list[str]:
    """What the host lacks of a plan, and whether its virtual environment is to be changed, in a few words each."""
    return [
        *(f"the package {name}" for name in plan["packages"]),
        *(["the group"] if plan["create_group"] else []),
        *(["the user"] if plan["create_user"] else []),
        *(f"the directory {directory['path']}" for directory in plan["directories"]),
        *(["what shall be in the virtual environment"] if venv["changed"] else []),
    ]


def _check_accounts(wanted: DeploymentParameters) -> Account | None:
    account = accounts.read_account(wanted.user)
    if account is not None and account.uid == 0:
        raise InvalidValue("gunicorn_user", wanted.user, "an unprivileged user: this one has uid 0")
    if account is not None and account.uid < 100 and wanted.user == wanted.project:
        expected = "another user (gunicorn_user): the distribution has one of this name for itself"
        raise InvalidValue("gunicorn_project", wanted.project, expected)
    for name in sorted({bind.group for bind in wanted.binds if bind.group} - {wanted.group}):
        if not accounts.has_group(name):
            raise InvalidValue("gunicorn_bind", name, "a group of the host for the unix socket")
    for name in sorted({bind.owner for bind in wanted.binds if bind.owner} - {wanted.user}):
        if accounts.read_account(name) is None:
            raise InvalidValue("gunicorn_bind", name, "a user of the host for the unix socket")
    if not wanted.manage_user:
        if account is None:
            raise InvalidValue("gunicorn_user", wanted.user, "an existing user, as gunicorn_manage_user is false")
        if not accounts.has_group(wanted.group):
            raise InvalidValue("gunicorn_group", wanted.group, "an existing group, as gunicorn_manage_user is false")
    return account


def _missing_packages(wanted: DeploymentParameters, has_venv: bool, manager: str) -> list[str]:
    """Debian packages that the deployment needs and the host lacks."""
    missing = [] if has_venv else _missing_venv_package(wanted.python)
    if manager == service_manager.SUPERVISOR and not os.path.exists(programs.PROGRAM):
        missing.append("supervisor")
    if wanted.log_files and not os.path.exists("/usr/sbin/logrotate"):
        missing.append("logrotate")
    return missing


def _missing_venv_package(python: str) -> list[str]:
    """Debian parts venv and ensurepip from the interpreter: pythonX.Y-venv holds them."""
    interpreter = os.path.realpath(shutil.which(python) or "")
    version = os.path.basename(interpreter)
    if os.path.isdir(interpreter) or (interpreter.startswith("/usr/bin/") and not _DEBIAN_PYTHON.match(version)):
        raise InvalidValue("gunicorn_python", python, "a Python 3 interpreter of the host, by its name or path")
    if not interpreter.startswith("/usr/bin/"):
        return []  # not Debian's: it has its own venv
    return [] if os.path.isdir(f"/usr/lib/{version}/ensurepip") else [f"{version}-venv"]
