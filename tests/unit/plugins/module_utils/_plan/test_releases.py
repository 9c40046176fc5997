# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment of a release finds and needs on its host."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import releases
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.live import Release
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def want(folder: Path, **changes: object) -> SimpleNamespace:
    """The parameters of a deployment, as far as they matter here."""
    release = Release("1a", str(folder / "releases"), static="static", public_static=str(folder / "cache" / "static"))
    user = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, os.geteuid()))
    return SimpleNamespace(
        release=release._replace(**changes),
        user=user,
        group=user,
        service="shop",
        venv=str(folder / "venv"),
        config_directory=str(folder / "etc"),
        data_directory=str(folder / "data"),
        log_files={"gunicorn_log_file": str(folder / "log" / "gunicorn.log")},
    )


def test_code_in_place_needs_nothing() -> None:
    wanted = SimpleNamespace(release=None)
    assert releases.is_there(wanted)
    assert (releases.lacking(wanted), releases.directories_to_make(wanted), releases.problems(wanted)) == ([], [], [])


def test_a_release_that_is_not_there_is_lacking(tmp_path: Path) -> None:
    wanted = want(tmp_path)
    assert not releases.is_there(wanted)
    assert releases.lacking(wanted) == ["the release 1a"]
    (tmp_path / "releases" / "1a").mkdir(parents=True)
    assert releases.is_there(wanted)
    assert releases.lacking(wanted) == []


def test_a_release_without_a_name_is_lacking(tmp_path: Path) -> None:
    """The host has no git yet to find it."""
    wanted = want(tmp_path, id="")
    (tmp_path / "releases").mkdir()
    assert not releases.is_there(wanted)
    assert releases.lacking(wanted) == ["the release"]


def test_the_directory_of_releases_is_made_for_root(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    made = {"path": str(tmp_path / "releases"), "owner": "root", "group": "root", "mode": "0755"}
    if os.geteuid() == 0:
        assert releases.directories_to_make(want(tmp_path)) == [made]
        (tmp_path / "releases").mkdir()
        assert releases.directories_to_make(want(tmp_path)) == []


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"directory": "data/releases"}, "gunicorn_releases_directory"),
        ({"public_static": "data/static"}, "gunicorn_static_directory"),
        ({"public_static": "log/static"}, "gunicorn_static_directory"),
    ],
)
def test_a_directory_that_the_service_can_change_is_refused(tmp_path: Path, changes: dict, variable: str) -> None:
    """Root writes there, and what is there is run or served."""
    (tmp_path / "data").mkdir()
    (tmp_path / "log").mkdir()
    placed = {name: str(tmp_path / path) for name, path in changes.items()}
    with pytest.raises(InvalidValue, match=f"^{variable}: .* may not write, as it may in {tmp_path}"):
        releases.directories_to_make(want(tmp_path, **placed))


@pytest.mark.parametrize("place", ["", "etc", "data", "venv", "log", "releases", "releases/static"])
def test_a_link_for_static_files_replaces_nothing_else(tmp_path: Path, place: str) -> None:
    if os.geteuid():
        pytest.skip("as root, to whom the directories belong")
    os.chmod(tmp_path, 0o755)
    (tmp_path / "releases").mkdir()
    path = str(tmp_path / place) if place else str(tmp_path)
    with pytest.raises(InvalidValue, match="^gunicorn_static_directory: .* static files alone|not among the releases"):
        releases.directories_to_make(want(tmp_path, public_static=path))


def test_the_releases_of_another_service_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("as root, to whom the directories belong")
    os.chmod(tmp_path, 0o755)
    (tmp_path / "releases").mkdir()
    notes.write_live(str(tmp_path / "releases"), notes.Live("1a", asked={"name": "blog"}))
    monkeypatch.setattr(names, "roll_back_command", lambda name: str(tmp_path / f"{name}-roll-back"))
    assert releases.directories_to_make(want(tmp_path)) == []  # blog was removed
    (tmp_path / "blog-roll-back").touch()
    with pytest.raises(InvalidValue, match="^gunicorn_releases_directory: .* it has the releases of blog"):
        releases.directories_to_make(want(tmp_path))
