# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package index, and virtual environments that Gunicorn was installed into from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from venvs import Host, build_wheel, want


@pytest.fixture(scope="session")
def index(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels for pip: two Gunicorns, and two versions of a small package notes."""
    folder = tmp_path_factory.mktemp("index")
    for wheel in wheels.glob("*.whl"):
        shutil.copy(wheel, folder)
    for version in ("1.0", "2.0"):
        build_wheel(folder, "notes", version)
    return folder


@pytest.fixture(scope="session")
def made(index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, list[list[str]]]:
    """A venv that was made from nothing, what was returned, and by which commands it was made."""
    path = tmp_path_factory.mktemp("made") / "opt" / "venv"
    host = Host(index)
    return path, host.ensure(want(path)), host.commands


@pytest.fixture
def host(index: Path, made: tuple) -> Host:
    """A host with nothing done yet."""
    return Host(index, pip_of=made[0])


@pytest.fixture
def venv(made: tuple, tmp_path: Path) -> Path:
    """A copy of it that a test may break."""
    path = tmp_path / "venv"
    shutil.copytree(made[0], path, symlinks=True)
    return path


@pytest.fixture
def outlived(venv: Path) -> Path:
    """A venv whose interpreter went away with an upgrade of the host."""
    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to("/usr/bin/python3.99")
    return venv
