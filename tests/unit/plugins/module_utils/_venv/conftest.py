# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package index, and virtual environments that Gunicorn was installed into from it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Iterator

import pytest
from venvs import Host, build_wheel, site_packages, want


@pytest.fixture(scope="session", autouse=True)
def unconfigured() -> Iterator[None]:
    """No configuration of pip on this machine counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        yield


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
    """The path of a venv that was made from nothing, what the module returned, and the commands that it ran."""
    path = tmp_path_factory.mktemp("made") / "opt" / "venv"
    host = Host(index)
    return path, host.ensure(want(path)), host.commands


@pytest.fixture(scope="session")
def shared_pip(made: tuple, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pip of that venv, and nothing else."""
    folder = tmp_path_factory.mktemp("pip")
    for source in site_packages(made[0]).glob("pip*"):
        shutil.copytree(source, folder / source.name)
    return folder


@pytest.fixture(scope="session")
def small_venv(index: Path, shared_pip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv like it, without a pip of its own, that is quickly copied."""
    path = tmp_path_factory.mktemp("small") / "venv"
    Host(index, shared_pip).ensure(want(path))
    return path


@pytest.fixture
def host(index: Path, shared_pip: Path) -> Host:
    """A host that has run no command yet."""
    return Host(index, shared_pip)


@pytest.fixture
def venv(small_venv: Path, tmp_path: Path) -> Path:
    """A venv that a test may break."""
    path = tmp_path / "venv"
    shutil.copytree(small_venv, path, symlinks=True)
    return path


@pytest.fixture
def outlived(venv: Path) -> Path:
    """A venv that lost its interpreter with an upgrade of the host."""
    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to("/usr/bin/python3.99")
    return venv


@pytest.fixture
def family(index: Path, tmp_path: Path) -> Path:
    """An index with packages that need each other: cms 5 needs frame 5, and so on, but cms 1 takes any."""
    folder = tmp_path / "index"
    folder.mkdir()
    for wheel in index.iterdir():
        (folder / wheel.name).symlink_to(wheel)
    for number in range(1, 6):
        build_wheel(folder, "frame", f"{number}.0")
        build_wheel(folder, "cms", f"{number}.0", *([f"frame<{number}.5,>={number}"] if number > 1 else ["frame"]))
    build_wheel(folder, "part", "1.0", "frame")
    build_wheel(folder, "part", "2.0", "frame")
    build_wheel(folder, "whole", "1.0", "part<2")
    return folder
