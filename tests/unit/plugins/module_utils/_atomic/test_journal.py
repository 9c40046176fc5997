# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Iterator

import pytest
from kills import Killed, killing
from live_files import NEW, OLD, contents, new_files, wanted

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile

# Every call of these is a point at which a process can be killed.
STEPS = ("link", "replace", "unlink", "open", "fsync")


def change(files: list[WantedFile], journal: str) -> None:
    """What a deployment does to its files when all goes well."""
    atomic_files.stage(files)
    atomic_journal.promote(files, journal)
    atomic_journal.commit(journal)


@contextlib.contextmanager
def killed_at(number: int) -> Iterator[list[int]]:
    """Raise Killed in place of the system call of that number, from 1 on; the list holds how many there were."""
    count = [0]
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, killing(getattr(os, name), count, number))
        yield count


class TestChange:
    def test_all_files_are_new_and_nothing_else_is_left(self, etc: Path) -> None:
        """Candidates, predecessors and journal are gone when the change has ended."""
        change(new_files(etc), str(etc / "journal"))
        assert contents(etc) == NEW
        assert (etc / "credentials/token").stat().st_mode & 0o7777 == 0o600
        assert (etc / "credentials").stat().st_mode & 0o7777 == 0o700

    def test_it_goes_back_as_if_it_had_never_been(self, etc: Path) -> None:
        """The old files are the very same ones."""
        inode = (etc / "changed").stat().st_ino
        journal = str(etc / "journal")
        atomic_files.stage(new_files(etc))
        atomic_journal.promote(new_files(etc), journal)
        assert {name: text for name, text in contents(etc).items() if "." not in name and name != "journal"} == NEW
        atomic_journal.go_back(journal)
        atomic_journal.commit(journal)
        assert contents(etc) == OLD
        assert (etc / "changed").stat().st_ino == inode


class TestKeepPrevious:
    def test_it_stays_when_the_change_has_ended(self, etc: Path) -> None:
        """The very same file, beside the new one."""
        inode = (etc / "changed").stat().st_ino
        atomic_files.stage(new_files(etc))
        atomic_journal.promote(new_files(etc), str(etc / "journal"))
        for _time in range(2):
            assert atomic_journal.keep_previous(str(etc / "changed")) == str(etc / "changed.by-hand")
        atomic_journal.commit(str(etc / "journal"))
        assert contents(etc) == {**NEW, "changed.by-hand": "old"}
        assert (etc / "changed.by-hand").stat().st_ino == inode

    def test_what_was_kept_before_stays(self, etc: Path) -> None:
        """Somebody may have gone back by hand, and changed it."""
        (etc / "changed.by-hand").write_text("older")
        atomic_files.stage(new_files(etc))
        atomic_journal.promote(new_files(etc), str(etc / "journal"))
        assert atomic_journal.keep_previous(str(etc / "changed")) == str(etc / "changed.by-hand.2")
        assert (etc / "changed.by-hand").read_text() == "older"


def test_a_unit_never_names_a_file_that_is_not_there(etc: Path) -> None:
    """A file is removed after the unit that named it, and added before the unit that names it, also on the way back."""
    (etc / "unit").write_text("names gone")
    files = [wanted(etc / "gone", None), wanted(etc / "come", "x"), wanted(etc / "unit", "names come")]

    def assert_names_are_there() -> None:
        assert (etc / (etc / "unit").read_text().split()[1]).exists()

    for number in range(1, 60):
        with killed_at(number), contextlib.suppress(Killed):
            atomic_files.stage(files)
            atomic_journal.promote(files, str(etc / "journal"))
            assert_names_are_there()
            atomic_journal.go_back(str(etc / "journal"))
        assert_names_are_there()
        atomic_journal.go_back(str(etc / "journal"))
        atomic_journal.commit(str(etc / "journal"))
        atomic_files.unstage(files)
    assert (etc / "unit").read_text() == "names gone"


@pytest.mark.parametrize("number", range(1, 60))
class TestKilled:
    """At each system call of a change: which files are there then, and what the next run makes of them."""

    def killed(self, etc: Path, number: int) -> None:
        with killed_at(number) as count, contextlib.suppress(Killed):
            change(new_files(etc), str(etc / "journal"))
        if count[0] < number:
            assert contents(etc) == NEW  # there were fewer steps: nothing was killed

    def test_each_live_file_is_whole(self, etc: Path, number: int) -> None:
        """It is the old or the new one, never a part, and not missing if both exist."""
        self.killed(etc, number)
        assert (etc / "changed").read_text() in ("old", "new")
        assert not (etc / "gone").exists() or (etc / "gone").read_text() == "old too"
        token = etc / "credentials/token"
        assert not token.exists() or token.read_text() == "secret"

    def test_the_next_run_completes_it(self, etc: Path, number: int) -> None:
        """Whatever the first left, the second ends with the new files and nothing else."""
        self.killed(etc, number)
        change(new_files(etc), str(etc / "journal"))
        assert contents(etc) == NEW

    def test_the_next_run_goes_back_to_what_worked(self, etc: Path, number: int) -> None:
        """If the second run fails after its switch, it puts back what the first had found, unless that had ended."""
        self.killed(etc, number)
        journal = str(etc / "journal")
        ended = not atomic_journal.read_journal(journal)["files"] and (etc / "changed").read_text() == "new"
        atomic_files.stage(new_files(etc))
        atomic_journal.promote(new_files(etc), journal)
        atomic_journal.go_back(journal)
        atomic_journal.commit(journal)
        assert contents(etc) == (NEW if ended else OLD)


def number_of_steps(etc: Path) -> int:
    """The number of system calls of a change that is not killed."""
    with killed_at(0) as count:
        change(new_files(etc), str(etc / "journal"))
    return count[0]


def test_the_kills_reach_the_end(etc: Path) -> None:
    """The numbers above cover every step of a change."""
    assert 10 < number_of_steps(etc) < 60
