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
from typing import Callable, Iterable, NamedTuple, Protocol

from ansible_collections.pyweb.gunicorn.plugins.module_utils import (
    _change,
    _files,
    _hoststate,
    _lock,
    _running,
    _secret_files,
    _supervised,
    _supervisor,
    _switch,
    _validation,
    _venv_layout,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

VARIABLE = "gunicorn_absent_remove"
# What may be named, in the order in which it is removed
NAMES = ("venv", "code", "config", "data", "logs", "user")
# Users below are the system's, as those that the role makes; see login.defs(5).
_UID_MIN = 1000
Run = Callable[[list], "tuple[int, str, str]"]


class RemovalError(Exception):
    """Something could not be removed; the message says what, and what is left to do."""


class Wanted(NamedTuple):
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


class Found(NamedTuple):
    """What a manager of services has of the service."""

    stop: tuple[str, ...]
    disable: tuple[str, ...]
    addresses: tuple[str, ...]  # paths of unix sockets that the service listened on
    active: bool  # whether it still does
    files: tuple[str, ...]  # the role's, to remove first
    definitions: tuple[str, ...]  # what makes it a service, and what a change left: to remove last
    foreign: tuple[str, ...]  # what is there, and is not the role's


class Manager(Protocol):
    """What runs services on a host: systemd or supervisor."""

    replaced: tuple[str, ...]  # definitions that a person may have made before the role made its own
    log_directory: str  # its own for the service, or an empty string

    def read(self) -> Found:
        """Look what there is; raises InvalidValue where it is not the role's."""

    def stop(self, plan: Plan) -> None:
        """End the service, and let nothing start it again; raises RemovalError."""

    def forget(self, plan: Plan) -> None:
        """Know nothing of it any more, now that its files are gone; raises RemovalError."""


class Plan(NamedTuple):
    """What there is to do. Paths are removed in their order, directories with what is in them."""

    stop: tuple[str, ...]
    disable: tuple[str, ...]
    keep: tuple[str, ...]  # predecessors of a change that was interrupted, which are not the role's
    paths: tuple[str, ...]
    user: str
    group: str
    left: tuple[str, ...]  # sentences: what is there on purpose

    @property
    def changes(self) -> list[str]:
        """Everything that goes, or stops."""
        accounts = [f"user {self.user}"] * bool(self.user) + [f"group {self.group}"] * bool(self.group)
        return [*self.stop, *self.paths, *accounts]


def check_parameters(given: dict) -> Wanted:
    """Check the names and paths; raises InvalidValue for the first that can't be used."""
    project = _validation.check_project("gunicorn_project", given["project"])
    logs = {"gunicorn_log_file": given["log_file"], "gunicorn_access_log_file": given["access_log_file"] or "-"}
    wanted = Wanted(
        project=project,
        service=_validation.check_service_name("gunicorn_service_name", given["service_name"]),
        user=_validation.check_name("gunicorn_user", given["user"]),
        group=_validation.check_name("gunicorn_group", given["group"]),
        venv=_validation.check_path("gunicorn_venv", given["venv"]),
        code_directory=_validation.check_path("gunicorn_code_directory", given["code_directory"]),
        config_directory=_validation.check_path("gunicorn_config_directory", given["config_directory"]),
        data_directory=_validation.check_path("gunicorn_data_directory", given["data_directory"]),
        log_files=tuple(_validation.check_path(name, path) for name, path in logs.items() if path != "-"),
        named=tuple(name for name in NAMES if name in given["remove"]),
    )
    if "user" in wanted.named and not given["manage_user"]:
        raise InvalidValue(VARIABLE, "user", "other names: with gunicorn_manage_user: false the user is not the role's")
    return wanted


def make_plan(wanted: Wanted, manager: Manager) -> Plan:
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
    keep = tuple(path for path in replaced if is_other(_files.beside(path, _files.PREVIOUS)))
    user, group = _accounts(wanted, others, left) if "user" in wanted.named else ("", "")
    left += [f"{path} is what was there before the role, made by hand" for path in _by_hand(replaced)]
    left += [f"{path} is not the role's" for path in (*_foreign(wanted), *found.foreign)]
    return Plan(
        stop=found.stop,
        disable=found.disable,
        keep=keep,
        paths=tuple(dict.fromkeys(path for path in paths if os.path.lexists(path))),
        user=user,
        group=group,
        left=tuple(left),
    )


def carry_out(plan: Plan, manager: Manager, run: Run) -> None:
    """Do it; raises RemovalError. What was killed on the way, the next run completes."""
    manager.stop(plan)
    for path in plan.keep:
        _files.keep_previous(path)
    try:
        for path in plan.paths:
            _remove(path)
    except OSError as error:
        raise RemovalError(f"{error.filename} can't be removed: {error.strerror}") from None
    manager.forget(plan)
    if plan.user:
        command(run, "userdel", plan.user)
    if plan.group and _hoststate.has_group(plan.group):
        command(run, "groupdel", plan.group)


def forget_locks(wanted: Wanted) -> None:
    """Remove the files of the locks, as the last step."""
    for name in (_change.lock_name(wanted.service), _venv_layout.lock_name(wanted.venv)):
        _files.remove(_lock.path_of(name))


# What the managers share


def refusal(service: str, what: str) -> InvalidValue:
    """The error for a service that somebody else made."""
    expected = f"a service that the role made: {what} was not. Remove it yourself, or let the role adopt it first"
    return InvalidValue("gunicorn_service_name", service, expected)


def is_other(path: str) -> bool:
    """Whether there is a file, and it is not the role's."""
    return os.path.lexists(path) and not _switch.is_ours(_files.read(path))


def aside(paths: Iterable[str]) -> list[str]:
    """What an interrupted change may have left beside files."""
    return [_files.beside(path, prefix) for path in paths for prefix in (_files.CANDIDATE, _files.PREVIOUS)]


def command(run: Run, *words: str) -> None:
    """Run a command; raises RemovalError with its own words."""
    code, output, errors = run(list(words))
    if code:
        raise RemovalError(" ".join((errors or output).split()) or f"{' '.join(words)} failed")


# Configuration


def _configuration_files(wanted: Wanted, more: tuple[str, ...]) -> list[str]:
    folder = wanted.config_directory
    configuration = os.path.join(folder, "gunicorn.conf.py")
    found = [*([] if is_other(configuration) else [configuration]), *more]
    secrets = os.path.join(folder, "secrets.env")
    text = _files.read(secrets) or _files.read(_files.beside(secrets, _files.PREVIOUS))
    if _running.SECRETS in (text or ""):
        directory = os.path.join(folder, "credentials")
        credentials = [os.path.join(directory, name) for name in _secret_files.credentials_of(text or "")]
        found += [*credentials, *aside(credentials), secrets]
        if os.path.isdir(directory) and {os.path.join(directory, name) for name in os.listdir(directory)} <= set(found):
            found.append(directory)
    rotation = f"/etc/logrotate.d/gunicorn-{wanted.service}"
    return [*found, *aside(found), *([] if is_other(rotation) else [rotation])]


def _by_hand(replaced: tuple[str, ...]) -> list[str]:
    return sorted(kept for path in replaced for kept in glob.glob(f"{glob.escape(path)}{_files.KEPT}*"))


def _foreign(wanted: Wanted) -> list[str]:
    configuration = os.path.join(wanted.config_directory, "gunicorn.conf.py")
    return [path for path in (f"/etc/logrotate.d/gunicorn-{wanted.service}", configuration) if is_other(path)]


def _closed_sockets(found: Found) -> list[str]:
    """Neither systemd nor Gunicorn removes the files of unix sockets that it closes."""
    sockets = [path for path in found.addresses if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode)]
    # One that is open is the service's own, or somebody else's by now.
    return [path for path in sockets if found.active or not _hoststate.unix_error(path)]


