# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Companions of the service shop under supervisor, for the unit tests."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from service_samples import SUPERVISOR_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_programs, launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_programs import CompanionProgram
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import SupervisorSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess

MAIL = {"command": "celery worker --hostname {instance}", "instances": 2, "start_seconds": 1}
BEAT = {"command": "celery beat", "single": True, "start_seconds": 1}
COMMON = Common("shop", "", "/opt/shop", "/opt/shop/venv-12345678", "fingerprint")


def given(folder: Path | str, **changes: object) -> dict[str, Any]:
    """The arguments of the module that companions follow from."""
    return {
        "config_directory": str(folder),
        "directory": "/etc/opt/shop",
        "user": "shop",
        "group": "shop",
        "environment": {"DJANGO_SETTINGS_MODULE": "settings"},
        "service_directives": {"UMask": "0027", "NoNewPrivileges": True},
        "secrets": "A=1\n",
        "command": ["/opt/shop/venv/bin/gunicorn"],
        "enabled": True,
        "launcher": "the launcher\n",
        **changes,
    }


def wanted(folder: Path | str, options: dict, common: Common = COMMON, **changes: object) -> list[CompanionProgram]:
    """The companions as supervisor must have them; `folder` is that of the settings."""
    arguments = given(folder, **changes)
    sockets = [{"host": "127.0.0.1", "port": 8000}]
    live = launcher.describe("shop", arguments, sockets, ["KEY"])
    parsed = companion.parse(options, "/var/log/shop/gunicorn.log")
    return [companion_programs.wanted_program(common, each, live, arguments, os.getegid()) for each in parsed]


def spec(folder: Path, options: dict, **changes: object) -> SupervisorSpec:
    """The service shop with these companions."""
    made = wanted(folder, options)
    described = WantedFile(str(folder / "gunicorn.launch.json"), "{}")
    return replace(
        SUPERVISOR_SPEC,
        description=described,
        companions=tuple(each.companion for each in made),
        companion_programs=tuple(made),
        **changes,
    )


def up(*pids: int, state: str = "RUNNING") -> dict[str, ProgramProcess]:
    """What supervisor says of processes that are up."""
    return {str(number): ProgramProcess(state, pid, f"pid {pid}") for number, pid in enumerate(pids, 1)}


def put(*made: CompanionProgram) -> None:
    """Have the host have the files of companions."""
    for file in (file for each in made for file in each.files):
        path = Path(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content or "")
