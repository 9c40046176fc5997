# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.pyweb.gunicorn.plugins.modules import gunicorn_directories


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., dict]:
    """Run the module with these directories."""

    def call(*directories: dict, check_mode: bool = False) -> dict:
        arguments = {"directories": list(directories), "_ansible_check_mode": check_mode, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            gunicorn_directories.main()
        return json.loads(capsys.readouterr().out)

    return call


def test_argument_spec_and_documentation_agree(specs_of: t.Callable) -> None:
    """Types and defaults."""
    spec, documented = specs_of(gunicorn_directories)
    assert {name: {"type": one["type"]} for name, one in spec.items()} == documented


def test_a_tree_of_directories(run: t.Callable[..., dict], tmp_path: Path) -> None:
    """Check mode says the same and makes nothing, and a second run changes nothing."""
    tree = [
        {"path": f"{tmp_path}/a", "owner": "root", "group": "root", "mode": "0755"},
        {"path": f"{tmp_path}/a/b", "owner": "nobody", "mode": "750"},
    ]
    paths = [f"{tmp_path}/a", f"{tmp_path}/a/b"]
    for check_mode in (True, False):
        result = run(*tree, check_mode=check_mode)
        assert (result["changed"], result["paths"]) == (True, paths)
        assert [(one["before"], one["after"]["owner"]) for one in result["diff"]] == [({}, "root"), ({}, "nobody")]
        assert os.path.isdir(paths[1]) is not check_mode
    assert (os.stat(paths[1]).st_mode & 0o7777, run(*tree)["changed"]) == (0o750, False)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("{}/link/new", "{}/link/new can't be made, or given away: {}/link is a link to {}/harmless that others"),
        ("{}/file/new", "{}/file/new can't be made, or given away: Not a directory"),
        ("{}/missing/new", "No such file or directory. It was left as it is."),
        ("new", "new can't be made, or given away: its path is not absolute"),
    ],
)
def test_what_can_not_be_made(run: t.Callable[..., dict], tmp_path: Path, path: str, expected: str) -> None:
    """One sentence says which directory, and why; nothing was made elsewhere."""
    (tmp_path / "harmless").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "harmless")
    os.chown(tmp_path / "link", 65534, 65534, follow_symlinks=False)
    result = run({"path": path.format(tmp_path), "owner": "nobody"})
    assert result["failed"]
    assert expected.replace("{}", str(tmp_path)) in result["msg"]
    assert os.listdir(tmp_path / "harmless") == []


def test_a_user_that_is_missing(run: t.Callable[..., dict], tmp_path: Path) -> None:
    """The directory that was made stays root's alone."""
    result = run({"path": f"{tmp_path}/a", "owner": "no-such-user"})
    assert "no-such-user" in result["msg"]
    assert os.stat(tmp_path / "a").st_mode & 0o7777 == 0o700
