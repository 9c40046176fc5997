# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Companions of the service shop, and a host that has them, for the unit tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from noting_systemd import Systemd
from service_samples import SYSTEMD_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec

UNIT_TEXT = "[Service]\nUser=shop\nProtectSystem=strict\n"
MAIL = {"command": "celery worker", "instances": 2, "start_seconds": 1}
BEAT = {"command": "celery beat", "single": True, "start_seconds": 1}
CLEAN = {"command": "clean", "calendar": "daily"}
ALL = {"mail": MAIL, "beat": BEAT, "clean": CLEAN}


def spec(companions: dict, **changes: object) -> SystemdSpec:
    """The service shop with these companions."""
    wanted = replace(SYSTEMD_SPEC, unit=WantedFile("/etc/systemd/system/shop.service", UNIT_TEXT))
    return replace(wanted, companions=tuple(companion.parse(companions, "-")), **changes)


def write_units(
    folder: Path, companions: dict, generation: int = 1, log_file: str = "-", service: str = "shop"
) -> None:
    """Have the units of these companions in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    common = spec({}).common._replace(service=service)
    for each in companion.parse(companions, log_file):
        for name, text in companion_units.texts(common, each, generation).items():
            (folder / name).write_text(text)


def put(systemd: Systemd, folder: Path, wanted: SystemdSpec, generation: int = 1, state: str = "active") -> None:
    """Have a host with the units of these companions in a folder, all of them in this state."""
    for each in wanted.companions:
        tops = companion_units.top_units(wanted.name, each)
        for name, text in companion_units.texts(wanted.common, each, generation).items():
            (folder / name).write_text(text)
            idle = each.is_job and name.endswith(".service")
            systemd.loaded[name] = loaded("inactive" if idle else state, enabled=name in tops)


def loaded(state: str, enabled: bool = False, restarts: int = 0) -> str:
    """What systemctl says of a unit."""
    return "\n".join(
        [
            "LoadState=loaded",
            f"ActiveState={state}",
            f"UnitFileState={'enabled' if enabled else 'disabled'}",
            f"NRestarts={restarts}",
        ]
    )
