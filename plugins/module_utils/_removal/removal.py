# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove what the role made for a project."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files, journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories as host_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.directories import UnsafeDirectory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import repository
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import manager as removal_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import plan as removal_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import Manager, RemovalError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.parameters import RemovalRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import RemovalPlan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.supervisor import SupervisorManager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.systemd import SystemdManager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import lock as service_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names


def remove(given: dict, runner: Runner, check_mode: bool) -> RemovalPlan:
    """Do what the module's arguments ask for, or in check mode only look; returns what there was to do.

    Raises InvalidValue, SupervisorError and DeployError while nothing was changed, and RemovalError later.
    """
    wanted = parameters.check_parameters(given)
    manager = _manager_of(wanted, given["service_manager"], runner)
    if check_mode:
        return removal_plan.make_plan(wanted, manager)
    with service_lock.locked(wanted.service):
        plan = removal_plan.make_plan(wanted, manager)
        _carry_out(plan, manager, runner)
        _remove_locks(wanted)
    return plan


def _manager_of(wanted: RemovalRequest, named: str, runner: Runner) -> Manager:
    """The manager of the service; raises InvalidValue if the host does not have the one that is named."""
    if service_manager.choose(named) == service_manager.SUPERVISOR:
        return SupervisorManager(wanted.service, wanted.config_directory)
    return SystemdManager(wanted.service, runner)


def _carry_out(plan: RemovalPlan, manager: Manager, runner: Runner) -> None:
    """Raises RemovalError. If it is killed, the next run does the rest."""
    manager.stop(plan.found)
    for path in plan.keep:
        journal.keep_previous(path)
    try:
        for path in plan.paths:
            host_directories.remove(path)
    except OSError as error:
        raise RemovalError(f"{error.filename} can't be removed: {error.strerror}") from None
    except UnsafeDirectory as error:
        raise RemovalError(f"{path} can't be removed: {error}") from None
    manager.forget(plan.found, plan.paths)
    if plan.user:
        removal_manager.command(runner, "userdel", plan.user)
    # userdel may have removed the group with the user.
    if plan.group and accounts.has_group(plan.group):
        removal_manager.command(runner, "groupdel", plan.group)


def _remove_locks(wanted: RemovalRequest) -> None:
    """The last step: from here on, another run can have the locks."""
    fetched = os.path.join(wanted.releases_directory, repository.NAME)
    for name in (names.lock_name(wanted.service), directories.lock_name(wanted.venv), repository.lock_name(fetched)):
        files.remove(atomic_lock.path_of(name))
