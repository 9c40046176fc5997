# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the directives that a user adds to the unit of a service."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroups
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import unit_limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting
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
