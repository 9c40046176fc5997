# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories in directories, more than a program may call itself or open files."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path


def make(path: Path) -> None:
    """Make them; the path of the innermost is longer than any call of the system takes."""
    levels = max(sys.getrecursionlimit(), min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1024)) + 200
    holder = os.open(path.parent, os.O_RDONLY)
    name = path.name
    for _level in range(levels):
        os.mkdir(name, dir_fd=holder)
        inner = os.open(name, os.O_RDONLY, dir_fd=holder)
        os.close(holder)
        holder, name = inner, "d"
    os.close(holder)
