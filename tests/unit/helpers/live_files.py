# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live files of a deployment that a change replaces, removes and adds to; the fixture `etc` is their folder."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile

OLD = {"changed": "old", "gone": "old too"}
NEW = {"changed": "new", "credentials/token": "secret"}


def wanted(path: Path, content: str | None, mode: int = 0o640) -> WantedFile:
    """A file that belongs to the user who runs the tests."""
    return WantedFile(str(path), content, mode, os.getgid(), os.getuid())


def new_files(etc: Path) -> list[WantedFile]:
    """A file that changes, one that goes, and one that comes, in a folder that is not there yet."""
    return [
        wanted(etc / "changed", "new"),
        wanted(etc / "gone", None),
        wanted(etc / "credentials" / "token", "secret", 0o600),
    ]


def contents(folder: Path) -> dict[str, str]:
    """Every file below, the hidden ones too."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
