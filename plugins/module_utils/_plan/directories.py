# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directories a deployment makes, and for whom."""

from __future__ import annotations

import os
import stat
from typing import Iterable, Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, directories, kernel_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import ENTER, WRITE, Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def wanted_directories(wanted: DeploymentParameters, account: Account | None, live: bool = False) -> list[dict]:
    """The directories to make, or to give to the service's user; the others that exist are left as they are."""
    result: list[dict] = []
    for path, (variable, value, owner) in _needed_directories(wanted).items():
        directory = {"path": path, "owner": owner, "group": wanted.group, "mode": "0750"}
        directories.check_parent(variable, value)
        if not os.path.exists(path):
            directories.check_way(variable, value, path)
            planned = [one["path"] for one in result]
            result += [parent for parent in directories.missing_parents(path) if parent["path"] not in planned]
            result.append(directory)
            continue
        status = os.stat(path)
        writable = account is not None and accounts.allows(status, account, WRITE | ENTER)
        if owner != "root" and not writable:
            directories.check_way(variable, value, path)
            if live and status.st_uid:
                # A running service would lose it before the new one has proved that it runs.
                raise InvalidValue("gunicorn_user", wanted.user, f"a user who may write in {path} (use chown yourself)")
            result.append(_handed_over(variable, value, directory, status, wanted))
    # Last: a directory that the user can't have at all, such as /etc for the data, has an error of its own.
    _check_config_directory(wanted)
    return result


def changeable_by_service(path: str, wanted: DeploymentParameters) -> str | None:
    """The first component of a path that the service's user can change, or will when the deployment has made it."""
    real = f"{os.path.realpath(path)}/"
    for own in (wanted.data_directory, *map(os.path.dirname, wanted.log_files.values())):
        if real.startswith(f"{os.path.realpath(own)}/"):
            return own
    return accounts.changeable_by(path, accounts.service_account(wanted.user, wanted.group))


def changeable_code(folders: Iterable[str], wanted: DeploymentParameters) -> str:
    """The first directory, module or package of the code that the service's user can change; empty if there is none.

    Directories without __init__.py are not looked into.
    """
    account = accounts.service_account(wanted.user, wanted.group)
    seen: set[str] = set()
    for folder in folders:
        found = changeable_by_service(folder, wanted)
        for path in _modules(folder, seen) if not found else ():
            found = found or accounts.changeable_by(path, account)
        if found:
            return found
    return ""


def _modules(folder: str, seen: set[str]) -> Iterator[str]:
    """Yield the modules of a directory, its packages and what is in them, also as Python has compiled it."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    is_compiled = os.path.basename(folder) == "__pycache__"
    for name in sorted(kernel_files.list_folder(folder)):
        path = os.path.join(folder, name)
        if is_compiled or name.endswith((".py", ".so")):
            yield path
        elif name == "__pycache__" or os.path.exists(os.path.join(path, "__init__.py")):
            yield path
            yield from _modules(path, seen)


def _check_config_directory(wanted: DeploymentParameters) -> None:
    """Root runs and moves the files in this directory: the user must not be able to put others there."""
    for path in (wanted.config_directory, os.path.join(wanted.config_directory, "credentials")):
        check_unchangeable("gunicorn_config_directory", wanted.config_directory, path, wanted)


def check_unchangeable(variable: str, value: str, path: str, wanted: DeploymentParameters) -> None:
    """Raise InvalidValue if the service's user can change a path that root relies on, and which the value needs."""
    found = changeable_by_service(path, wanted)
    if found:
        expected = f"a directory in and above which the user {wanted.user} may not write, as it may in {found}"
        raise InvalidValue(variable, value, expected)


def console_directory(wanted: DeploymentParameters) -> list[dict]:
    """The directory for what supervisor logs of the service: root opens the file there, and everybody could read it."""
    path = os.path.join(programs.LOGS, wanted.service)
    directory = {"path": path, "owner": "root", "group": wanted.group, "mode": "0750"}
    return [] if os.path.isdir(path) else [*directories.missing_parents(path), directory]


def _needed_directories(wanted: DeploymentParameters) -> dict[str, tuple[str, str, str]]:
    """Each directory once, in the order of making: the variable that needs it, its value, and the owner."""
    needed = {
        wanted.config_directory: ("gunicorn_config_directory", wanted.config_directory, "root"),
        wanted.data_directory: ("gunicorn_data_directory", wanted.data_directory, wanted.user),
    }
    # One that holds another comes first.
    for variable, path in sorted(wanted.log_files.items(), key=lambda item: os.path.dirname(item[1])):
        needed.setdefault(os.path.dirname(path), (variable, path, wanted.user))
    for path, (variable, value, _owner) in needed.items():
        if os.path.exists(path):
            directories.check_directory(variable, value, path)
    for variable, path in wanted.log_files.items():
        if os.path.isdir(path):
            raise InvalidValue(variable, path, "the path of a file: this is a directory")
        if os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode):
            # The service's user may have put it there. No start would succeed any more, and none would say why.
            raise InvalidValue(variable, path, "the path of a file: this is a FIFO, and Gunicorn waits for its reader")
    return needed


def _handed_over(
    variable: str, value: str, directory: dict, status: os.stat_result, wanted: DeploymentParameters
) -> dict:
    """Give away an existing directory only if it has the project's name: never /var/log itself."""
    if os.path.basename(directory["path"]) not in (wanted.project, wanted.service):
        expected = f"a directory in which the user {wanted.user} may write"
        raise InvalidValue(variable, value, expected)
    return {**directory, "mode": f"{status.st_mode & 0o7777:04o}"}
