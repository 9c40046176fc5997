# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which project must be removed, and what of it."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

VARIABLE = "gunicorn_absent_remove"
# What it may name, in the order in which it is removed
NAMES = ("venv", "code", "config", "data", "logs", "user")


class RemovalRequest(NamedTuple):
    """The project, where its parts are, and which of them are named to be removed."""

    project: str
    service: str
    user: str
    group: str
    venv: str
    code_directory: str
    releases_directory: str
    static_directory: str
    config_directory: str
    data_directory: str
    log_files: tuple[str, ...]
    named: tuple[str, ...]


def check_parameters(given: dict) -> RemovalRequest:
    """Check names and paths; raises InvalidValue for the first that can't be used."""
    logs = {"gunicorn_log_file": given["log_file"], "gunicorn_access_log_file": given["access_log_file"] or "-"}
    wanted = RemovalRequest(
        project=checks.check_project("gunicorn_project", given["project"]),
        service=checks.check_service_name("gunicorn_service_name", given["service_name"]),
        user=checks.check_name("gunicorn_user", given["user"]),
        group=checks.check_name("gunicorn_group", given["group"]),
        venv=checks.check_path("gunicorn_venv", given["venv"]),
        code_directory=checks.check_path("gunicorn_code_directory", given["code_directory"]),
        releases_directory=_path("gunicorn_releases_directory", given["releases_directory"]),
        static_directory=_path("gunicorn_static_directory", given["static_directory"]),
        config_directory=checks.check_path("gunicorn_config_directory", given["config_directory"]),
        data_directory=checks.check_path("gunicorn_data_directory", given["data_directory"]),
        log_files=tuple(checks.check_path(name, path) for name, path in logs.items() if path != "-"),
        named=tuple(name for name in NAMES if name in given["remove"]),
    )
    if "user" in wanted.named and not given["manage_user"]:
        raise InvalidValue(VARIABLE, "user", "other names: with gunicorn_manage_user: false the user is not the role's")
    return wanted


def _path(variable: str, value: str) -> str:
    """A path that may be missing."""
    return checks.check_path(variable, value) if value else ""
