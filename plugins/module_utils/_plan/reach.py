# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the service will reach its code, its virtual environment, its data and its logs.

Its sandbox may hide them, and its user may not be allowed to enter a directory. systemd says 203/EXEC then, or Python a
missing module, after the virtual environment was built. Source: systemd.exec(5).
"""

from __future__ import annotations

import os
import shlex
import shutil
from typing import Dict, Iterator, List, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts, directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import ENTER, READ, Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# What the role's sandbox sets if nobody else does
DEFAULTS = {"ProtectHome": "yes", "PrivateTmp": "yes"}
_ON = ("1", "yes", "y", "true", "t", "on")
_HOMES, _TEMPORARY = ("/home", "/root", "/run/user"), ("/tmp", "/var/tmp")


class Needed(NamedTuple):
    """A path that the service needs, the variable that says it, and what its user must be allowed there."""

    variable: str
    path: str
    permissions: int = 0  # 0: to enter its parents is enough


Sandbox = Dict[str, List[str]]  # the values of each directive


def check_reach(wanted: DeploymentParameters, given: dict, sandbox: Sandbox | None, made: list[str]) -> None:
    """Raise InvalidValue for a path that the service would not reach.

    `given` are the module's parameters, and `sandbox` the directives that are in effect, None without a sandbox. The
    role makes, or hands over, the directories in `made`.
    """
    directives = sandbox or {}
    if any(directives.get(name, [""])[-1] for name in ("RootDirectory", "RootImage")):
        return
    hidden = list(_hidden(directives))
    opened = _paths(directives, "BindPaths", "BindReadOnlyPaths")
    may_enter_all = "CAP_DAC_" in " ".join(directives.get("AmbientCapabilities", []))
    account = _account(wanted, sandbox)
    seen: dict[str, os.stat_result] = {}
    for needed in _needed(wanted, given):
        places = list(dict.fromkeys((needed.path, os.path.realpath(needed.path))))
        if any(_is_below(place, path) for place in places for path in opened):
            continue
        for directive, folder in hidden:
            if any(_is_below(place, folder) or _is_below(place, os.path.realpath(folder)) for place in places):
                raise InvalidValue(needed.variable, needed.path, _how_to_show(directive, folder))
        for step, status, permissions in [] if may_enter_all else _barred(needed, places, account, made, seen):
            how = _how_to_open(step, status, permissions, sandbox is not None)
            raise InvalidValue(needed.variable, needed.path, f"a path that the user {wanted.user} can reach: {how}")


def effective(service_directives: dict, added: Sandbox) -> Sandbox:
    """What the unit's directives and those of drop-ins say together, as far as it matters here."""
    found: Sandbox = {name: [value] for name, value in DEFAULTS.items()}
    for name, value in service_directives.items():
        values = value if isinstance(value, list) else [value]
        found[name] = ["yes" if each is True else "no" if each in (False, None) else str(each) for each in values]
    for name, values in added.items():
        found[name] = found.get(name, []) + values
    return found


def _hidden(sandbox: Sandbox) -> Iterator[tuple[str, str]]:
    """Each directive that hides something, and what."""
    if sandbox.get("ProtectHome", [""])[-1].lower() in (*_ON, "tmpfs"):
        yield from (("ProtectHome", folder) for folder in _HOMES)
    if sandbox.get("PrivateTmp", [""])[-1].lower() in (*_ON, "disconnected"):
        yield from (("PrivateTmp", folder) for folder in _TEMPORARY)
    for name in ("InaccessiblePaths", "TemporaryFileSystem"):
        yield from ((name, path) for path in _paths(sandbox, name))


def _paths(sandbox: Sandbox, *names: str) -> list[str]:
    """The paths that directives name; of a source and a destination, the destination."""
    found: list[str] = []
    for name in names:
        for value in sandbox.get(name, []):
            try:
                words = shlex.split(value)
            except ValueError:
                words = value.split()
            # An empty value forgets those before it.
            found = [*found, *(_destination(name, word.lstrip("-+")) for word in words)] if words else []
    return [path for path in found if path.startswith("/") and "%" not in path]


def _destination(name: str, word: str) -> str:
    parts = word.split(":")
    return parts[1] if name.startswith("Bind") and len(parts) > 1 else parts[0]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _how_to_show(directive: str, folder: str) -> str:
    value = {"ProtectHome": "read-only", "PrivateTmp": "false"}.get(directive)
    how = f"gunicorn_service_directives: {{{directive}: {value}}}" if value else f"another {directive}="
    return f"a path that the service can see, or {how}: {directive}= hides {folder} from it"


def _account(wanted: DeploymentParameters, sandbox: Sandbox | None) -> Account:
    """The service's user with the groups that its processes will have."""
    names = [wanted.group, *" ".join((sandbox or {}).get("SupplementaryGroups", [])).split()]
    groups = tuple(accounts.group_id(name) for name in names)
    account = accounts.read_account(wanted.user) or Account(-1, groups[0], ())
    # Under supervisor, the launcher takes the group alone.
    return account._replace(groups=groups if sandbox is None else account.groups + groups)


def _needed(wanted: DeploymentParameters, given: dict) -> Iterator[Needed]:
    names = {given["code_directory"]: "gunicorn_code_directory", wanted.config_directory: "gunicorn_config_directory"}
    for path in wanted.environment.get("PYTHONPATH", "").split(":"):
        # Python takes a directory that it can't list for an empty one.
        if os.path.isabs(path):
            yield Needed(names.get(path, "gunicorn_environment['PYTHONPATH']"), path, READ | ENTER)
    chdir = given["settings"].get("chdir")
    if isinstance(chdir, str) and os.path.isabs(chdir):
        yield Needed("gunicorn_settings['chdir']", chdir, READ | ENTER)
    yield Needed("gunicorn_config_directory", wanted.config_directory, ENTER)
    yield Needed("gunicorn_venv", wanted.venv, ENTER)
    python = os.path.join(wanted.venv, "bin", "python")
    if wanted.venv_rebuild or not os.path.exists(python):
        python = shutil.which(wanted.python) or ""
    if python:
        yield Needed("gunicorn_python", os.path.realpath(python))
    yield Needed("gunicorn_data_directory", wanted.data_directory)
    for variable, path in wanted.log_files.items():
        yield Needed(variable, path)


def _barred(
    needed: Needed, places: list[str], account: Account, made: list[str], seen: dict[str, os.stat_result]
) -> Iterator[tuple[str, os.stat_result, int]]:
    """Each directory on the way that does not let the account through, and what it would have to allow."""
    for place in places:
        for step in directories.steps_to(place):
            permissions = needed.permissions if step == place else ENTER
            if not permissions or step in made or not os.path.isdir(step):
                continue
            status = seen.setdefault(step, os.stat(step))
            if not accounts.allows(status, account, permissions) and not accounts.has_acl(step):
                yield step, status, permissions


def _how_to_open(path: str, status: os.stat_result, permissions: int, has_sandbox: bool) -> str:
    group = accounts.group_name(status.st_gid)
    how = f"chmod o+{'rx' if permissions & READ else 'x'} {shlex.quote(path)}"
    if status.st_mode >> 3 & permissions == permissions and status.st_gid:
        joined = f"gunicorn_service_directives: {{SupplementaryGroups: {group}}}"
        how += f", or {joined if has_sandbox else f'gunicorn_group: {group}'}"
    is_of = f"{path} is of {accounts.user_name(status.st_uid)}:{group} with mode {status.st_mode & 0o7777:04o}"
    return f"{is_of}. Use {how}"
