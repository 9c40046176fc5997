# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environment variables of a service: which names and values it can get."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.text import checked

ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ROLES = "another name: the role marks its processes with this one"
_SYSTEMD = "another name: systemd sets this one for the service"
# What a step and a companion are told in their environment
STEP, COMPANION, COMPANION_INSTANCE = "GUNICORN_STEP", "GUNICORN_COMPANION", "GUNICORN_COMPANION_INSTANCE"
# These would override the variables of the role. Each names what to use instead.
RESERVED_ENVIRONMENT = {
    "WEB_CONCURRENCY": "gunicorn_workers instead",
    "GUNICORN_CMD_ARGS": "gunicorn_settings instead",
    "GUNICORN_CONFIGURATION": _ROLES,
    "GUNICORN_APP_REVISION": _ROLES,
    "GUNICORN_SECRETS": _ROLES,
    STEP: _ROLES,
    COMPANION: _ROLES,
    COMPANION_INSTANCE: _ROLES,
    "SPT_NOENV": _ROLES,
    "LISTEN_FDS": _SYSTEMD,
    "LISTEN_PID": _SYSTEMD,
    "LISTEN_FDNAMES": _SYSTEMD,
    "NOTIFY_SOCKET": _SYSTEMD,
    "RUNTIME_DIRECTORY": _SYSTEMD,
    "CREDENTIALS_DIRECTORY": _SYSTEMD,
}


def check_environment(variable: str, value: dict) -> dict:
    """Environment variables as text: numbers become strings, and None leaves a variable out."""
    return {
        _checked_environment_name(variable, name): _checked_environment_value(f"{variable}['{name}']", item)
        for name, item in value.items()
        if item is not None
    }


def _checked_environment_name(variable: str, name: object) -> str:
    if name in RESERVED_ENVIRONMENT:
        raise InvalidValue(variable, name, RESERVED_ENVIRONMENT[name])
    return check_environment_name(variable, name)


def check_environment_name(variable: str, name: object) -> str:
    """The name of an environment variable."""
    if not isinstance(name, str) or not ENVIRONMENT_NAME.match(name):
        raise InvalidValue(variable, name, "names of letters, digits and underscores, not a digit first")
    return name


def _checked_environment_value(variable: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidValue(variable, value, "a string (write it in quotes)")
    try:
        return checked(str(value))
    except ValueError as error:
        raise InvalidValue(variable, value, f"another string ({error})") from None
