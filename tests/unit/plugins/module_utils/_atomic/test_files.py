# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from live_files import OLD, contents, new_files, wanted

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files


class TestDiffers:
    @pytest.mark.parametrize(
        ("content", "mode", "differs"),
        [("old", 0o640, False), ("new", 0o640, True), ("old", 0o644, True), (None, 0o640, True)],
    )
    def test_content_and_mode_count(self, etc: Path, content: str | None, mode: int, differs: bool) -> None:
        """A file is compared by its content and its mode."""
        assert atomic_files.differs(wanted(etc / "changed", content, mode)) is differs

    def test_what_must_not_be_there(self, etc: Path) -> None:
        """No file differs from a file, and not from none; a dangling link is a file."""
        assert not atomic_files.differs(wanted(etc / "nothing", None))
        assert atomic_files.differs(wanted(etc / "nothing", ""))
        (etc / "dangling").symlink_to("nowhere")
        assert atomic_files.differs(wanted(etc / "dangling", None))


@pytest.mark.parametrize("text", ["a\r\nb\r", "a\rb\n", "\r\n", "\x0c\x85\u2028"])
def test_a_file_with_any_ends_of_lines_is_as_wanted_once_it_is_put(etc: Path, text: str) -> None:
    """Otherwise each run would find it changed, and start the service anew."""
    file = wanted(etc / "new", text)
    atomic_files.put(file)
    assert not atomic_files.differs(file)
    assert atomic_files.read(file.path) == text
    assert (etc / "new").read_bytes() == text.encode()


def test_a_single_file_is_put_or_removed(etc: Path) -> None:
    """It is whole, with its mode, and nothing else is left; to remove one that is gone already is no error."""
    before = contents(etc)
    atomic_files.put(wanted(etc / "single", "text", 0o600))
    assert contents(etc) == {**before, "single": "text"}
    assert (etc / "single").stat().st_mode & 0o7777 == 0o600
    for _time in range(2):
        atomic_files.put(wanted(etc / "single", None))
        assert contents(etc) == before


class TestCandidates:
    def test_candidates_that_are_not_wanted_any_more_go(self, etc: Path) -> None:
        """A trial that failed leaves the live files alone."""
        atomic_files.stage(new_files(etc))
        atomic_files.unstage(new_files(etc))
        assert contents(etc) == OLD

    def test_a_link_in_the_way_is_not_followed(self, etc: Path) -> None:
        """A user who may write beside the files can't make root write elsewhere."""
        victim = etc / "victim"
        victim.write_text("untouched")
        (etc / ".candidate.changed").symlink_to(victim)
        atomic_files.stage([wanted(etc / "changed", "new")])
        assert victim.read_text() == "untouched"

    def test_a_full_disk_leaves_no_candidate(self, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What can't be written whole is not there at all."""

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            atomic_files.stage(new_files(etc))
        assert contents(etc) == OLD


class TestUnwritable:
    def test_directories_that_root_can_not_write_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each once, and for a missing one the innermost that exists."""
        (tmp_path / "readonly").mkdir()
        (tmp_path / "writable").mkdir()
        monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path / "readonly"))
        names = ("readonly/a", "readonly/b", "readonly/new/c", "writable/a", "writable/new/b")
        paths = [tmp_path / name for name in names]
        assert atomic_files.unwritable(map(str, paths)) == [str(tmp_path / "readonly")]

    def test_what_is_not_there_is_removed_on_a_read_only_file_system(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The kernel refuses that before it looks."""

        def unlink(path: str) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

        monkeypatch.setattr(os, "unlink", unlink)
        atomic_files.remove(str(tmp_path / "nothing"))
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="Read-only"):
            atomic_files.remove(str(tmp_path / "file"))
