# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that a plan relies on: which of them exist, which parents are missing, and whether they can be made."""

from __future__ import annotations

import os
from pathlib import PurePath

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def check_parent(variable: str, path: str) -> None:
    """Raise InvalidValue if the innermost existing parent of a path is not a directory."""
    check_directory(variable, path, innermost_existing(os.path.dirname(path)))


def check_directory(variable: str, path: str, directory: str) -> None:
    """Raise InvalidValue if a directory that the path leads through is something else."""
    if not os.path.isdir(directory):
        raise InvalidValue(variable, path, f"a path in a directory: {directory} is not a directory")


def innermost_existing(path: str) -> str:
    """The path itself, or the innermost of its parents that exists."""
    return [step for step in steps_to(path) if os.path.lexists(step)][-1]


def missing_parents(path: str) -> list[dict]:
    """Return the missing parents of a path, the outermost first, for root to own as it owns those of a package.

    The file module would give them to the owner of the innermost directory.
    """
    missing = (parent for parent in steps_to(path)[:-1] if not os.path.lexists(parent))
    return [{"path": parent, "owner": "root", "group": "root", "mode": "0755"} for parent in missing]


def steps_to(path: str) -> list[str]:
    """The path and all its parents, the root first."""
    return [*(str(parent) for parent in reversed(PurePath(path).parents)), path]
