# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts whose files a test writes."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

NOTHING_LIMITED = {
    "proc/1/cgroup": "0::/init.scope\n",
    "proc/1/status": "Name:\tsystemd\nCpus_allowed_list:\t0-7\n",
    "proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 23 0:26 / /sys/fs/cgroup rw shared:5 - cgroup2 cgroup2 rw,nsdelegate\n",
    "proc/cpuinfo": "".join(f"processor\t: {number}\nmodel name\t: x\n\n" for number in range(8)),
    "proc/meminfo": "MemTotal:        8388608 kB\nMemFree:          100000 kB\n",
    "sys/devices/system/cpu/online": "0-7\n",
}


@pytest.fixture(scope="session")
def write_host() -> Callable[..., str]:
    """Write a host of 8 CPUs and 8 GiB with these files changed (None: left out), and return its root."""

    def write(root: Path, *changes: dict[str, str | None]) -> str:
        files: dict[str, str | None] = dict(NOTHING_LIMITED)
        for change in changes:
            files.update(change)
        for name, text in files.items():
            if text is not None:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        return str(root)

    return write
