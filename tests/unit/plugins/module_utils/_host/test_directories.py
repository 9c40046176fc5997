# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_missing_parents_are_roots(tmp_path: Path) -> None:
    """The outermost first; the path itself is somebody else's to make."""
    path = str(tmp_path / "a" / "b" / "c")
    owned = {"owner": "root", "group": "root", "mode": "0755"}
    assert directories.missing_parents(path) == [
        {"path": f"{tmp_path}/a", **owned},
        {"path": f"{tmp_path}/a/b", **owned},
    ]
    assert directories.missing_parents(str(tmp_path)) == []


def test_the_innermost_that_exists(tmp_path: Path) -> None:
    """The path itself, a directory above it, or whatever else is in the way."""
    (tmp_path / "link").symlink_to("nowhere")
    assert directories.innermost_existing(str(tmp_path)) == str(tmp_path)
    assert directories.innermost_existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert directories.innermost_existing(str(tmp_path / "link" / "b")) == str(tmp_path / "link")
    assert directories.innermost_existing("/no-such-directory/a") == "/"


def test_a_parent_that_is_no_directory(tmp_path: Path) -> None:
    """The error names the variable, its value, and what is in the way."""
    directories.check_parent("gunicorn_venv", str(tmp_path / "a" / "venv"))
    (tmp_path / "file").touch()
    path = f"{tmp_path}/file/a/venv"
    with pytest.raises(InvalidValue) as caught:
        directories.check_parent("gunicorn_venv", path)
    assert str(caught.value) == (
        f"gunicorn_venv: '{path}' can't be used: expected a path in a directory: {tmp_path}/file is not a directory"
    )
