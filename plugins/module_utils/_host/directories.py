# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that are to be made: whether they can be, and which of their parents are missing."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def check_parent(variable: str, path: str) -> None:
    """Raise InvalidValue if the innermost parent of a path that exists is not a directory."""
    parent = os.path.dirname(path)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        raise InvalidValue(variable, path, f"a path in a directory: {parent} is none")


def missing_parents(path: str) -> list[dict]:
    """Return the missing parents of a path, the outermost first, for root to own as it owns those of a package.

    The file module would give them to the owner of the innermost directory.
    """
    parents = []
    while not os.path.lexists(path := os.path.dirname(path)):
        parents.insert(0, {"path": path, "owner": "root", "group": "root", "mode": "0755"})
    return parents
