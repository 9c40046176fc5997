# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the test hosts keep of the modules that Ansible sends."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOSTS = Path(__file__).parents[2] / "hosts"


@pytest.fixture
def load(tmp_path):
    """Import a module with a source from an archive of some name, in a process of its own; its output."""

    def run(source: str, archive: str = "payload.zip") -> str:
        with zipfile.ZipFile(tmp_path / archive, "w") as file:
            file.writestr("sent.py", source)
        code = (
            f"import testhost_bytecode, sys; sys.path.insert(0, {str(tmp_path / archive)!r}); import sent; sent.act()"
        )
        environment = {**os.environ, "PYTHONPATH": str(HOSTS), "TESTHOST_BYTECODE": str(tmp_path / "kept")}
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        ).stdout

    return run


def says(word: str) -> str:
    return f"def act():\n    print({word!r})\n"


def test_the_next_import_takes_what_was_kept(load, tmp_path):
    """Bytecode that says something else shows it."""
    assert load(says("one")) == "one\n"
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"one", b"two"))
    assert load(says("one")) == "two\n"


def test_another_source_is_compiled(load, tmp_path):
    """It has a file of its own."""
    assert load(says("one")) == "one\n"
    assert load(says("other")) == "other\n"
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_a_traceback_names_the_archive_of_its_run(load, tmp_path):
    """Also in a function of a module that was compiled from another archive."""
    source = "def act():\n    raise ValueError('here')\n"
    assert f'"{tmp_path}/first.zip/sent.py", line 2, in act' in load(source, "first.zip")
    assert f'"{tmp_path}/second.zip/sent.py", line 2, in act' in load(source, "second.zip")
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_who_can_not_write_goes_without(load, tmp_path):
    """As users other than root."""
    (tmp_path / "kept").write_text("no directory")
    assert load(says("one")) == "one\n"
