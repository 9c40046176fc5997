# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is noted of releases, and which one is the previous."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note


def add(folder: Path, name: str, brought: float) -> Note:
    note = Note(name, str(folder / name), {"git": "https://example.com/x.git"}, brought)
    (folder / name).mkdir(parents=True)
    notes.write(str(folder), note)
    return note


def history_of(*events: str) -> Live:
    """What is live after these events: the ID of a release, with a dash before it if it was gone back to."""
    live = Live()
    for event in events:
        live = notes.went_live(live, event.lstrip("-"), event.startswith("-"), {})
    return live


def test_releases_are_read_with_the_newest_first(tmp_path: Path) -> None:
    old, new = add(tmp_path, "1a", 1.0), add(tmp_path, "2b", 2.0)
    assert notes.read(str(tmp_path)) == [new, old]


def test_what_is_not_there_counts_for_nothing(tmp_path: Path) -> None:
    add(tmp_path, "1a", 1.0)
    (tmp_path / "1a").rmdir()
    (tmp_path / "without-a-note").mkdir()
    (tmp_path / ".2b.new").mkdir()
    assert notes.read(str(tmp_path)) == []
    assert notes.read(str(tmp_path / "missing")) == []


@pytest.mark.parametrize("name", ["../1a", "", ".1a.new", "1a/..", "-x"])
def test_a_name_that_leads_elsewhere_is_no_release(tmp_path: Path, name: str) -> None:
    add(tmp_path, "1a", 1.0)
    assert notes.find(str(tmp_path), name) is None


def test_a_note_is_for_root_alone(tmp_path: Path) -> None:
    add(tmp_path, "1a", 1.0)
    assert (tmp_path / ".1a.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("events", "previous"),
    [
        ((), ""),
        (("1",), ""),
        (("1", "2"), "1"),
        (("1", "2", "-1"), "1"),
        (("1", "2", "-1", "3"), "1"),
        (("1", "2", "3", "-1"), "2"),
        (("1", "2", "1"), "2"),
    ],
)
def test_the_previous_release_is_the_one_before_the_last_deployment(events: tuple[str, ...], previous: str) -> None:
    assert notes.previous(history_of(*events)) == previous


def test_the_steps_of_the_way_back_are_left_until_they_are_done(tmp_path: Path) -> None:
    live = history_of("1", "2", "-1")
    assert live.steps_left
    assert notes.went_live(live, "1", True, {}).steps_left  # by the next run, after one that was killed
    assert not notes.went_live(live, "3", False, {}).steps_left
    notes.write_live(str(tmp_path), live)
    notes.went_back(str(tmp_path))
    assert notes.read_live(str(tmp_path)) == live._replace(steps_left=False)


def test_a_clock_that_was_set_back_does_not_change_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes.time, "time", lambda: 1000.0)
    live = history_of("1")
    monkeypatch.setattr(notes.time, "time", lambda: 10.0)
    live = notes.went_live(live, "2", False, {})
    assert [event["at"] for event in live.history] == sorted(event["at"] for event in live.history)


def test_what_is_live_is_read_as_it_was_written(tmp_path: Path) -> None:
    live = history_of("1", "2")._replace(asked={"name": "mysite"})
    notes.write_live(str(tmp_path), live)
    assert notes.read_live(str(tmp_path)) == live
    assert notes.read_live(str(tmp_path / "missing")) == Live()


def test_a_link_in_the_place_of_a_release_is_none(tmp_path: Path) -> None:
    add(tmp_path, "1a", 1.0)
    (tmp_path / "1a").rename(tmp_path / "elsewhere")
    (tmp_path / "1a").symlink_to(tmp_path / "elsewhere")
    assert notes.find(str(tmp_path), "1a") is None
