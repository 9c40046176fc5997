# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import sources


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as people have it on a host, with what is not a part of its package."""
    path = tmp_path / "shop"
    for folder in ("shop/build", "build", "dist", ".git", "shop/__pycache__", "shop.egg-info", "venv-1/bin", "cache"):
        (path / folder).mkdir(parents=True)
    for file in ("pyproject.toml", "shop/app.py", "shop/build/steps.py", "venv-1/pyvenv.cfg", "cache/CACHEDIR.TAG"):
        (path / file).write_text("1")
    (path / "venv").symlink_to(path / "venv-1")
    return path


def changed(project: Path, act: Callable[[Path], object], is_editable: bool = False) -> bool:
    """Whether the project has changed after something was done to it."""
    noted = sources.read(str(project), is_editable)
    assert not sources.has_changed(str(project), is_editable, noted)
    act(project)
    return sources.has_changed(str(project), is_editable, noted)


@pytest.mark.parametrize(
    "act",
    [
        lambda path: (path / "shop/app.py").write_text("2"),
        lambda path: (path / "shop/build/steps.py").write_text("2"),
        lambda path: (path / "shop/new.py").touch(),
        lambda path: (path / "shop/app.py").unlink(),
        lambda path: (path / "shop/app.py").rename(path / "shop/main.py"),
        lambda path: (path / "shop/link.py").symlink_to("app.py"),
        lambda path: (path / "pyproject.toml").write_text("2"),
    ],
)
def test_code_that_changed(project: Path, act: Callable[[Path], object]) -> None:
    """Whatever gets into the package counts, also if size and time of the file stay."""
    assert changed(project, act)


def test_the_same_size_and_time(project: Path) -> None:
    """A tool that sets the time back does not hide a change."""
    status = (project / "shop/app.py").stat()

    def act(path: Path) -> None:
        (path / "shop/app.py").write_text("2")
        os.utime(path / "shop/app.py", ns=(status.st_atime_ns, status.st_mtime_ns))

    assert changed(project, act)


@pytest.mark.parametrize(
    "act",
    [
        lambda path: (path / "shop/app.py").touch(),
        lambda path: (path / "shop/app.py").write_text("1"),
        lambda path: (path / "build/lib").touch(),
        lambda path: (path / "dist/shop.whl").touch(),
        lambda path: (path / ".git/index").touch(),
        lambda path: (path / "shop/__pycache__/app.pyc").touch(),
        lambda path: (path / "shop/app.pyc").touch(),
        lambda path: (path / "shop.egg-info/PKG-INFO").touch(),
        lambda path: (path / "venv-1/bin/python").touch(),
        lambda path: (path / "cache/x").touch(),
        lambda path: ((path / "venv").unlink(), (path / "venv").symlink_to("venv-1")),
    ],
)
def test_what_is_no_change(project: Path, act: Callable[[Path], object]) -> None:
    """A file with the same content, what a build leaves, repositories, caches and virtual environments."""
    assert not changed(project, act)


def test_an_editable_directory(project: Path) -> None:
    """Python loads its code from there; only what says what it needs counts."""
    assert not changed(project, lambda path: (path / "shop/app.py").write_text("2"), is_editable=True)
    assert changed(project, lambda path: (path / "pyproject.toml").write_text("2"), is_editable=True)
    assert changed(project, lambda path: (path / "setup.py").touch(), is_editable=True)


def test_a_file(tmp_path: Path) -> None:
    """A wheel that was exchanged under its name, or is gone."""
    wheel = tmp_path / "shop-1.0-py3-none-any.whl"
    wheel.write_text("1")
    assert not changed(wheel, lambda path: path.touch())
    assert changed(wheel, lambda path: path.write_text("2"))
    assert changed(wheel, lambda path: path.unlink())


def test_what_can_not_be_read_as_a_file(project: Path) -> None:
    """A FIFO, or a link that leads nowhere, is not opened."""
    os.mkfifo(project / "shop/pipe")
    (project / "shop/lost").symlink_to("gone")
    assert not changed(project, lambda path: None)
    assert changed(project, lambda path: ((path / "shop/lost").unlink(), (path / "shop/lost").symlink_to("other")))


def test_a_link_in_a_circle(project: Path) -> None:
    """It is no error: somebody else may have put it there."""
    (project / "shop/loop").symlink_to("loop")
    assert not changed(project, lambda path: None)
    assert changed(project, lambda path: (path / "shop/loop").unlink())


def test_a_deep_tree(project: Path) -> None:
    """More levels than Python's recursion allows, and than a path can name, are no error either."""
    here = os.open(project / "shop", os.O_RDONLY)
    for _level in range(2500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert not changed(project, lambda path: None)
        assert changed(project, lambda path: (path / "shop/app.py").write_text("2"))
    finally:
        subprocess.run(["rm", "-r", project / "shop/d"], check=True)


def test_a_file_without_end(project: Path) -> None:
    """Of what is larger than all that is read, size and time count."""
    with open(project / "shop/hole", "wb") as file:
        file.truncate(1 << 40)
    assert not changed(project, lambda path: None)
    assert changed(project, lambda path: (path / "shop/hole").touch())
    assert changed(project, lambda path: (path / "shop/urls.py").write_text("1"))


def test_a_file_of_the_kernel(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a file that says it is empty, as those of /proc that wait for news, is not opened."""
    (project / "shop/link").symlink_to("/proc/kmsg")
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *others, **named: opened.append(path) or real(path, *others, **named))
    sources.read(str(project), False)
    assert str(project / "shop/app.py") in opened
    assert str(project / "shop/link") not in opened
