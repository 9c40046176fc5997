# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.fixture
def debian(host: SimpleNamespace, plan: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The missing packages of a Debian host that has these files and no others below /usr."""

    def missing(*files: str, **changes: object) -> list[str]:
        names = {"/usr/bin/python3": "/usr/bin/python3.11", "/usr/bin/python": "/usr/bin/python3.11"}
        real = os.path.exists
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name != "no-python" else None)
        monkeypatch.setattr(os.path, "realpath", lambda path: names.get(path, path))
        monkeypatch.setattr(
            os.path,
            "isdir",
            lambda path: path in files if path.startswith("/usr/lib/") else Path(path).is_dir(),
        )
        monkeypatch.setattr(os.path, "exists", lambda path: path in files if path.startswith("/usr/") else real(path))
        return plan(**{"venv": f"{host.root}/venv", **changes})["packages"]

    return missing


def test_what_a_bare_host_lacks(debian: Callable[..., list[str]]) -> None:
    """Debian packages ensurepip apart from Python, and a minimal host has no logrotate."""
    assert debian() == ["python3.11-venv", "logrotate"]
    assert debian(log_file="-") == ["python3.11-venv"]
    assert debian("/usr/sbin/logrotate") == ["python3.11-venv"]
    assert debian("/usr/sbin/logrotate", "/usr/lib/python3.11/ensurepip") == []


@pytest.mark.parametrize(("python", "package"), [("python", "python3.11-venv"), ("python3.13", "python3.13-venv")])
def test_the_package_of_the_interpreter(debian: Callable[..., list[str]], python: str, package: str) -> None:
    """It follows the interpreter that a link leads to: there is no package python-venv."""
    assert debian("/usr/sbin/logrotate", python=python) == [package]


def test_a_venv_that_is_there_needs_nothing(debian: Callable[..., list[str]], host: SimpleNamespace) -> None:
    """An empty directory is not a virtual environment yet."""
    (host.root / "venv").mkdir()
    assert debian("/usr/sbin/logrotate") == ["python3.11-venv"]
    (host.root / "venv" / "bin").mkdir()
    (host.root / "venv" / "bin" / "python").touch()
    (host.root / "venv" / "pyvenv.cfg").touch()
    assert debian("/usr/sbin/logrotate", python="no-python") == []
    assert debian("/usr/sbin/logrotate", venv_rebuild=True) == ["python3.11-venv"], "it is another Python's"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_venv_is_refused_before_anything_is_made(host: SimpleNamespace, plan: Callable, kind: str) -> None:
    """A file, or a folder with something else in it."""
    path = host.root / "venv"
    path.touch() if kind == "file" else (path / "music").mkdir(parents=True)
    with pytest.raises(InvalidValue, match="gunicorn_venv: .* a virtual environment"):
        plan(venv=str(path))


def test_an_interpreter_that_the_host_lacks(debian: Callable[..., list[str]]) -> None:
    """The error comes before anything is installed."""
    with pytest.raises(InvalidValue, match="gunicorn_python: 'no-python'"):
        debian(python="no-python")


def test_an_interpreter_that_is_not_debians(
    host: SimpleNamespace, plan: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was built by hand has its own ensurepip."""
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/local/bin/python3.12")
    assert "python3.12-venv" not in plan(venv=f"{host.root}/venv")["packages"]


@pytest.mark.parametrize("python", ["/bin/sh", "no-such-python", "-c"])
def test_an_interpreter_is_a_python(host: SimpleNamespace, plan: Callable, python: str) -> None:
    """apt would be asked for dash-venv."""
    with pytest.raises(InvalidValue, match="gunicorn_python: .*a Python 3 interpreter"):
        plan(python=python, venv=f"{host.root}/venv")
