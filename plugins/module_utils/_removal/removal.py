# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take away what the role made for one project, and nothing else.

A file is the role's if it says so in its first lines. The project's own code, settings, data, logs, virtual environment
and user go only if they are named, and stay if another service's unit or program names them, too. What systemd and
supervisor have of the service, and how they are told, stands in _removal_systemd and _removal_supervisor.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import re
import shutil
import stat
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files, journal, lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, ports
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import plan as removal_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.plan import (
    Found,
    Manager,
    RemovalError,
    RemovalPlan,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher, names, running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_absent_remove"
# What may be named, in the order in which it is removed
NAMES = ("venv", "code", "config", "data", "logs", "user")
# Users below are the system's, as those that the role makes; see login.defs(5).
_UID_MIN = 1000


class RemovalRequest(NamedTuple):
    """Which project is to go, and what of it."""

    project: str
    service: str
    user: str
    group: str
    venv: str
    code_directory: str
    config_directory: str
    data_directory: str
    log_files: tuple[str, ...]
    named: tuple[str, ...]


def check_parameters(given: dict) -> RemovalRequest:
    """Check the names and paths; raises InvalidValue for the first that can't be used."""
    project = checks.check_project("gunicorn_project", given["project"])
    logs = {"gunicorn_log_file": given["log_file"], "gunicorn_access_log_file": given["access_log_file"] or "-"}
    wanted = RemovalRequest(
        project=project,
        service=checks.check_service_name("gunicorn_service_name", given["service_name"]),
        user=checks.check_name("gunicorn_user", given["user"]),
        group=checks.check_name("gunicorn_group", given["group"]),
        venv=checks.check_path("gunicorn_venv", given["venv"]),
        code_directory=checks.check_path("gunicorn_code_directory", given["code_directory"]),
        config_directory=checks.check_path("gunicorn_config_directory", given["config_directory"]),
        data_directory=checks.check_path("gunicorn_data_directory", given["data_directory"]),
        log_files=tuple(checks.check_path(name, path) for name, path in logs.items() if path != "-"),
        named=tuple(name for name in NAMES if name in given["remove"]),
    )
    if "user" in wanted.named and not given["manage_user"]:
        raise InvalidValue(VARIABLE, "user", "other names: with gunicorn_manage_user: false the user is not the role's")
    return wanted


def make_plan(wanted: RemovalRequest, manager: Manager) -> RemovalPlan:
    """Look what there is; raises InvalidValue where it is not the role's, or not the project's own."""
    found = manager.read()
    others = _other_services(manager.replaced)
    left: list[str] = []
    replaced = (*manager.replaced, os.path.join(wanted.config_directory, "gunicorn.conf.py"))
    # The definitions last: as long as they are there, a run that was killed shows what is left to do.
    paths = [
        *_own_paths(wanted, manager.log_directory, others, left),
        *_configuration_files(wanted, found.files),
        *_closed_sockets(found),
        *found.definitions,
    ]
    keep = tuple(path for path in replaced if removal_plan.is_other(files.beside(path, files.PREVIOUS)))
    user, group = _accounts(wanted, others, left) if "user" in wanted.named else ("", "")
    left += [f"{path} is what was there before the role, made by hand" for path in _by_hand(replaced)]
    left += [f"{path} is not the role's" for path in (*_foreign(wanted), *found.foreign)]
    return RemovalPlan(
        stop=found.stop,
        disable=found.disable,
        keep=keep,
        paths=tuple(dict.fromkeys(path for path in paths if os.path.lexists(path))),
        user=user,
        group=group,
        left=tuple(left),
    )


def carry_out(plan: RemovalPlan, manager: Manager, runner: Runner) -> None:
    """Do it; raises RemovalError. What was killed on the way, the next run completes."""
    manager.stop(plan)
    for path in plan.keep:
        journal.keep_previous(path)
    try:
        for path in plan.paths:
            _remove(path)
    except OSError as error:
        raise RemovalError(f"{error.filename} can't be removed: {error.strerror}") from None
    manager.forget(plan)
    if plan.user:
        removal_plan.command(runner, "userdel", plan.user)
    if plan.group and accounts.has_group(plan.group):
        removal_plan.command(runner, "groupdel", plan.group)


def forget_locks(wanted: RemovalRequest) -> None:
    """Remove the files of the locks, as the last step."""
    for name in (names.lock_name(wanted.service), directories.lock_name(wanted.venv)):
        files.remove(lock.path_of(name))


# Configuration


def _configuration_files(wanted: RemovalRequest, more: tuple[str, ...]) -> list[str]:
    folder = wanted.config_directory
    configuration = os.path.join(folder, "gunicorn.conf.py")
    found = [*([] if removal_plan.is_other(configuration) else [configuration]), *more]
    secrets = os.path.join(folder, "secrets.env")
    text = files.read(secrets) or files.read(files.beside(secrets, files.PREVIOUS))
    if running.SECRETS in (text or ""):
        directory = os.path.join(folder, "credentials")
        credentials = [os.path.join(directory, name) for name in service_secrets.credentials_of(text or "")]
        found += [*credentials, *removal_plan.aside(credentials), secrets]
        if os.path.isdir(directory) and {os.path.join(directory, name) for name in os.listdir(directory)} <= set(found):
            found.append(directory)
    rotation = f"/etc/logrotate.d/gunicorn-{wanted.service}"
    return [*found, *removal_plan.aside(found), *([] if removal_plan.is_other(rotation) else [rotation])]


def _by_hand(replaced: tuple[str, ...]) -> list[str]:
    return sorted(kept for path in replaced for kept in glob.glob(f"{glob.escape(path)}{journal.KEPT}*"))


def _foreign(wanted: RemovalRequest) -> list[str]:
    configuration = os.path.join(wanted.config_directory, "gunicorn.conf.py")
    return [
        path for path in (f"/etc/logrotate.d/gunicorn-{wanted.service}", configuration) if removal_plan.is_other(path)
    ]


def _closed_sockets(found: Found) -> list[str]:
    """Neither systemd nor Gunicorn removes the files of unix sockets that it closes."""
    sockets = [path for path in found.addresses if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode)]
    # One that is open is the service's own, or somebody else's by now.
    return [path for path in sockets if found.active or not ports.unix_error(path)]


