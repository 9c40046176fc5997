# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that goes back to a kept release, as a host has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import roll_back_command
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names


@pytest.fixture(name="releases")
def two_releases(tmp_path: Path) -> str:
    """Two releases, the second of which is live."""
    directory = str(tmp_path / "releases")
    live = notes.Live()
    for number, name in enumerate(("1a", "2b")):
        os.makedirs(f"{directory}/{name}")
        source = {"git": "https://git.example.com/shop.git", "version": "main", "identity": "3f2a"}
        venv = {"directory": str(tmp_path), "fingerprint": name, "gunicorn_version": "27.0.1"}
        notes.write(directory, notes.Note(name, "", source, float(number), venv=venv))
        live = notes.went_live(live, name, False, {})
    notes.write_live(directory, live)
    return directory


@pytest.fixture(name="command")
def installed_command(tmp_path: Path, releases: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "sbin" / "shop-roll-back"
    monkeypatch.setattr(names, "roll_back_command", lambda _service: str(path))
    roll_back_command.install("shop", releases)
    return path


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=False, cwd="/")


def test_it_runs_on_its_own_and_lists_the_kept_releases(command: Path) -> None:
    """Without Ansible, and without this checkout."""
    done = run(command, "--list")
    assert done.stderr == ""
    shown = [line.split() for line in done.stdout.splitlines()]
    source = ["git", "https://git.example.com/shop.git", "main"]
    assert [(line[0], *line[3:]) for line in shown] == [("2b", "live", *source), ("1a", "previous", *source)]


def test_a_release_that_is_not_kept_is_an_error(command: Path) -> None:
    done = run(command, "9z")
    assert done.returncode == 1
    who = "only root can do this: use sudo" if os.geteuid() else "RELEASE: '9z' can't be used: expected the ID"
    assert done.stderr.startswith(who)


def test_who_may_not_read_the_notes_is_told_so(releases: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def refuse(_directory: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(notes, "read_live", refuse)
    assert roll_back_command.main(releases, ["--list"]) == 1
    assert capsys.readouterr().err == "only root can read the releases: use sudo\n"


def test_the_same_modules_make_the_same_file(command: Path, releases: str) -> None:
    """It is not written again, and never while somebody could run half of it."""
    before = command.stat().st_ino
    roll_back_command.install("shop", releases)
    assert command.stat().st_ino == before
    command.write_bytes(b"")
    roll_back_command.install("shop", releases)
    assert command.stat().st_ino != before
    assert command.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in command.parent.iterdir()] == [command.name]


def test_a_link_in_its_place_is_replaced_and_not_followed(command: Path, releases: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(command.read_bytes())
    command.unlink()
    command.symlink_to(other)
    roll_back_command.install("shop", releases)
    assert not command.is_symlink()
