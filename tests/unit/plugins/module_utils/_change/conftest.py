# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.systemctl import Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, units


class Systemd:
    """A systemd that only notes what it is asked to do; units are as a test sets them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing = ""
        self.loaded: dict[str, str] = {}  # properties by unit; another unit is not found

    def run(self, command: list[str]) -> tuple[int, str, str]:
        """What systemctl does."""
        assert command[0] == "systemctl"
        if command[1] == "show":
            return 0, "\n\n".join(self.loaded.get(name, "LoadState=not-found") for name in command[4:]), ""
        words = " ".join(command[1:])
        self.asked.append(words)
        return (1, "", "Job failed.\nSee more.\n") if self.failing and self.failing in words else (0, "", "")

    @property
    def systemctl(self) -> Systemctl:
        """The way to it."""
        return Systemctl(Runner(self.run))


@pytest.fixture
def systemd() -> Systemd:
    """A systemd that has no unit."""
    return Systemd()


@pytest.fixture
def etc_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an administrator's units are."""
    monkeypatch.setattr(units, "UNIT_DIRECTORY", str(tmp_path / "etc"))
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


@pytest.fixture
def run_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units are until the next boot."""
    monkeypatch.setattr(runtime_units, "DIRECTORY", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"
