# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment will find and need on its host, worked out before anything is changed.

Source of the layout: the book "Deploying Django on a single Debian or Ubuntu server".
"""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories as host_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import accounts as plan_accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import addresses, companions, names, packages
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import directories as plan_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names as service_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import systemd_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import AskedUnits, SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state


def make_plan(wanted: DeploymentParameters, runner: Runner, asked: AskedUnits | None) -> dict:
    """Read the host and say what is there and what is missing; raises InvalidValue where a value does not fit.

    What systemd was `asked` is None where supervisor runs the service.
    """
    manager = service_manager.SUPERVISOR if asked is None else service_manager.SYSTEMD
    service, sockets = names.read_service(wanted.service, asked)
    host_directories.check_parent("gunicorn_venv", wanted.venv)
    has_venv = state.stays(wanted.venv, wanted.python, wanted.venv_rebuild)
    account = plan_accounts.check_accounts(wanted)
    # Without workers, nothing listens.
    if wanted.serves:
        addresses.check_addresses(wanted.service, wanted.binds, service, sockets)
    directories = plan_directories.wanted_directories(wanted, account, service.active)
    if wanted.serves:
        addresses.check_socket_directories(wanted, made_by_hand=service.active and not sockets.active)
    companions.check_logs(wanted)
    if manager == service_manager.SYSTEMD:
        companions.check_units(wanted, runner)
    if manager == service_manager.SUPERVISOR:
        companions.check_programs(wanted)
        directories += plan_directories.console_directory(wanted)
    return {
        "manager": manager,
        "binds": [bind.gunicorn_bind for bind in wanted.binds],
        "socket_directives": addresses.socket_directives(wanted.binds),
        "health_protocols": wanted.protocols.by_bind,
        "environment": wanted.environment,
        "packages": packages.missing_packages(wanted, has_venv, manager),
        "create_user": account is None,
        "create_group": not accounts.has_group(wanted.group),
        "directories": directories,
        "companion_logs": companions.logs(wanted),
        "service": wanted.service,
        "singles": [each.name for each in wanted.companions if each.single],
    }


def observe(wanted: DeploymentParameters, secrets: str, credentials: str, asked: AskedUnits) -> SystemdState:
    """Read what the host has and runs of the service; raises NotOurs."""
    secret_files, secrets_hash = service_secrets.secret_files(secrets, credentials, wanted.config_directory)
    files = service_names.paths(wanted.service, wanted.config_directory)
    logs = wanted.log_files.values()
    found = systemd_state.read(wanted.service, files, wanted.binds, wanted.venv, wanted.group, logs, asked)
    return systemd_state.without_secrets(found, secret_files, secrets_hash)


def lacking(plan: dict, venv: dict) -> list[str]:
    """What the host lacks, in a few words each; `venv` is what gunicorn_venv would return."""
    return [
        *(f"the package {name}" for name in plan["packages"]),
        *(["the group"] if plan["create_group"] else []),
        *(["the user"] if plan["create_user"] else []),
        *(f"the directory {directory['path']}" for directory in plan["directories"]),
        *(["what belongs in the virtual environment"] if venv["changed"] else []),
    ]


def check_writable(wanted: DeploymentParameters, plan: dict, new_venv: bool) -> None:
    """Raise InvalidValue for a directory in which a deployment has to write and can't."""
    files = service_names.paths(wanted.service, wanted.config_directory)
    needed = [("gunicorn_config_directory", wanted.config_directory, files.configuration)]
    if new_venv:
        needed.append(("gunicorn_venv", wanted.venv, wanted.venv))
    needed += [("gunicorn_data_directory", path, path) for path in [wanted.data_directory] if not os.path.isdir(path)]
    needed += [
        (name, path, path) for name, path in wanted.log_files.items() if not os.path.isdir(os.path.dirname(path))
    ]
    supervised = plan["manager"] == service_manager.SUPERVISOR
    own = [os.path.join(programs.PROGRAMS, f"{wanted.service}.conf")] if supervised else [files.unit, files.socket]
    own += [files.memory, *([files.logrotate] if wanted.log_files else [])]
    needed += [("gunicorn_service_name", wanted.service, path) for path in own]
    for variable, value, path in needed:
        for folder in atomic_files.unwritable([path]):
            expected = f"a host on which root can write in {folder}: it is read-only"
            raise InvalidValue(variable, value, expected)
