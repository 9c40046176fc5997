# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories in directories, more than a program may call itself or open files."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Iterator


@contextlib.contextmanager
def made(path: Path) -> Iterator[None]:
    """Make them, and remove what is left of them: pytest can't."""
    levels = max(sys.getrecursionlimit(), min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1024)) + 200
    holder, name = os.open(path.parent, os.O_RDONLY), path.name
    for _level in range(levels):
        os.mkdir(name, dir_fd=holder)
        inner = os.open(name, os.O_RDONLY, dir_fd=holder)
        os.close(holder)
        holder, name = inner, "d"
    os.close(holder)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", path], check=True)
