# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What going live means for a release beside the service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live, notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.live import Release
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Note


class Host:
    """A host with releases, each of which has a stylesheet of its own and one that all have."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "opt" / "releases"
        self.static = folder / "cache" / "static"
        self.used: list[str] = []
        self.brought = 0.0

    def release(self, name: str, **more: object) -> Release:
        return Release(name, str(self.directory), static="static", public_static=str(self.static), **more)

    def bring(self, name: str) -> None:
        folder = self.directory / name / "static"
        folder.mkdir(parents=True)
        for file in ("site.css", f"site.{name}.css"):
            (folder / file).write_text(name)
        self.brought += 1.0
        notes.write(str(self.directory), Note(name, "", brought=self.brought, built=True))

    def settle(self, name: str, venv: str = "", **more: object) -> list[str]:
        told = {"directory": venv or f"/opt/venv-{name}", "fingerprint": name, "gunicorn_version": "27.0.1"}
        unused = lambda paths: [path for path in paths if path not in self.used]  # noqa: E731
        return live.settle(self.release(name, **more), {"name": "shop"}, told, unused)

    def deploy(self, *names: str) -> None:
        for name in names:
            self.bring(name)
            self.settle(name)

    def releases(self) -> set[str]:
        return {entry for entry in os.listdir(self.directory) if not entry.startswith(".")}

    def served(self) -> dict[str, str]:
        return {file.name: file.read_text() for file in self.static.glob("*.css")}


@pytest.fixture(name="host")
def host_with_releases(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_link_for_people_leads_to_the_live_release(host: Host) -> None:
    host.deploy("1a", "2b")
    assert os.readlink(host.directory.parent / "current") == str(host.directory / "2b")
    assert live.problems(host.release("2b")) == []


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_another_ones_current_stays(host: Host, tmp_path: Path, kind: str) -> None:
    current = host.directory.parent / "current"
    current.parent.mkdir()
    if kind == "link":
        current.symlink_to(tmp_path)
    else:
        current.mkdir()
    host.deploy("1a")
    assert (current.resolve() == tmp_path) if kind == "link" else (current.is_dir() and not current.is_symlink())
    assert live.problems(host.release("1a")) == []


def test_the_last_releases_stay_with_their_venvs(host: Host) -> None:
    host.deploy("1a", "2b", "3c")
    host.bring("4d")
    assert host.settle("4d") == ["/opt/venv-1a"]
    assert host.releases() == {"2b", "3c", "4d"}
    assert not os.path.lexists(host.directory / ".1a.json")


def test_a_venv_that_a_kept_release_shares_stays(host: Host) -> None:
    for name in ("1a", "2b", "3c"):
        host.bring(name)
        host.settle(name, "/opt/venv")
    host.bring("4d")
    assert host.settle("4d", "/opt/venv-new") == []


def test_what_is_in_use_stays(host: Host) -> None:
    host.used = [str(host.directory / "1a")]
    host.deploy("1a", "2b", "3c", "4d")
    assert host.releases() == {"1a", "2b", "3c", "4d"}


def test_a_release_that_was_refused_goes_once_a_newer_one_works(host: Host) -> None:
    host.deploy("1a")
    host.bring("2-bad")
    host.deploy("3c")
    assert host.releases() == {"1a", "3c"}


def test_a_release_that_another_run_brings_stays(host: Host) -> None:
    host.deploy("1a")
    host.bring("2b")
    host.bring("3-on-its-way")
    host.settle("2b")
    assert host.releases() == {"1a", "2b", "3-on-its-way"}


def test_going_back_removes_nothing_that_was_live(host: Host) -> None:
    host.deploy("1a", "2b", "3c")
    host.settle("2b", back=True)
    assert host.releases() == {"1a", "2b", "3c"}
    assert notes.previous(notes.read_live(str(host.directory))) == "2b"


def test_new_pages_find_their_files_before_the_switch_and_old_ones_after_it(host: Host) -> None:
    host.deploy("1a")
    host.bring("2b")
    live.offer(host.release("2b"))
    assert host.served() == {"site.css": "1a", "site.1a.css": "1a", "site.2b.css": "2b"}
    host.settle("2b")
    assert host.served() == {"site.css": "2b", "site.1a.css": "1a", "site.2b.css": "2b"}
    host.deploy("3c", "4d")
    assert set(host.served()) == {"site.css", "site.2b.css", "site.3c.css", "site.4d.css"}


def test_a_refused_release_leaves_no_files_behind(host: Host) -> None:
    host.deploy("1a")
    host.bring("2-bad")
    live.offer(host.release("2-bad"))
    live.take_back(host.release("2-bad"))
    assert host.served() == {"site.css": "1a", "site.1a.css": "1a"}


def test_a_refused_first_release_leaves_what_was_there(host: Host) -> None:
    host.static.mkdir(parents=True)
    (host.static / "old.css").write_text("old")
    host.bring("1a")
    live.offer(host.release("1a"))
    assert set(host.served()) == {"old.css", "site.css", "site.1a.css"}
    live.take_back(host.release("1a"))
    assert host.served() == {"old.css": "old"}


def test_a_project_without_static_files_in_its_release_brings_them_otherwise(host: Host) -> None:
    host.static.mkdir(parents=True)
    (host.static / "old.css").write_text("old")
    (host.directory / "1a").mkdir(parents=True)
    notes.write(str(host.directory), Note("1a", "", brought=1.0))
    live.offer(host.release("1a"))
    host.settle("1a")
    assert host.served() == {"old.css": "old"}
    assert not host.static.is_symlink()
    assert live.problems(host.release("1a")) == []


@pytest.mark.parametrize("leads_to", ["elsewhere", "1a/built"])
def test_a_link_out_of_a_release_is_not_followed(host: Host, tmp_path: Path, leads_to: str) -> None:
    """The service's user may be able to change what is there, while root reads it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "shadow").write_text("secret")
    host.bring("1a")
    folder = host.directory / "1a"
    (folder / "static").rename(folder / "built")
    (folder / "static").symlink_to(tmp_path / "elsewhere" if leads_to == "elsewhere" else folder / "built")
    host.settle("1a")
    assert host.served() == ({} if leads_to == "elsewhere" else {"site.css": "1a", "site.1a.css": "1a"})
    assert not (host.static / "shadow").exists()


