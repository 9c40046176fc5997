# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units in /run. A boot removes them, so that no unit of an interrupted change comes back."""

from __future__ import annotations

import glob
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units


def path_of(name: str) -> str:
    """The path of a unit, a drop-in or a directory of them, by its name in the directory of these units."""
    return os.path.join(units.RUNTIME_DIRECTORY, name)


def write(name: str, text: str) -> None:
    """Write a unit's file, or a drop-in as UNIT.d/NAME.conf."""
    path = path_of(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    files.put(WantedFile(path, text, 0o644, os.getegid(), os.geteuid()))


def added_sockets(service: str) -> list[str]:
    """The paths of the socket units for addresses that were added while the service's other addresses were open.

    After a boot, the service's own socket unit opens all of its addresses.
    """
    return sorted(glob.glob(path_of(f"{glob.escape(service)}-added-*.socket")))