# What is the project's own


def _own_paths(wanted: RemovalRequest, log_directory: str, others: list[tuple[str, str]], left: list[str]) -> list[str]:
    """Paths that were named, less those that others use, which are noted in `left`."""
    found = {
        "venv": ("gunicorn_venv", _venv_paths(wanted.venv)),
        "code": ("gunicorn_code_directory", [wanted.code_directory]),
        "config": ("gunicorn_config_directory", [wanted.config_directory]),
        "data": ("gunicorn_data_directory", [wanted.data_directory]),
        "logs": ("gunicorn_log_file", [*_log_paths(wanted), *([log_directory] if log_directory else [])]),
    }
    result = []
    for name in wanted.named:
        variable, paths = found.get(name, ("", []))
        for path in paths:
            if os.path.isdir(path) and not os.path.islink(path) and name not in ("venv",):
                _check_own(wanted, variable, path)
            user = _used_by_another(others, path)
            if user:
                left.append(f"{path} is named by {user}")
            else:
                result.append(path)
    return result


def _check_own(wanted: RemovalRequest, variable: str, path: str) -> None:
    """A whole directory goes only if it bears the project's name: /srv itself must not."""
    if os.path.basename(path) not in (wanted.project, wanted.service):
        expected = f"a directory that bears the project's name (remove it yourself, and name less in {VARIABLE})"
        raise InvalidValue(variable, path, expected)


def _venv_paths(venv: str) -> list[str]:
    """The virtual environment, a link to one that was built here, and what is left of others of this path."""
    if not os.path.lexists(venv):
        return directories.leftovers(venv)
    if not os.path.isfile(os.path.join(venv, "pyvenv.cfg")) and os.path.isdir(venv):
        raise InvalidValue(
            "gunicorn_venv", venv, f"a virtual environment (it has no pyvenv.cfg), to remove it by {VARIABLE}"
        )
    target = os.path.realpath(venv)
    built = [target] if os.path.islink(venv) and directories.is_built(target) else []
    return [venv, *built, *directories.leftovers(venv)]


def _log_paths(wanted: RemovalRequest) -> list[str]:
    """The directory of the logs if it is the project's, else the logs alone, with those that were rotated."""
    found = []
    for path in wanted.log_files:
        folder = os.path.dirname(path)
        if os.path.basename(folder) in (wanted.project, wanted.service):
            found.append(folder)
        else:
            found += [path, *glob.glob(f"{glob.escape(path)}[.-][0-9]*")]
    return sorted(set(found))


def _used_by_another(others: list[tuple[str, str]], path: str) -> str:
    """The file of another service that names a path; an empty string where there is none."""
    named = re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w.-])")
    return next((name for name, text in others if named.search(text)), "")


def _other_services(own: tuple[str, ...]) -> list[tuple[str, str]]:
    """The names and texts of what makes services of others, units and programs, whoever runs this host."""
    units = sorted(glob.glob(os.path.join(systemd_units.UNIT_DIRECTORY, "*.service")))
    texts = {path: files.read(path) or "" for path in units}
    for path, text in configuration.read_files().items():
        # All that a program of the role says itself is where its description stands.
        described = [files.read(each) or "" for each in launcher.descriptions_in(text)]
        texts[path] = "\n".join([text, *described])
    return [(os.path.basename(path), text) for path, text in texts.items() if path not in own]


def _names_account(text: str, kind: str, name: str) -> bool:
    """Whether a unit, a program or a description runs as a user or group."""
    return re.search(rf'^\s*"?{kind}"?\s*[=:]\s*"?{re.escape(name)}(?![\w.-])', text, re.MULTILINE | re.I) is not None


def _accounts(wanted: RemovalRequest, others: list[tuple[str, str]], left: list[str]) -> tuple[str, str]:
    """The user and the group to remove, or empty strings."""
    user, group = wanted.user, wanted.group
    with contextlib.suppress(KeyError):
        if pwd.getpwnam(user).pw_uid >= _UID_MIN or pwd.getpwnam(user).pw_uid == 0:
            raise InvalidValue(VARIABLE, "user", f"other names: {user} is no system user, so the role did not make it")
    account = accounts.read_account(user)
    for name, text in others:
        if account and _names_account(text, "user", user):
            left.append(f"the user {user} is named by {name}")
            return "", ""
        if _names_account(text, "group", group):
            left.append(f"the group {group} is named by {name}")
            group = ""
    if not group or not accounts.has_group(group) or _has_members(group, user):
        group = ""
    return user if account else "", group


def _has_members(group: str, besides: str) -> bool:
    entry = grp.getgrnam(group)
    primary = [other.pw_name for other in pwd.getpwall() if other.pw_gid == entry.gr_gid]
    return bool({*entry.gr_mem, *primary} - {besides})


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        files.remove(path)