def test_what_somebody_changed_is_noticed(host: Host) -> None:
    host.deploy("1a", "2b")
    os.unlink(host.directory.parent / "current")
    os.unlink(host.static)
    assert len(live.problems(host.release("2b"))) == 2
    assert live.problems(host.release("1a"))[0] == "the live release is 2b, not 1a"


def test_a_killed_run_is_completed_by_the_next(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1a", "2b", "3c")
    host.bring("4d")

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    for function in ("discard", "_publish"):
        with monkeypatch.context() as patch:
            patch.setattr(live, function, die)
            with pytest.raises(KeyboardInterrupt):
                host.settle("4d")
    host.settle("4d")
    assert host.releases() == {"2b", "3c", "4d"}
    assert [event["id"] for event in notes.read_live(str(host.directory)).history] == ["1a", "2b", "3c", "4d"]
    assert live.problems(host.release("4d")) == []


def test_all_that_there_is_of_releases_is_named_for_removal(host: Host) -> None:
    assert live.paths(str(host.directory), str(host.static), "shop") == []
    host.deploy("1a")
    tree = str(host.static.resolve())
    current = str(host.directory.parent / "current")
    named = [str(host.directory), current, str(host.static), tree]
    assert live.paths(str(host.directory), str(host.static), "shop") == named
    # Another project's are never removed with it.
    assert live.paths(str(host.directory), str(host.static), "blog") == []


def test_a_release_remembers_its_companions(host: Host) -> None:
    """Those with which it was live last."""
    host.bring("1a")
    for companions in ({"mail": {"command": "mail"}}, {}):
        asked = {"name": "shop", "companions": companions}
        live.settle(
            host.release("1a"), asked, {"directory": "/opt/venv", "fingerprint": "", "gunicorn_version": ""}, list
        )
        assert notes.find(str(host.directory), "1a").companions == companions
