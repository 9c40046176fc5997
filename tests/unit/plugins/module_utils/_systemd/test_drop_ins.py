# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import drop_ins, units


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The places of administrators, and one of packages."""
    monkeypatch.setattr(units, "UNIT_DIRECTORY", str(tmp_path / "etc"))
    monkeypatch.setattr(units, "RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr(drop_ins, "_BEFORE", ())
    monkeypatch.setattr(drop_ins, "_AFTER", (str(tmp_path / "usr"),))


def write(root: Path, path: str) -> None:
    """Write a drop-in that says its path."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(f"[Service]\nDescription={path}\n")


class TestFind:
    def test_as_systemd_finds_them(self, tmp_path: Path) -> None:
        """As systemd 252 and 257 show the same files (DropInPaths): by name; of one name, one counts."""
        for path in (
            "etc/a-b.service.d/2.conf",
            "run/a-b.service.d/1.conf",
            "run/a-b.service.d/2.conf",
            "etc/a-.service.d/3.conf",
            "usr/a-b.service.d/3.conf",
            "etc/service.d/1.conf",
            "usr/service.d/0.conf",
            "etc/a.service.d/4.conf",
            "etc/a-b.socket.d/4.conf",
            "etc/a-b.service.d/5.conf~",
        ):
            write(tmp_path, path)
        found = [os.path.relpath(path, tmp_path) for path in drop_ins.find("a-b.service")]
        assert found == [
            "usr/service.d/0.conf",
            "run/a-b.service.d/1.conf",
            "etc/a-b.service.d/2.conf",
            "etc/a-.service.d/3.conf",
        ]

    def test_a_host_without_any(self) -> None:
        """Most have none."""
        assert drop_ins.find("shop.service") == []


class TestAssignments:
    def test_lines_are_read_as_systemd_reads_them(self, tmp_path: Path) -> None:
        """Comments, blanks and a line that goes on; the same name means another thing in another section."""
        path = tmp_path / "a.conf"
        path.write_text("[Unit]\nA=0\n[Service]\n# A=1\n;A=2\n A = 3 4 \nB=5 \\\n# B=6\n  7\nnothing\nC=\n")
        found = list(drop_ins.assignments([str(path)]))
        assert [each[1:] for each in found] == [
            ("Unit", "A", "0"),
            ("Service", "A", "3 4"),
            ("Service", "B", "5  7"),
            ("Service", "C", ""),
        ]

    def test_what_is_no_file_says_nothing(self, tmp_path: Path) -> None:
        """A link to /dev/null masks another drop-in, and a pipe must not hold up the run."""
        (tmp_path / "null.conf").symlink_to("/dev/null")
        os.mkfifo(tmp_path / "pipe.conf")
        (tmp_path / "gone.conf").symlink_to("nowhere")
        paths = [str(tmp_path / name) for name in ("null.conf", "pipe.conf", "gone.conf")]
        assert list(drop_ins.assignments(paths)) == []

    def test_a_link_is_followed(self, tmp_path: Path) -> None:
        """systemd does so, too."""
        (tmp_path / "real").write_text("[Service]\nA=1\n")
        (tmp_path / "a.conf").symlink_to("real")
        assert [each.value for each in drop_ins.assignments([str(tmp_path / "a.conf")])] == ["1"]
