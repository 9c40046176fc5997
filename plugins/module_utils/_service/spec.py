# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service as it must be, whichever manager runs it, and the arguments that say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.live import Release
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses, checks
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

# Arguments of both modules for services
ARGUMENTS = {
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
    "memory_note": {"type": "str", "default": ""},
    "log_file": {"type": "str", "default": "-"},
    "binds": {"type": "list", "elements": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    "workers": {"type": "int", "required": True},
    "companions": {"type": "dict", "default": {}},
    "venv": {"type": "path", "required": True},
    "venv_directory": {"type": "path", "required": True},
    "venv_backup": {"type": "str", "default": ""},
    "venv_fingerprint": {"type": "str", "default": ""},
    "gunicorn_version": {"type": "str", "default": ""},
    "health": _health_request.ARGUMENT,
    "code_directory": {"type": "str", "default": ""},
    "release": live.ARGUMENT,
    "run_group": {"type": "str", "default": ""},
}

# Of the arguments, what is secret, or is of one run only
_NOT_NOTED = ("secrets", "credentials", "observed")


@dataclass(frozen=True)
class ServiceSpec:
    """A service as it must be."""

    name: str
    started: bool  # whether the web workers must run
    companions_started: bool
    companions: tuple[Companion, ...]
    user: str
    group: str
    log_file: str
    configuration: WantedFile
    logrotate: WantedFile
    memory_note: WantedFile
    secret_files: tuple[WantedFile, ...]
    binds: tuple[Address, ...]
    argv: tuple[str, ...]
    workers: int
    venv: str
    venv_directory: str
    venv_backup: str
    gunicorn_version: str
    configuration_hash: str  # of everything that the process is started with, but for its secrets
    secrets_hash: str
    health: HealthRequest
    health_timeout: float
    release: Release | None
    code_directory: str
    run_group: str  # whose members may run commands of the project
    asked: dict  # the arguments of the module, without secrets

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, last the files that name the others."""
        raise NotImplementedError

    @property
    def code_in_place(self) -> str:
        """Where the code lies if it is no release: what is there is not always what was tried."""
        return "" if self.release else self.code_directory

    @property
    def sudoers(self) -> WantedFile:
        """What lets the members of the group call the command that runs commands of the project."""
        rule = f"%{self.run_group} ALL=(root) NOPASSWD: {names.run_command(self.name)}\n"
        text = f"# Managed by Ansible (role pyweb.gunicorn.gunicorn)\n{rule}" if self.run_group else None
        return WantedFile(names.sudoers(self.name), text, 0o440)

    @property
    def code(self) -> str:
        """Where the code is that runs."""
        return self.release.path if self.release else self.code_directory

    @property
    def log_files(self) -> list[str]:
        """The paths of the logs that are files."""
        options = ("--log-file=", "--access-logfile=")
        values = [part.partition("=")[2] for part in self.argv if part.startswith(options)]
        return [value for value in dict.fromkeys(values) if value != "-"]

    @property
    def all_files(self) -> list[WantedFile]:
        """What the host must have."""
        return [*self.files, *self.files_of_success]

    @property
    def files_of_success(self) -> list[WantedFile]:
        """What comes last, after a change that worked, and what no process reads that runs for the service."""
        return [self.logrotate, self.memory_note]


def common_values(
    given: dict, group: int, secret_files: list[WantedFile], secrets_hash: str, configuration_hash: str
) -> dict[str, Any]:
    """The fields of a ServiceSpec, from a module's arguments.

    `group` is the host's id of the group that they name, `secret_files` and `secrets_hash` came of their secrets.
    """
    paths = names.paths(given["name"], given["config_directory"])
    return {
        "name": given["name"],
        # Without workers, a host has the companions alone.
        "started": given["state"] == "started" and given["workers"] > 0,
        "companions_started": given["state"] == "started",
        "companions": tuple(companion.parse(given.get("companions") or {}, given["log_file"])),
        "user": given["user"],
        "group": given["group"],
        "log_file": given["log_file"],
        "configuration": WantedFile(paths.configuration, given["configuration"], 0o640, group),
        "logrotate": WantedFile(paths.logrotate, given["logrotate"] or None),
        "memory_note": WantedFile(paths.memory, given.get("memory_note") or None),
        "secret_files": tuple(secret_files),
        "binds": tuple(addresses.parse_binds(given["binds"], given["user"], given["group"])),
        "argv": tuple(given["command"]),
        "workers": given["workers"],
        "venv": given["venv"],
        "venv_directory": given["venv_directory"],
        "venv_backup": given["venv_backup"],
        "gunicorn_version": given["gunicorn_version"],
        "configuration_hash": configuration_hash,
        "secrets_hash": secrets_hash,
        "health": _health_request.request_from(given["health"]),
        "health_timeout": checks.check_seconds("health.timeout", given["health"]["timeout"]),
        "release": Release(**given["release"]) if given.get("release") else None,
        "code_directory": given.get("code_directory", ""),
        "run_group": given.get("run_group") or "",
        "asked": {name: value for name, value in given.items() if name not in _NOT_NOTED},
    }
