# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.service_log import ConsoleLog, ServiceLog
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import LONGEST


def run(command: list[str]) -> tuple[int, str, str]:
    """Without the change of the user, which needs root."""
    assert command[:3] == ["timeout", "10", "setpriv"]
    assert command[3:6] == ["--reuid=shop", "--regid=shop", "--clear-groups"]
    done = subprocess.run(command[6:], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def service_log(path: str, runner: Runner) -> ServiceLog:
    """The log of a service of the user shop."""
    return ServiceLog(path, "shop", "shop", runner)


def test_only_what_is_new_is_told(tmp_path: Path) -> None:
    """What was in the log before has nothing to do with the change."""
    path = tmp_path / "gunicorn.log"
    path.write_text("before\n")
    log = service_log(str(path), Runner(run))
    assert log.new_text() == ""
    with path.open("a") as file:
        file.write("after\n")
    assert log.new_text() == "after\n"


def test_a_log_that_comes_later_is_told_whole(tmp_path: Path) -> None:
    """A first deployment has none yet."""
    log = service_log(str(tmp_path / "gunicorn.log"), Runner(run))
    assert log.new_text() == ""
    (tmp_path / "gunicorn.log").write_text("first\n")
    assert log.new_text() == "first\n"


def test_the_journal_is_not_read_here() -> None:
    """A log that is "-" is no file: nothing is run."""
    log = service_log("-", Runner(lambda command: (_ for _ in ()).throw(AssertionError(command))))
    assert log.new_text() == ""


def test_a_log_that_was_rotated_is_told_whole(tmp_path: Path) -> None:
    """It is smaller than it was."""
    path = tmp_path / "gunicorn.log"
    path.write_text("long before\n")
    log = service_log(str(path), Runner(run))
    path.write_text("new\n")
    assert log.new_text() == "new\n"


def test_of_a_long_log_the_end_is_told(tmp_path: Path) -> None:
    """A sparse file can have any size."""
    path = tmp_path / "gunicorn.log"
    log = service_log(str(path), Runner(run))
    with path.open("wb") as file:
        file.seek(80 << 20)
        file.write(b"the end\n")
    text = log.new_text()
    assert text.endswith("the end\n")
    assert len(text) == LONGEST


def test_a_pipe_in_place_of_the_log_is_not_read(tmp_path: Path) -> None:
    """The service's user can put anything there."""
    path = tmp_path / "gunicorn.log"
    os.mkfifo(path)
    began = time.monotonic()
    assert service_log(str(path), Runner(run)).new_text() == ""
    assert time.monotonic() - began < 5


class TestConsoleLog:
    """What supervisor writes."""

    def test_only_what_is_new_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        path.write_text("before\n")
        log = ConsoleLog(str(path))
        assert log.new_text() == ""
        with path.open("a") as file:
            file.write("after\n")
        assert log.new_text() == "after\n"

    def test_one_that_was_rotated_is_told_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        path.write_text("a long line from before\n")
        log = ConsoleLog(str(path))
        path.write_text("new\n")
        assert log.new_text() == "new\n"

    def test_one_that_is_not_there_says_nothing(self, tmp_path: Path) -> None:
        assert ConsoleLog(str(tmp_path / "console.log")).new_text() == ""

    def test_what_is_no_text_is_shown_all_the_same(self, tmp_path: Path) -> None:
        log = ConsoleLog(str(tmp_path / "console.log"))
        (tmp_path / "console.log").write_bytes(b"\xff!")
        assert log.new_text() == "\ufffd!"
