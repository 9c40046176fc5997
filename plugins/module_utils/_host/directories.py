# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that a plan relies on: whether they can be made, and which parents are missing."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def check_parent(variable: str, path: str) -> None:
    """Raise InvalidValue where the innermost that is there of a path's parents is no directory."""
    parent = os.path.dirname(path)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        raise InvalidValue(variable, path, f"a path in a directory: {parent} is none")


def missing_parents(path: str) -> list[dict]:
    """Root's, as those of a package would be: the file module would hand them to the owner of the innermost."""
    parents = []
    while not os.path.lexists(path := os.path.dirname(path)):
        parents.insert(0, {"path": path, "owner": "root", "group": "root", "mode": "0755"})
    return parents
