# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import versions

NOW = 1795345306.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with a virtual environment in which Gunicorn was installed before NOW."""
    packages = tmp_path / "opt/shop/venv/lib/python3.11/site-packages"
    for name in ("Django-5.2.dist-info", "gunicorn_extras-1.0.dist-info", "gunicorn-27.0.1.dist-info"):
        (packages / name).mkdir(parents=True)
        os.utime(packages / name, (NOW - 60, NOW - 60))
    return tmp_path


COMMAND = ("/opt/shop/venv/bin/python", "/opt/shop/venv/bin/gunicorn")


class TestGunicorn:
    def test_one_that_was_there_before(self, root: Path) -> None:
        """By the interpreter or the script that the command begins with."""
        assert versions.read_gunicorn([COMMAND], NOW, str(root)) == "27.0.1"
        assert versions.read_gunicorn([("gunicorn: master [x]",), COMMAND[1:]], NOW, str(root)) == "27.0.1"

    def test_one_that_came_later(self, root: Path) -> None:
        """The process runs the version from before, which is not known."""
        assert versions.read_gunicorn([COMMAND], NOW - 120, str(root)) is None

    def test_one_of_debian(self, tmp_path: Path) -> None:
        """With another kind of metadata, which names the interpreter."""
        (tmp_path / "usr/lib/python3/dist-packages/gunicorn-20.1.0-py3.11.egg-info").mkdir(parents=True)
        assert versions.read_gunicorn([("/usr/bin/python3", "/usr/bin/gunicorn")], 1e11, str(tmp_path)) == "20.1.0"

    @pytest.mark.parametrize(
        "command", [(), ("python3", "gunicorn"), ("/nowhere/bin/python",), ("/",), ("/\0",), ("/opt/*/venv/bin/x",)]
    )
    def test_none(self, root: Path, command: tuple[str, ...]) -> None:
        """A path that is no path, or has nothing of it."""
        assert versions.read_gunicorn([command], NOW, str(root)) is None


class TestPython:
    def process(self, root: Path, program: str | None, maps: str = "") -> str:
        folder = root / "proc/7"
        folder.mkdir(parents=True)
        if program:
            (folder / "exe").symlink_to(program)
        (folder / "maps").write_text(maps, encoding="utf-8")
        return str(root)

    @pytest.mark.parametrize("program", ["/usr/bin/python3.11", "/usr/bin/python3.11 (deleted)"])
    def test_by_its_program(self, tmp_path: Path, program: str) -> None:
        """Also one that an upgrade replaced."""
        assert versions.read_python(7, COMMAND, self.process(tmp_path, program)) == "3.11"

    def test_by_its_library(self, tmp_path: Path) -> None:
        """Where the program's name does not tell."""
        maps = "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libpython3.12.so.1.0\n"
        assert versions.read_python(7, COMMAND, self.process(tmp_path, "/usr/bin/python3", maps)) == "3.12"

    def test_by_its_command(self, tmp_path: Path) -> None:
        """Where the process may not be looked into."""
        (tmp_path / "opt/shop/venv/bin").mkdir(parents=True)
        (tmp_path / "opt/shop/venv/bin/python").symlink_to("python3.11")
        assert versions.read_python(7, COMMAND, self.process(tmp_path, None)) == "3.11"

    def test_not_known(self, tmp_path: Path) -> None:
        """No guess."""
        assert versions.read_python(7, ("gunicorn: master [x]",), self.process(tmp_path, "/opt/pypy/bin/pypy3")) is None
        assert versions.read_python(8, (), str(tmp_path)) is None
