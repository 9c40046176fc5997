# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import unit_files


def write(root: Path, name: str, text: str) -> None:
    """Write a file of a host."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


class TestInstalled:
    def test_a_unit_that_starts_gunicorn(self, tmp_path: Path) -> None:
        """In each directory of units; other units, templates and comments do not count."""
        start = "[Service]\nExecStart=/opt/x/bin/gunicorn x.wsgi\n"
        for name in (
            "etc/systemd/system/one.service",
            "lib/systemd/system/two.service",
            "etc/systemd/system/t@.service",
        ):
            write(tmp_path, name, start)
        write(tmp_path, "etc/systemd/system/t@1.service", start)
        write(
            tmp_path,
            "etc/systemd/system/three.service",
            "#ExecStart=/opt/x/bin/gunicorn\n[Service]\nExecStart=/bin/x\n",
        )
        write(tmp_path, "etc/systemd/system/four.socket", start)
        assert sorted(unit_files.read_installed(str(tmp_path))) == ["one.service", "t@1.service", "two.service"]

    def test_the_first_of_a_name_counts(self, tmp_path: Path) -> None:
        """An administrator's unit hides the one of a package; so does a masked unit."""
        for name in ("one", "masked"):
            write(tmp_path, f"lib/systemd/system/{name}.service", "[Service]\nExecStart=/usr/bin/gunicorn a\n")
        write(tmp_path, "etc/systemd/system/one.service", "[Service]\nExecStart=/usr/bin/gunicorn b\n")
        os.symlink("/dev/null", tmp_path / "etc/systemd/system/masked.service")
        assert unit_files.read_installed(str(tmp_path)) == {"one.service": ("/usr/bin/gunicorn", "b")}

    def test_a_directory_of_two_names_is_read_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On most hosts, /lib leads to /usr/lib, where hundreds of units are."""
        (tmp_path / "usr").mkdir()
        (tmp_path / "lib").symlink_to("usr/lib")
        write(tmp_path, "usr/lib/systemd/system/one.service", "[Service]\nExecStart=/usr/bin/gunicorn a\n")
        write(tmp_path, "usr/lib/systemd/system/one.service.d/x.conf", "[Service]\nNice=1\n")
        paths: list[str] = []
        read = unit_files.read
        monkeypatch.setattr(unit_files, "read", lambda path: paths.append(path) or read(path))
        assert unit_files.read_installed(str(tmp_path)) == {"one.service": ("/usr/bin/gunicorn", "a")}
        assert len(paths) == 2

    def test_a_drop_in_counts(self, tmp_path: Path) -> None:
        """It may be what starts Gunicorn."""
        write(tmp_path, "etc/systemd/system/one.service", "[Service]\nExecStart=/bin/x\n")
        write(
            tmp_path,
            "etc/systemd/system/one.service.d/a.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/gunicorn a\n",
        )
        assert unit_files.read_installed(str(tmp_path)) == {"one.service": ("/usr/bin/gunicorn", "a")}

    def test_an_alias_is_no_other_service(self, tmp_path: Path) -> None:
        """It is found by its own name."""
        write(tmp_path, "etc/systemd/system/one.service", "[Service]\nExecStart=/usr/bin/gunicorn a\n")
        os.symlink("one.service", tmp_path / "etc/systemd/system/alias.service")
        assert list(unit_files.read_installed(str(tmp_path))) == ["one.service"]

    @pytest.mark.parametrize(
        "name",
        ["--force.service", "a b.service", "a\nb.service", "*.service", "\ud800.service", "x" * 245 + ".service"],
    )
    def test_names_that_no_unit_has(self, tmp_path: Path, name: str) -> None:
        """systemctl would take them for something else."""
        folder = tmp_path / "etc/systemd/system"
        folder.mkdir(parents=True)
        with open(
            os.path.join(os.fsencode(folder), name.encode("utf-8", "surrogatepass")), "w", encoding="utf-8"
        ) as file:
            file.write("[Service]\nExecStart=/usr/bin/gunicorn a\n")
        assert set(unit_files.read_installed(str(tmp_path))) <= {"x" * 245 + ".service"}


class TestExecStart:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("ExecStart=/a b c", ("/a", "b", "c")),
            ("  ExecStart = -@/a  b", ("/a", "b")),
            ("ExecStart=/a \\\n  b\nExecStart=", ("/a", "b")),
            ('ExecStart=/a "b c" \'d "e"\' f\\"g', ("/a", "b c", 'd "e"', 'f"g')),
            (
                'ExecStart=/a --format="%%(h)s \\"%%(r)s\\"" --x=\'y z\'w \\x',
                ("/a", '--format=%(h)s "%(r)s"', "--x=y zw", "x"),
            ),
            ('ExecStart=/a "--format=%%(h)s \\"%%(r)s\\"" $$x', ("/a", '--format=%(h)s "%(r)s"', "$x")),
            ("# ExecStart=/a", ()),
            ("ExecStartPre=/a", ()),
            ("", ()),
        ],
    )
    def test_words(self, text: str, words: tuple[str, ...]) -> None:
        """By systemd's rules of quoting."""
        assert unit_files.parse_exec_start(text) == words

    @given(st.text() | st.text("ExecStart= \\\n\"'%$-@ab"))
    def test_no_text_stops_it(self, text: str) -> None:
        """Whatever a unit's file says."""
        unit_files.parse_exec_start(text)
        unit_files.split_words(text)
