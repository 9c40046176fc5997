# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the modules for services, which one of them reads on the controller, too."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses

# What both managers of services have to be told
COMMON = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "enabled": {"type": "bool", "default": True},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "configuration": {"type": "str", "required": True},
    "config_directory": {"type": "path", "required": True},
    "secrets": {"type": "str", "default": "", "no_log": True},
    "credentials": {"type": "str", "default": "e30=", "no_log": True},
    "logrotate": {"type": "str", "default": ""},
    "log_file": {"type": "str", "default": "-"},
    "binds": {"type": "list", "elements": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    "workers": {"type": "int", "required": True},
    "venv": {"type": "path", "required": True},
    "venv_directory": {"type": "path", "required": True},
    "venv_backup": {"type": "str", "default": ""},
    "venv_fingerprint": {"type": "str", "default": ""},
    "gunicorn_version": {"type": "str", "default": ""},
    "health": _health_request.ARGUMENT,
}
ARGUMENTS = {
    **COMMON,
    "unit": {"type": "str", "required": True},
    "standin_unit": {"type": "str", "required": True},
    "socket_unit": {"type": "str", "required": True},
    "observed": {"type": "dict"},
}


def wanted_from(given: dict, group: int, secret_files: list[WantedFile], secrets_hash: str) -> SystemdSpec:
    """What the arguments ask for, where the host's id of their group is this, and of their secrets came this."""
    name, folder = given["name"], given["config_directory"]
    paths = names.paths(name, folder)
    texts = (given["unit"], given["configuration"], given["venv_fingerprint"])
    configuration_hash = comparison.digest(*texts)
    return SystemdSpec(
        name=name,
        started=given["state"] == "started",
        enabled=given["enabled"],
        user=given["user"],
        group=given["group"],
        log_file=given["log_file"],
        config_directory=folder,
        configuration=WantedFile(paths.configuration, given["configuration"], 0o640, group),
        unit=WantedFile(paths.unit, comparison.fill_in(given["unit"], "CONFIGURATION", configuration_hash)),
        socket=WantedFile(paths.socket, given["socket_unit"]),
        logrotate=WantedFile(paths.logrotate, given["logrotate"] or None),
        secret_files=tuple(secret_files),
        standin_unit=comparison.fill_in(given["standin_unit"], "CONFIGURATION", configuration_hash),
        binds=tuple(addresses.parse_binds(given["binds"], given["user"], given["group"])),
        argv=tuple(given["command"]),
        workers=given["workers"],
        venv=given["venv"],
        venv_directory=given["venv_directory"],
        venv_backup=given["venv_backup"],
        gunicorn_version=given["gunicorn_version"],
        configuration_hash=configuration_hash,
        secrets_hash=secrets_hash,
        health=_health_request.request_from(given["health"]),
        health_timeout=given["health"]["timeout"],
    )