# What is the project's own


def _own_paths(wanted: Wanted, log_directory: str, others: list[tuple[str, str]], left: list[str]) -> list[str]:
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


def _check_own(wanted: Wanted, variable: str, path: str) -> None:
    """A whole directory goes only if it bears the project's name: /srv itself must not."""
    if os.path.basename(path) not in (wanted.project, wanted.service):
        expected = f"a directory that bears the project's name (remove it yourself, and name less in {VARIABLE})"
        raise InvalidValue(variable, path, expected)


def _venv_paths(venv: str) -> list[str]:
    """The virtual environment, a link to one that was built here, and what is left of others of this path."""
    if not os.path.lexists(venv):
        return _venv_layout.leftovers(venv)
    if not os.path.isfile(os.path.join(venv, "pyvenv.cfg")) and os.path.isdir(venv):
        raise InvalidValue(
            "gunicorn_venv", venv, f"a virtual environment (it has no pyvenv.cfg), to remove it by {VARIABLE}"
        )
    target = os.path.realpath(venv)
    built = [target] if os.path.islink(venv) and _venv_layout.is_built(target) else []
    return [venv, *built, *_venv_layout.leftovers(venv)]


def _log_paths(wanted: Wanted) -> list[str]:
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
    units = sorted(glob.glob(os.path.join(_hoststate.UNIT_DIRECTORY, "*.service")))
    texts = {path: _files.read(path) or "" for path in units}
    for path, text in _supervisor.read_files().items():
        # All that a program of the role says itself is where its description stands.
        described = [_files.read(each) or "" for each in _supervised.descriptions_in(text)]
        texts[path] = "\n".join([text, *described])
    return [(os.path.basename(path), text) for path, text in texts.items() if path not in own]


def _names_account(text: str, kind: str, name: str) -> bool:
    """Whether a unit, a program or a description runs as a user or group."""
    return re.search(rf'^\s*"?{kind}"?\s*[=:]\s*"?{re.escape(name)}(?![\w.-])', text, re.MULTILINE | re.I) is not None


def _accounts(wanted: Wanted, others: list[tuple[str, str]], left: list[str]) -> tuple[str, str]:
    """The user and the group to remove, or empty strings."""
    user, group = wanted.user, wanted.group
    with contextlib.suppress(KeyError):
        if pwd.getpwnam(user).pw_uid >= _UID_MIN or pwd.getpwnam(user).pw_uid == 0:
            raise InvalidValue(VARIABLE, "user", f"other names: {user} is no system user, so the role did not make it")
    account = _hoststate.read_account(user)
    for name, text in others:
        if account and _names_account(text, "user", user):
            left.append(f"the user {user} is named by {name}")
            return "", ""
        if _names_account(text, "group", group):
            left.append(f"the group {group} is named by {name}")
            group = ""
    if not group or not _hoststate.has_group(group) or _has_members(group, user):
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
        _files.remove(path)
