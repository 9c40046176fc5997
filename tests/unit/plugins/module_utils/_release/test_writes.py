# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories of a release that a step writes: the user's for that time, and root's afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import interruptions
import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.trees import UnfitTree
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import writes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.writes import Owners

OWNERS = Owners(user=65534, group=12)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with two packages, of which one has translations in two directories."""
    path = tmp_path / "releases" / "3f2a9c1d4e5b"
    for name in ("shop/locale/de", "shop/plugins/pay/locale/de", "shop/locale/old/locale"):
        (path / name).mkdir(parents=True)
        (path / name / "django.po").write_text("msgid")
    (path / "shop/locale.py").write_text("")
    (path / "link").symlink_to("shop")
    return path


def users(path: Path, content: str) -> None:
    """Write a file as the step does."""
    path.write_text(content)
    os.chown(path, OWNERS.user, OWNERS.group)


def listing(release: Path) -> dict[str, tuple[int, str]]:
    """The owner and content of every file and directory."""
    return {
        str(path.relative_to(release)): (path.lstat().st_uid, path.read_text() if path.is_file() else "")
        for path in release.rglob("*")
    }


def test_a_directory_is_the_users_and_then_roots(release: Path) -> None:
    """One that was not there is made; what the step writes stays, in root's files."""
    assert writes.hand_over(str(release), ["staticfiles"], OWNERS) == [f"{release}/staticfiles"]
    place = release / "staticfiles"
    assert (place.stat().st_uid, place.stat().st_gid) == (OWNERS.user, OWNERS.group)
    users(place / "site.css", "body {}")
    written = (place / "site.css").stat().st_ino
    writes.take_over(str(release), OWNERS)
    found = (place / "site.css").stat()
    assert (found.st_uid, found.st_gid, found.st_ino == written) == (0, 12, False)
    assert (place / "site.css").read_text() == "body {}"
    assert sorted(os.listdir(release.parent)) == [release.name]


def test_what_was_there_can_be_changed(release: Path) -> None:
    """The step gets a copy of what a directory has, and may replace and remove it."""
    writes.hand_over(str(release), ["shop/locale"], OWNERS)
    assert (release / "shop/locale/de/django.po").stat().st_uid == OWNERS.user
    users(release / "shop/locale/de/django.mo", "compiled")
    (release / "shop/locale/old/locale/django.po").unlink()
    writes.take_over(str(release), OWNERS)
    found = listing(release)
    assert found["shop/locale/de/django.mo"] == (0, "compiled")
    assert found["shop/locale/de/django.po"] == (0, "msgid")
    assert "shop/locale/old/locale/django.po" not in found


def test_a_pattern_names_directories_that_are_there(release: Path) -> None:
    """Neither files nor links, and nothing twice; ** is any directories, * a part of one name."""
    every = [f"{release}/shop/locale", f"{release}/shop/plugins/pay/locale"]
    assert sorted(writes.hand_over(str(release), ["**/locale"], OWNERS)) == every
    assert writes.hand_over(str(release), ["shop/*/pay/lo*"], OWNERS) == every[1:]
    assert writes.hand_over(str(release), ["*/pay"], OWNERS) == []


def test_a_step_that_fails_leaves_the_release_as_it_was(release: Path) -> None:
    """Also if it has removed or replaced what it got."""
    before = listing(release)
    writes.hand_over(str(release), ["shop/locale", "shop/plugins"], OWNERS)
    users(release / "shop/locale/evil.py", "x")
    (release / "shop/plugins/pay/locale/de/django.po").unlink()
    writes.put_back(str(release))
    assert listing(release) == before
    assert os.listdir(release.parent) == [release.name]


def test_what_is_unfit_is_named(release: Path) -> None:
    """A link that leads out, and a directory that stayed empty; nothing is taken over then."""
    writes.hand_over(str(release), ["shop/locale", "out"], OWNERS)
    (release / "shop/locale/x").symlink_to("/etc/shadow")
    os.chown(release / "shop/locale/x", OWNERS.user, OWNERS.group, follow_symlinks=False)
    with pytest.raises(UnfitTree, match="in shop/locale, 'x': a link to '/etc/shadow'"):
        writes.take_over(str(release), OWNERS)
    writes.put_back(str(release))
    writes.hand_over(str(release), ["out"], OWNERS)
    with pytest.raises(UnfitTree, match="it has written nothing into out"):
        writes.take_over(str(release), OWNERS)


@pytest.mark.parametrize("name", ["shop/locale.py", "link/locale", "shop/locale.py/x"])
def test_what_is_no_directory_is_not_handed_over(release: Path, name: str) -> None:
    """A file or a link of the release is not replaced by a directory."""
    with pytest.raises(UnfitTree, match="is in the release, and is no directory"):
        writes.hand_over(str(release), [name], OWNERS)


def test_a_run_that_is_killed_leaves_root_everything(release: Path) -> None:
    """Wherever it is killed: the next one's release has nothing of the user's, and can be built again."""

    def build() -> None:
        writes.hand_over(str(release), ["shop/locale", "staticfiles"], OWNERS)
        for folder in ("shop/locale", "staticfiles"):
            users(release / folder / "new", "new")
        writes.take_over(str(release), OWNERS)

    step = 1
    while interruptions.run_until(step, "kill", release.parent, build) == interruptions.KILLED:
        step += 1
        writes.put_back(str(release))
        found = listing(release)
        assert {owner for owner, _content in found.values()} == {0}
        assert found["shop/locale/de/django.po"] == (0, "msgid")
    assert step > 20
    assert listing(release)["staticfiles/new"] == (0, "new")
    assert os.listdir(release.parent) == [release.name]
