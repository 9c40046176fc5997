# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path

import fleet
import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import files as report_files

ROOT = Path(__file__).parents[5]


def test_the_files_of_a_report() -> None:
    """A page, the figures, and the snippets in a directory of their own."""
    report = fleet.of_every_kind()
    files = report_files.contents(report)
    assert json.loads(files["capacity_report.json"]) == report
    assert files["capacity_report.html"].startswith("<!DOCTYPE html>")
    assert "capacity_report_host_vars/web1.yml" in files
    assert files["capacity_report.json"].isascii()


def test_files_are_written_whole(tmp_path: Path) -> None:
    """With the user's umask, instead of older ones, and nothing else is left in the directories."""
    old = os.umask(0o027)
    try:
        for text in ("first", "second é"):
            report_files.write({tmp_path / "new" / "folder" / "a.yml": text, tmp_path / "new" / "b": text})
    finally:
        os.umask(old)
    assert (tmp_path / "new/folder/a.yml").read_text(encoding="utf-8") == "second é"
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {
        "new", "new/folder", "new/folder/a.yml", "new/b",
    }  # fmt: skip
    assert (tmp_path / "new/b").stat().st_mode & 0o777 == 0o640


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """A report in a directory to which others can write harms no file elsewhere."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "capacity_report.html").symlink_to(precious)
    report_files.write({tmp_path / "capacity_report.html": "page"})
    assert precious.read_text() == "precious"
    assert (tmp_path / "capacity_report.html").read_text() == "page"


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Nothing half-written is left."""
    (tmp_path / "file").write_text("")
    with pytest.raises(AnsibleActionFail, match=r"directory: .*file.* can't be written: "):
        report_files.write({tmp_path / "file" / "a": "text"})
    (tmp_path / "taken").mkdir()
    with pytest.raises(
        AnsibleActionFail, match=r"directory: .*taken can't be written: |can't be written: Is a directory"
    ):
        report_files.write({tmp_path / "taken": "text"})
    assert {path.name for path in tmp_path.iterdir()} == {"file", "taken"}


def test_the_version_is_that_of_the_collection(tmp_path: Path) -> None:
    """From the manifest of an installed one, or from galaxy.yml in a checkout."""
    assert report_files.collection_version(tmp_path) == "unknown"
    (tmp_path / "galaxy.yml").write_text("version: 1.2.3\n")
    assert report_files.collection_version(tmp_path) == "1.2.3"
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "4.5.6"}}')
    assert report_files.collection_version(tmp_path) == "4.5.6"
    assert report_files.collection_version(ROOT) != "unknown"
