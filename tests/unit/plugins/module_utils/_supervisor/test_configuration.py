# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import Access, SupervisorError


class TestAccess:
    def test_debians_file(self) -> None:
        """As the package installs it."""
        text = "; supervisor config file\n\n[unix_http_server]\nfile=/var/run/supervisor.sock   ; (the path)\nchmod=0700 ; x\n"
        assert configuration.parse_access(text) == Access("/var/run/supervisor.sock")

    def test_another_socket_and_a_password(self) -> None:
        """A percent sign is escaped in the file."""
        text = "[unix_http_server]\nfile = %(here)s/s.sock\nusername = a\npassword = b%%c\n"
        assert configuration.parse_access(text) == Access("/etc/supervisor/s.sock", "a", "b%c")

    @pytest.mark.parametrize("text", ["", "[supervisord]\n"])
    def test_the_socket_is_debians_if_the_file_names_none(self, text: str) -> None:
        """That is where supervisorctl looks."""
        assert configuration.parse_access(text) == Access("/var/run/supervisor.sock")

    def test_a_file_that_can_not_be_parsed(self) -> None:
        """The error names it."""
        with pytest.raises(SupervisorError, match="/etc/supervisor/supervisord.conf can't be read"):
            configuration.parse_access("nonsense")


class TestReadFiles:
    @pytest.fixture(autouse=True)
    def main(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A supervisord.conf, and a conf.d beside it."""
        (tmp_path / "conf.d").mkdir()
        monkeypatch.setattr(configuration, "CONFIGURATION", str(tmp_path / "supervisord.conf"))
        monkeypatch.setattr(programs, "PROGRAMS", str(tmp_path / "conf.d"))
        return tmp_path / "supervisord.conf"

    def test_all_that_supervisor_reads(self, main: Path) -> None:
        """Patterns are relative to supervisord.conf; directories and other names do not count."""
        main.write_text("[include]\nfiles = more/*.ini %(here)s/last.conf\n")
        for name in ("conf.d/a.conf", "conf.d/b.txt", "more/c.ini", "last.conf", "other/d.ini"):
            (main.parent / name).parent.mkdir(exist_ok=True)
            (main.parent / name).write_text(name)
        (main.parent / "conf.d" / "e.conf").mkdir()
        names = {str(main.parent / name): name for name in ("conf.d/a.conf", "last.conf", "more/c.ini")}
        assert configuration.read_files() == {str(main): main.read_text(), **names}

    def test_conf_d_counts_even_if_the_main_file_does_not_name_it(self, main: Path) -> None:
        """The role puts its programs there; a main file that is broken or missing hides none of them."""
        program = main.parent / "conf.d" / "a.conf"
        program.write_text("[program:shop]\n")
        assert configuration.read_files() == {str(main): "", str(program): "[program:shop]\n"}
        main.write_text("nonsense")
        assert configuration.read_files() == {str(main): "nonsense", str(program): "[program:shop]\n"}

    def test_a_host_without_supervisor(self) -> None:
        """Access is Debian's."""
        assert configuration.read_access() == Access("/var/run/supervisor.sock")
