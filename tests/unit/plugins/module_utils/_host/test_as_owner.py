# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Iterator

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import as_owner, processes

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take on another user")


@pytest.fixture
def other() -> Iterator[int]:
    """A process of another user."""

    def become() -> None:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)

    with subprocess.Popen(["/bin/sleep", "60"], env={"A": "b=c", "LANG": "C"}, preexec_fn=become) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may not read what is a process's, as without SYS_PTRACE."""
    real, root = os.readlink, os.getpid()

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(as_owner, "open", refuse, raising=False)
    monkeypatch.setattr(os, "readlink", lambda path: refuse() if os.getpid() == root else real(path))


def test_its_user_reads_what_root_may_not(other: int, denied: None) -> None:
    """Its environment, its program and its memory."""
    assert processes.read_environment(other) == {"A": "b=c", "LANG": "C"}
    assert os.path.basename(processes.read_interpreter(other) or "") in ("sleep", "coreutils", "busybox")
    assert (processes.read_pages(other) or (0,))[0] is not None


def test_nothing_of_root_is_read_again(denied: None) -> None:
    """Nor of a process that has gone."""
    gone = subprocess.run(["/bin/sh", "-c", "echo $$"], capture_output=True, check=True)
    for pid in (os.getpid(), int(gone.stdout)):
        assert as_owner.run(pid, lambda: b"read") == b""
        assert processes.read_environment(pid) == {}
        assert processes.read_interpreter(pid) is None


def test_the_reader_has_no_privileges_left(other: int) -> None:
    """It has the user, the group and no other, and can't become root again."""

    def read() -> bytes:
        try:
            os.setuid(0)
        except PermissionError:
            return f"{os.getresuid()} {os.getresgid()} {os.getgroups()}".encode()
        return b"root"

    assert as_owner.run(other, read) == f"{(NOBODY,) * 3} {(NOBODY,) * 3} []".encode()


def test_a_reader_that_is_stopped_holds_nobody_up(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user can send it a signal. It is ended, and nothing counts as read; so does a reader that fails."""
    monkeypatch.setattr(as_owner, "_PATIENCE", 0.3)
    begun = time.monotonic()
    assert as_owner.run(other, lambda: os.kill(os.getpid(), signal.SIGSTOP) or b"read") == b""
    assert time.monotonic() - begun < 3
    assert as_owner.run(other, lambda: os.readlink("/no/such").encode()) == b""


def test_too_much_counts_as_nothing(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is of the kernel's files, which have a size."""
    monkeypatch.setattr(as_owner, "_LONGEST", 100_000)
    assert as_owner.run(other, lambda: b"x" * 90_000) == b"x" * 90_000
    assert as_owner.run(other, lambda: b"x" * 300_000) == b""
