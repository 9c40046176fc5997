# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from service_samples import SYSTEMD_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.service_log import ServiceLog
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import LONGEST


def run(command: list[str]) -> tuple[int, str, str]:
    """Without the change of the user, which needs root."""
    assert command[:3] == ["timeout", "10", "setpriv"]
    assert command[3:6] == ["--reuid=shop", "--regid=shop", "--clear-groups"]
    done = subprocess.run(command[6:], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_only_what_is_new_is_told(tmp_path: Path) -> None:
    """What was in the log before has nothing to do with the change."""
    path = tmp_path / "gunicorn.log"
    path.write_text("before\n")
    log = ServiceLog(replace(SYSTEMD_SPEC, log_file=str(path)), Runner(run))
    assert log.new_text() == ""
    with path.open("a") as file:
        file.write("after\n")
    assert log.new_text() == "after\n"


def test_a_log_that_comes_later_is_told_whole(tmp_path: Path) -> None:
    """A first deployment has none yet."""
    log = ServiceLog(replace(SYSTEMD_SPEC, log_file=str(tmp_path / "gunicorn.log")), Runner(run))
    assert log.new_text() == ""
    (tmp_path / "gunicorn.log").write_text("first\n")
    assert log.new_text() == "first\n"


def test_the_journal_is_not_read_here() -> None:
    """A log that is "-" is no file: nothing is run."""
    log = ServiceLog(SYSTEMD_SPEC, Runner(lambda command: (_ for _ in ()).throw(AssertionError(command))))
    assert log.new_text() == ""


def test_a_log_that_was_rotated_is_told_whole(tmp_path: Path) -> None:
    """It is smaller than it was."""
    path = tmp_path / "gunicorn.log"
    path.write_text("long before\n")
    log = ServiceLog(replace(SYSTEMD_SPEC, log_file=str(path)), Runner(run))
    path.write_text("new\n")
    assert log.new_text() == "new\n"


def test_of_a_long_log_the_end_is_told(tmp_path: Path) -> None:
    """A sparse file can have any size."""
    path = tmp_path / "gunicorn.log"
    log = ServiceLog(replace(SYSTEMD_SPEC, log_file=str(path)), Runner(run))
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
    assert ServiceLog(replace(SYSTEMD_SPEC, log_file=str(path)), Runner(run)).new_text() == ""
    assert time.monotonic() - began < 5
