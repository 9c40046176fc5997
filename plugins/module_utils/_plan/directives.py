# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the directives that a user adds to the unit of a service, and those that drop-ins on the host add."""

from __future__ import annotations

import os
import shlex
from typing import Collection

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import unit_limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import drop_ins, quoting, units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.drop_ins import Assignment
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Directives that would undo what other variables and their checks say.
ROLES_OWN = frozenset(
    [
        "User",
        "Group",
        "Type",
        "NotifyAccess",
        "ExecStart",
        "ExecReload",
        "RuntimeDirectory",
        "RuntimeDirectoryPreserve",
        "Sockets",
    ]
)
_DIRECTIVES = "gunicorn_service_directives"
# What a drop-in must not set, and what says it instead. Without a variable, the role relies on its own value.
_SAID_BY = {
    "Service": {
        **dict.fromkeys(ROLES_OWN, ""),
        "ExecStart": "gunicorn_app, gunicorn_workers, gunicorn_bind, gunicorn_settings and the logs",
        "User": "gunicorn_user",
        "DynamicUser": "gunicorn_user",
        "Group": "gunicorn_group",
        "RuntimeDirectoryMode": "",
        "NonBlocking": "",
        **dict.fromkeys(("WorkingDirectory", "KillMode", "TimeoutStopSec", "TimeoutSec"), _DIRECTIVES),
    },
    "Socket": {
        **dict.fromkeys(("BindIPv6Only", "SocketUser", "SocketGroup", "SocketMode"), "gunicorn_bind"),
        **dict.fromkeys(("Service", "Accept", "FileDescriptorName"), ""),
    },
}
# Directives to which a drop-in may add. An empty value forgets what the role has said.
_LISTS = {
    "Environment": "gunicorn_environment",
    "EnvironmentFile": "gunicorn_secrets",
    "LoadCredential": "gunicorn_credentials",
    "ExecStartPost": "",
}
# Variables that the role itself sets
_ROLES_VARIABLES = ("SPT_NOENV", "GUNICORN_CONFIGURATION", "GUNICORN_SECRETS", "GUNICORN_APP_REVISION")


def check_directives(variable: str, directives: dict) -> None:
    """Raise InvalidValue for a directive that is the role's own or that systemd would not take."""
    for name in ROLES_OWN.intersection(directives):
        expected = "other directives: this one is made of the role's variables"
        raise InvalidValue(f"{variable}['{name}']", directives[name], expected)
    unit_limits.check_limits(variable, directives)
    if directives.get("Slice"):
        cgroups.check_slice(directives["Slice"], f"{variable}['Slice']")
    try:
        quoting.directives(directives)
    except ValueError as error:
        raise InvalidValue(variable, directives, f"names and values of systemd ({error})") from None


def check_drop_ins(service: str, own: dict[str, str], given: Collection[str]) -> dict[str, list[str]]:
    """The directives that drop-ins add to a service; raises InvalidValue for one that a variable of the role says.

    `own` has values of the role that a drop-in may repeat. `given` names what the service is given: variables of its
    environment, gunicorn_secrets and gunicorn_credentials.
    """
    names = [f"{service}{suffix}" for suffix in (".service", ".socket", "-standin.service")]
    paths = {unit: [path for path in drop_ins.find(unit) if not _is_of_a_change(path)] for unit in names}
    for found in drop_ins.assignments(list(dict.fromkeys(sum(paths.values(), [])))):
        said_by = _overridden(found, given)
        if said_by is not None and not (found.value and own.get(found.name) == found.value):
            expected = f"no {found.name}= in {found.path}, {_what_instead(said_by)}"
            raise InvalidValue("gunicorn_service_name", service, expected)
    added: dict[str, list[str]] = {}
    for found in drop_ins.assignments(paths[names[0]]):
        if found.section == "Service":
            added.setdefault(found.name, []).append(found.value)
    return added


def _what_instead(said_by: str) -> str:
    if said_by == _DIRECTIVES:
        return f"but in {_DIRECTIVES}"
    return f"which overrides {said_by}: set that instead" if said_by else "as the role relies on its own"


def _is_of_a_change(path: str) -> bool:
    """Whether a change of the role has written it; one that was killed leaves it until the next change."""
    folder, name = os.path.split(path)
    return os.path.dirname(folder) == units.RUNTIME_DIRECTORY and (
        name.startswith("gunicorn-") or folder.endswith("-standin.service.d")
    )


def _overridden(found: Assignment, given: Collection[str]) -> str | None:
    """What a line of a drop-in overrides: the variables that say it, "" if none does; None if the line may be there."""
    if found.section == "Socket" and found.name.startswith("Listen"):
        return "gunicorn_bind"
    if found.section == "Service" and found.name in _LISTS and not found.value:
        said_by = _LISTS[found.name]
        # Containers of LXC have an empty LoadCredential= for all services.
        return None if said_by in ("gunicorn_secrets", "gunicorn_credentials") and said_by not in given else said_by
    if found.section == "Service" and found.name in ("Environment", "UnsetEnvironment"):
        named = {word.partition("=")[0] for word in _words(found.value)}
        if named.intersection(_ROLES_VARIABLES):
            return ""
        return "gunicorn_environment" if named.intersection(given) else None
    return _SAID_BY.get(found.section, {}).get(found.name)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # systemd does not take it, either
        return text.split()
