# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Companions of the service plain on the captured host, for the unit tests of what is read of them."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common

LIVE, FINISHING = "etc/systemd/system", "run/systemd/system"
MAIL = {"command": "celery worker", "instances": 2}
BEAT = {"command": "celery beat", "single": True}
CLEAN = {"command": "clean", "calendar": "daily"}
ALL = {"mail": MAIL, "beat": BEAT, "clean": CLEAN}


def put(
    root: Path, companions: dict, generation: int = 1, folder: str = LIVE, service: str = "plain", ending: str = ""
) -> list[str]:
    """Put the units of companions into a folder of a host, those with this ending; return their names."""
    common = Common(service, "[Service]\nUser=shop\n", "/opt/shop", "/opt/shop/venv-1", "f1")
    (root / folder).mkdir(parents=True, exist_ok=True)
    found = []
    for each in companion.parse(companions, "-"):
        for name, text in companion_units.texts(common, each, generation).items():
            if name.endswith(ending):
                (root / folder / name).write_text(text, encoding="utf-8")
                found.append(name)
    return found


def run(root: Path, unit: str, *pids: int, like: int = 836) -> None:
    """Have processes in the cgroup of a unit, which are as a captured one."""
    for pid in pids:
        shutil.copytree(root / f"proc/{like}", root / f"proc/{pid}", symlinks=True)
        stat = root / f"proc/{pid}/stat"
        stat.write_text(stat.read_text(encoding="utf-8").replace("S 833 ", "S 1 "), encoding="utf-8")
        (root / f"proc/{pid}/cmdline").write_bytes(b"celery\0worker\0")
        cgroup = root / f"proc/{pid}/cgroup"
        cgroup.write_text(cgroup.read_text(encoding="utf-8").replace("plain.service", unit), encoding="utf-8")


def shown(unit: str, state: str = "active", **values: object) -> str:
    """What systemctl prints of a unit, in the order in which it does."""
    found = {"MainPID": 0, "Result": "success", "NRestarts": 0, "ExecMainExitTimestamp": "", **values}
    if unit.endswith(".timer"):
        found = {"NextElapseUSecRealtime": "", "Result": "success", **values}
    lines = [f"{name}={value}" for name, value in found.items()]
    return "\n".join([*lines, f"Id={unit}", f"ActiveState={state}"]) + "\n"
