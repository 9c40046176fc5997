# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a removal takes away, what it leaves, and what it refuses to touch.

A file is the role's if its first lines say so. The project's own code, settings, data, logs, virtual environment and
user are removed only if they are named, and stay if the unit or program of another service names them, too.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import re
import stat
import zipfile
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files, journal, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, listening, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories as host_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import manager as removal_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.manager import Found, Manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal.parameters import VARIABLE, RemovalRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names, running, uses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.names import Paths
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.uses import ProcessPaths
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Users and groups from and below are system users, as the role makes them; see login.defs(5). Those below 100 come with
# the distribution: see Debian's policy, section 9.2.2.
_ID_MIN, _UID_MIN = 100, 1000


class RemovalPlan(NamedTuple):
    """What there is to do. Paths are removed in this order, directories with everything in them."""

    found: Found
    keep: tuple[str, ...]  # files whose predecessors must be kept: an interrupted change replaced them
    paths: tuple[str, ...]
    user: str  # empty if it stays
    group: str
    left: tuple[str, ...]  # what is left on purpose, and why: a sentence each

    @property
    def removals(self) -> list[str]:
        """Everything that is stopped or removed."""
        users = [f"user {self.user}"] * bool(self.user) + [f"group {self.group}"] * bool(self.group)
        return [*self.found.stop, *self.paths, *users]

    @property
    def is_change(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.removals or self.found.disable)


def make_plan(wanted: RemovalRequest, manager: Manager) -> RemovalPlan:
    """Look what there is; raises InvalidValue for what the role did not make, or what is not the project's own."""
    found = manager.read()
    others = uses.read_others(manager.replaced)
    made = names.paths(wanted.service, wanted.config_directory)
    replaced = (*manager.replaced, made.configuration)
    named = _named_paths(wanted, manager.log_directory, found.logs)
    kept = _kept(named, others, manager) if named else {}
    # The definitions last: as long as they are there, a run that was killed shows what is left to do.
    paths = [
        *(path for together in named for path in together if path not in kept),
        *_configuration_files(wanted, made, found.files),
        *_closed_sockets(found),
        *found.definitions,
    ]
    user, group, shared = _accounts(wanted, others) if "user" in wanted.named else ("", "", [])
    foreign = [path for path in (made.logrotate, made.memory, made.configuration) if removal_manager.is_foreign(path)]
    return RemovalPlan(
        found=found,
        keep=tuple(path for path in replaced if removal_manager.is_foreign(files.beside(path, files.PREVIOUS))),
        paths=tuple(path for path in dict.fromkeys(paths) if os.path.lexists(path)),
        user=user,
        group=group,
        left=(
            *dict.fromkeys(kept.values()),
            *shared,
            *(f"{path} was made by hand before the role replaced it" for path in _made_by_hand(replaced)),
            *(f"{path} is not the role's" for path in (*foreign, *found.foreign)),
        ),
    )


def _kept(named: list[tuple[str, ...]], others: list[tuple[str, str]], manager: Manager) -> dict[str, str]:
    """The named paths that stay, and why, a sentence each. Of paths that belong together, all stay."""
    # The callers of this module may name what it removes, such as an ansible-playbook on this host.
    callers = {os.getpid(), *processes.ancestors_of(os.getpid())}
    others_processes = uses.read_processes(manager.own_units, {*callers, *manager.own_processes()})
    kept = {}
    for together in named:
        why = next(filter(None, (_why_kept(path, others, others_processes) for path in together)), "")
        if why:
            kept.update(dict.fromkeys(together, why))
    return kept


def _why_kept(path: str, others: list[tuple[str, str]], others_processes: list[ProcessPaths]) -> str:
    user, unit = uses.naming_path(others, path), ""
    if user:
        return f"{path} is named by {user}"
    if os.path.lexists(path):
        unit = uses.naming_path([(each.name, each.used) for each in others_processes], path, follow=False)
        unit = unit or uses.naming_path([(each.name, each.named) for each in others_processes], path)
    if unit:
        return f"{path} is used by {unit if unit.startswith('process ') else f'a process of {unit}'}"
    reason = host_directories.unsafe(os.path.dirname(path))
    return f"{path} can't be reached safely ({reason})" if reason else ""


# What the user names of the project's own


