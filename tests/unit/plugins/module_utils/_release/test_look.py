# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import repositories
import wanted_releases

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import git as release_git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import look as release_look
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import steps as release_steps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

COMMIT = "3f2a9c1d4e5b60718293a4b5c6d7e8f901234567"
STEPS = [
    "collectstatic",
    "migrate",
    {"name": "warm", "command": "true", "when": "after", "on_roll_back": True},
    {"name": "tell", "command": "true", "when": "after"},
]


def look(directory: Path, source: object, **changes: object) -> dict:
    wanted = wanted_releases.want(directory, source, **changes)
    return release_look.result(wanted, release_look.look(wanted, repositories.Host().runner))


def keep(directory: Path, name: str, **changes: object) -> Note:
    """A release that is there."""
    (directory / name).mkdir(parents=True)
    venv = {"directory": str(directory), "fingerprint": "", "gunicorn_version": "27.0.1"}
    note = Note(name, str(directory / name), **{"source": {"identity": COMMIT}, "venv": venv, **changes})
    notes.write(str(directory), note)
    return note


def test_a_branch(tmp_path: Path) -> None:
    """One look at the remote says which release it is, and nothing is changed."""
    commit = repositories.make_repository(tmp_path / "origin")
    host = repositories.Host()
    wanted = wanted_releases.want(tmp_path / "releases", {"git": str(tmp_path / "origin"), "version": "main"})
    found = release_look.look(wanted, host.runner)
    result = release_look.result(wanted, found)
    assert result == {
        "id": commit[:12],
        "path": f"{tmp_path}/releases/{commit[:12]}",
        "known": True,
        "there": False,
        "identity": commit,
        "live": "",
        "venv": {},
        "steps": [],
        "source": {"git": str(tmp_path / "origin"), "version": "main", "identity": commit},
        "requirement": "",
        "packages": [],
    }
    assert len(host.commands) == 1
    assert not (tmp_path / "releases").exists()


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch is unknown until the host has git; a commit is known, and once it is there, nothing is needed."""
    monkeypatch.setattr(release_git.shutil, "which", lambda _name: None)
    url = "git@example.com:shop.git"
    result = look(tmp_path, {"git": url})
    assert (result["known"], result["id"], result["path"]) == (False, "", "")
    assert result["packages"] == ["git", "openssh-client"]
    result = look(tmp_path, {"git": url, "version": COMMIT})
    assert (result["known"], result["there"], result["packages"]) == (True, False, ["git", "openssh-client"])
    keep(tmp_path, COMMIT[:12])
    result = look(tmp_path, {"git": url, "version": COMMIT})
    assert (result["there"], result["packages"]) == (True, [])


def test_an_archive(tmp_path: Path) -> None:
    """Its hash is found on the host, was found on the controller, or is given."""
    (tmp_path / "a.tar").write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    on_host = {"archive": f"{tmp_path}/a.tar", "remote_src": True}
    assert look(tmp_path, on_host)["id"] == sha256[:12]
    assert look(tmp_path, {"archive": "a.tar"}, identity=sha256)["id"] == sha256[:12]
    url = "https://example.com/a.tar?token=canary"
    result = look(tmp_path, {"archive": url, "checksum": f"sha256:{sha256}"})
    assert result["id"] == sha256[:12]
    assert "canary" not in str(result)
    with pytest.raises(InvalidValue, match=rf"\['checksum'\]: .* that of {tmp_path}/a.tar, which is sha256:{sha256}$"):
        look(tmp_path, {**on_host, "checksum": f"sha256:{'a' * 64}"})


def test_a_requirement(tmp_path: Path) -> None:
    """A pinned one is its own identity; a wheel is known by its content, and is in the release once that is there."""
    pinned = look(tmp_path, {"requirement": "shop==1.4"})
    assert (pinned["requirement"], pinned["identity"]) == ("shop==1.4", hashlib.sha256(b"shop==1.4").hexdigest())
    wheel = tmp_path / "shop-1.4-py3-none-any.whl"
    wheel.write_bytes(b"x")
    result = look(tmp_path, {"requirement": str(wheel)})
    assert (result["requirement"], result["identity"]) == (str(wheel), hashlib.sha256(b"x").hexdigest())
    keep(tmp_path, result["id"], source={"requirement": str(wheel), "identity": result["identity"]})
    result = look(tmp_path, {"requirement": str(wheel)})
    assert result["requirement"] == f"{tmp_path}/{result['id']}/{wheel.name}"


def test_the_steps_that_are_pending(tmp_path: Path) -> None:
    """What the release has done is not pending."""
    git = {"git": "/srv/shop", "version": COMMIT}
    result = look(tmp_path, git, steps=STEPS)
    assert [step["name"] for step in result["steps"] if step["pending"]] == ["collectstatic", "migrate", "warm", "tell"]
    step = release_steps.parse(["collectstatic"], "staticfiles")[0]
    keep(tmp_path, result["id"], steps={"collectstatic": {"hash": step.hash}}, venv={"directory": "/v"})
    result = look(tmp_path, git, steps=STEPS)
    assert [step["name"] for step in result["steps"] if step["pending"]] == ["migrate", "warm", "tell"]
    assert (result["there"], result["venv"]) == (True, {"directory": "/v"})


def test_the_way_back(tmp_path: Path) -> None:
    """The note says what the release has, and of its steps only what asks for it follows."""
    steps = release_steps.parse(STEPS, "staticfiles")
    done = {step.name: {"hash": step.hash} for step in steps}
    keep(tmp_path, "a", brought=1.0, steps=done, definitions=[step.as_dict() for step in steps])
    keep(tmp_path, "b", brought=2.0)
    history = [{"id": name, "at": number, "back": False} for number, name in enumerate("ab")]
    notes.write_live(str(tmp_path), Live("b", history))
    result = look(tmp_path, "previous", steps=["check"])
    assert (result["id"], result["there"], result["live"], result["identity"]) == ("a", True, "b", COMMIT)
    assert [step["name"] for step in result["steps"] if step["pending"]] == ["warm"]
    assert look(tmp_path, "a") == result
    notes.write_live(str(tmp_path), Live("a", [*history, {"id": "a", "at": 3, "back": True}]))
    result = look(tmp_path, "previous")
    assert (result["id"], [step for step in result["steps"] if step["pending"]]) == ("a", [])


def test_the_venv_of_a_release_whose_steps_have_failed(tmp_path: Path) -> None:
    """It was never live; the one that was built for it counts."""
    commit = repositories.make_repository(tmp_path / "origin")
    keep(tmp_path / "releases", commit[:12], venv={}, candidate="/opt/shop/venv-1", source={"identity": commit})
    assert look(tmp_path / "releases", {"git": str(tmp_path / "origin")})["venv"] == {"directory": "/opt/shop/venv-1"}


def test_releases_that_can_not_be_gone_back_to(tmp_path: Path) -> None:
    """Unknown ones, and ones that were never live; the error lists the others."""
    with pytest.raises(InvalidValue, match="^gunicorn_release: 'previous' .* there was none; none is kept$"):
        look(tmp_path, "previous")
    keep(tmp_path, "good")
    keep(tmp_path, "half", venv={})
    (tmp_path / "noted").mkdir()
    for name in ("half", "noted", "gone"):
        with pytest.raises(
            InvalidValue, match=f"^gunicorn_release: '{name}' .* ID of a release in .* that was live: kept are good$"
        ):
            look(tmp_path, name)
    events = [{"id": name, "at": number, "back": False} for number, name in enumerate(("gone", "good"))]
    notes.write_live(str(tmp_path), Live("good", events))
    with pytest.raises(InvalidValue, match="'previous' .* gone was live before, and is gone; kept are good$"):
        look(tmp_path, "previous")


def test_another_release_with_the_same_id(tmp_path: Path) -> None:
    """Twelve digits can be made to meet; such a release is not taken for the wanted one."""
    keep(tmp_path, COMMIT[:12], source={"identity": COMMIT[:12] + "0" * 28})
    with pytest.raises(ReleaseError, match="has the same ID and is made of something else"):
        look(tmp_path, {"git": "/srv/shop", "version": COMMIT})


def test_a_directory_that_others_can_change(tmp_path: Path) -> None:
    """They could put another release there."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(InvalidValue, match="^gunicorn_releases_directory: .*the service's user can change"):
        look(tmp_path / "open", {"git": "/srv/shop", "version": COMMIT})
    with pytest.raises(InvalidValue, match=r"^gunicorn_release\['git'\]: .*the service's user can change"):
        look(tmp_path, {"git": f"file://{tmp_path}/open/x.git", "version": "main"})
