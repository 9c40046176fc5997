# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the modules for services, which one of them reads on the controller, too."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _binds, _files, _health, _observation, _switch

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
    "health": _health.ARGUMENT,
}
ARGUMENTS = {
    **COMMON,
    "unit": {"type": "str", "required": True},
    "standin_unit": {"type": "str", "required": True},
    "socket_unit": {"type": "str", "required": True},
    "observed": {"type": "dict"},
}


def wanted_from(given: dict, group: int, secret_files: list[_files.WantedFile], secrets_hash: str) -> _switch.Wanted:
    """What the arguments ask for, where the host's id of their group is this, and of their secrets came this."""
    name, folder = given["name"], given["config_directory"]
    paths = _observation.paths(name, folder)
    texts = (given["unit"], given["configuration"], given["venv_fingerprint"])
    configuration_hash = _switch.digest(*texts)
    return _switch.Wanted(
        name=name,
        started=given["state"] == "started",
        enabled=given["enabled"],
        user=given["user"],
        group=given["group"],
        log_file=given["log_file"],
        config_directory=folder,
        configuration=_files.WantedFile(paths.configuration, given["configuration"], 0o640, group),
        unit=_files.WantedFile(paths.unit, _switch.fill_in(given["unit"], "CONFIGURATION", configuration_hash)),
        socket=_files.WantedFile(paths.socket, given["socket_unit"]),
        logrotate=_files.WantedFile(paths.logrotate, given["logrotate"] or None),
        secret_files=tuple(secret_files),
        standin_unit=_switch.fill_in(given["standin_unit"], "CONFIGURATION", configuration_hash),
        binds=tuple(_binds.parse_binds(given["binds"], given["user"], given["group"])),
        argv=tuple(given["command"]),
        workers=given["workers"],
        venv=given["venv"],
        venv_directory=given["venv_directory"],
        venv_backup=given["venv_backup"],
        gunicorn_version=given["gunicorn_version"],
        configuration_hash=configuration_hash,
        secrets_hash=secrets_hash,
        health=_health.request_from(given["health"]),
        health_timeout=given["health"]["timeout"],
    )