def _named_paths(wanted: RemovalRequest, log_directory: str, companion_logs: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The paths behind the names, those together that belong together.

    Raises InvalidValue for a directory that may hold more than the project.
    """
    found = {
        "code": ("gunicorn_code_directory", [wanted.code_directory]),
        "config": ("gunicorn_config_directory", [wanted.config_directory]),
        "data": ("gunicorn_data_directory", [wanted.data_directory]),
        "logs": ("gunicorn_log_file", [*_log_paths(wanted, companion_logs), *filter(None, [log_directory])]),
    }
    result: list[tuple[str, ...]] = _venv_paths(wanted.venv) if "venv" in wanted.named else []
    if "code" in wanted.named:
        result += [(path,) for path in live.paths(wanted.releases_directory, wanted.static_directory, wanted.service)]
    for name in wanted.named:
        variable, paths = found.get(name, ("", []))
        for path in paths:
            if os.path.isdir(path) and not os.path.islink(path):
                _check_own(wanted, variable, path)
            result.append((path,))
    return result


def _venv_paths(venv: str) -> list[tuple[str, ...]]:
    """The virtual environment, with its target if that was built at this path, and what earlier builds have left here.

    A path can be a link to what another project has built: of that, only the link is this project's.
    """
    beside = f"{links.settled(venv)}"
    leftovers = [(path,) for path in directories.leftovers(venv) if path.startswith(beside)]
    if not os.path.lexists(venv):
        return leftovers
    if not os.path.isfile(os.path.join(venv, "pyvenv.cfg")) and os.path.isdir(venv):
        expected = f"a virtual environment (it has no pyvenv.cfg), to remove it by {VARIABLE}"
        raise InvalidValue("gunicorn_venv", venv, expected)
    target = os.path.realpath(venv)
    built = (
        os.path.islink(venv) and re.fullmatch(re.escape(beside) + links.HEX, target) and directories.is_built(target)
    )
    return [(venv, target) if built else (venv,), *leftovers]


def _log_paths(wanted: RemovalRequest, companion_logs: tuple[str, ...]) -> list[str]:
    """The directory of the logs if it has the project's name, else only the logs and their rotated versions."""
    found = []
    for path in wanted.log_files:
        folder = os.path.dirname(path)
        found += [folder] if os.path.basename(folder) in (wanted.project, wanted.service) else _with_rotated(path)
    for path in companion_logs:
        # It may be in the directory of the data, which is not the logs'.
        found += [] if os.path.dirname(path) in found else _with_rotated(path)
    return sorted(set(found))


def _with_rotated(log: str) -> list[str]:
    return [log, *glob.glob(f"{glob.escape(log)}[.-][0-9]*")]


def _check_own(wanted: RemovalRequest, variable: str, path: str) -> None:
    """Refuse a directory without the project's name, such as /srv itself."""
    if os.path.basename(path) not in (wanted.project, wanted.service):
        expected = f"a directory with the project's name (remove this one yourself, without {VARIABLE})"
        raise InvalidValue(variable, path, expected)


def _accounts(wanted: RemovalRequest, others: list[tuple[str, str]]) -> tuple[str, str, list[str]]:
    """The user and the group to remove, or empty strings; and who else needs them."""
    user, group = wanted.user, wanted.group
    with contextlib.suppress(KeyError):
        if not _ID_MIN <= pwd.getpwnam(user).pw_uid < _UID_MIN:
            reason = "no system user" if pwd.getpwnam(user).pw_uid >= _UID_MIN else "the distribution's"
            raise InvalidValue(VARIABLE, "user", f"other names: {user} is {reason}, so the role did not make it")
    account = accounts.read_account(user)
    shared: list[str] = []
    for name, text in others:
        if account and uses.names_account(text, "user", user):
            return "", "", [*shared, f"the user {user} is named by {name}"]
        if group and uses.names_account(text, "group", group):
            shared.append(f"the group {group} is named by {name}")
            group = ""
    distributions = group in accounts.POWERFUL | accounts.READERS or accounts.group_id(group) < _ID_MIN
    if not accounts.has_group(group) or distributions or _has_members(group, user):
        group = ""
    return user if account else "", group, shared


def _has_members(group: str, besides: str) -> bool:
    entry = grp.getgrnam(group)
    primary = [other.pw_name for other in pwd.getpwall() if other.pw_gid == entry.gr_gid]
    return bool({*entry.gr_mem, *primary} - {besides})


# What the role made


def _configuration_files(wanted: RemovalRequest, made: Paths, more: tuple[str, ...]) -> list[str]:
    """The files in the project's directory of settings, the rotation of its logs, and the note of its memory."""
    found = [*([] if removal_manager.is_foreign(made.configuration) else [made.configuration]), *more]
    secrets = os.path.join(wanted.config_directory, "secrets.env")
    directory = os.path.join(wanted.config_directory, "credentials")
    text = files.read(secrets) or files.read(files.beside(secrets, files.PREVIOUS)) or ""
    if running.SECRETS in text:
        credentials = [os.path.join(directory, name) for name in names.credentials_of(text)]
        found += [*credentials, *removal_manager.left_beside(credentials), secrets]
    # It also stays empty when a deployment has no credentials any more.
    if os.path.isdir(directory) and {os.path.join(directory, name) for name in os.listdir(directory)} <= set(found):
        found.append(directory)
    for command in (names.roll_back_command(wanted.service), names.run_command(wanted.service)):
        found += [command, *removal_manager.left_beside([command])] if zipfile.is_zipfile(command) else []
    sudoers = names.sudoers(wanted.service)
    found += [] if removal_manager.is_foreign(sudoers) else [sudoers]
    beside = [path for path in (made.logrotate, made.memory) if not removal_manager.is_foreign(path)]
    return [*found, *removal_manager.left_beside([*found, made.logrotate, made.memory]), *beside]


def _closed_sockets(found: Found) -> list[str]:
    """Neither systemd nor Gunicorn removes the files of unix sockets that it closes."""
    sockets = [path for path in found.addresses if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode)]
    # If the service is not active, an open socket belongs to somebody else.
    return [path for path in sockets if found.active or not listening.unix_error(path)]


def _made_by_hand(replaced: tuple[str, ...]) -> list[str]:
    """What the role kept of files that it replaced."""
    return sorted(kept for path in replaced for kept in glob.glob(f"{glob.escape(path)}{journal.KEPT}*"))
