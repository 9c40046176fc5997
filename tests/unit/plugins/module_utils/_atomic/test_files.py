# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Callable

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


class TestReadRegular:
    def test_a_file_and_a_link_to_one(self, tmp_path: Path) -> None:
        """The content is that of the file, byte by byte, up to the limit; a link is followed unless flags say so."""
        (tmp_path / "file").write_bytes(b"harmless\r\n\xff")
        (tmp_path / "link").symlink_to("file")
        for name in ("file", "link"):
            assert atomic_files.read_regular(str(tmp_path / name), limit=11) == b"harmless\r\n\xff"
        with pytest.raises(OSError, match="it is a link and no regular file"):
            atomic_files.read_regular(str(tmp_path / "link"), flags=os.O_NOFOLLOW)

    @pytest.mark.parametrize(
        ("prepare", "reason"),
        [
            (lambda path: None, "No such file or directory"),
            (lambda path: path.mkdir(), "it is a directory and no regular file"),
            (lambda path: os.mkfifo(path), "it is a FIFO and no regular file"),
            (lambda path: path.symlink_to("/dev/zero"), "it is a device and no regular file"),
            (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "it is a socket and no regular file"),
            (lambda path: path.write_bytes(b"x" * 11), "it has more than 10 bytes"),
        ],
    )
    def test_what_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path], object], reason: str
    ) -> None:
        """The error says why and names the path, and nothing waits for the other end of a FIFO."""
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        prepare(Path("it"))
        with pytest.raises(OSError, match=reason) as caught:
            atomic_files.read_regular("it", limit=10)
        assert (caught.value.strerror, caught.value.filename) == (reason, "it")

    def test_what_was_exchanged_after_the_look(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A FIFO that takes the file's place before it is opened is refused as well, without waiting."""
        path = tmp_path / "file"
        path.touch()
        regular = path.stat()
        path.unlink()
        os.mkfifo(path)
        monkeypatch.setattr(os, "stat", lambda path, **options: regular)
        with pytest.raises(OSError, match="it is a FIFO and no regular file"):
            atomic_files.read_regular(str(path))


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
