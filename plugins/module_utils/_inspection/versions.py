# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions of Gunicorn and Python that a master runs; others may have been installed since."""

from __future__ import annotations

import glob
import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, list_folder, read

_PYTHON = re.compile(r"python([0-9]+\.[0-9]+)")
_LIBRARY = re.compile(r"/libpython([0-9]+\.[0-9]+)")
_METADATA = re.compile(r"gunicorn-([0-9][\w.+!-]*?)(?:-py[0-9.]+)?\.(?:dist|egg)-info", re.ASCII)
# Of virtual environments, of Debian's pip, and of Debian's packages
_PACKAGES = ("lib/python3.*/site-packages", "local/lib/python3.*/dist-packages", "lib/python3/dist-packages")


def read_gunicorn(commands: t.Iterable[t.Sequence[str]], started: float, root: str = "/") -> str | None:
    """Return the version that the interpreters of these commands find, if it was installed before that time."""
    for command in commands:
        for folder in _packages(command, root):
            for name in list_folder(folder):
                found = _METADATA.fullmatch(name)
                if found:
                    return found[1] if _changed(os.path.join(folder, name)) < started else None
    return None


def read_python(master: int, arguments: t.Sequence[str], root: str = "/") -> str | None:
    """Return the version of Python that a process runs, by its program, its library, or its command."""
    program = processes.read_interpreter(master, root)
    found = _PYTHON.fullmatch(os.path.basename(program or ""))
    found = found or _LIBRARY.search(read(join(root, f"/proc/{master}/maps")))
    if not found and not program and arguments and arguments[0].startswith("/"):
        # Another user's: only the command line can be seen.
        found = _PYTHON.fullmatch(os.path.basename(os.path.realpath(join(root, arguments[0]))))
    return found[1] if found else None


def _packages(command: t.Sequence[str], root: str) -> list[str]:
    """Return the folders in which the interpreter or script at the beginning of a command looks for packages."""
    if not command or not command[0].startswith("/"):
        return []
    prefix = glob.escape(join(root, os.path.dirname(os.path.dirname(command[0]))))
    return [folder for pattern in _PACKAGES for folder in sorted(glob.glob(os.path.join(prefix, pattern)))]


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return float("inf")
