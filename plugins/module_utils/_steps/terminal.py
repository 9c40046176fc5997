# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between a terminal and a command that must not get it: relays, and what ends the command if its caller is gone."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import stat
import subprocess
import syslog
import threading
from typing import Any, Callable, Iterable, Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import kernel_files, processes

BLOCK = 65536  # bytes
_WATCH = 1000  # milliseconds between two looks at sudo
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


# What of the caller's environment says how to write to the terminal
_VARIABLES = ("LANG", "TERM")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")


def variables() -> dict[str, str]:
    """What a command gets of the caller's environment: nothing but how to write to the terminal."""
    return {name: os.environ[name] for name in _VARIABLES if _VALUE.fullmatch(os.environ.get(name, ""))}


def is_callers() -> bool:
    """Whether all standard streams are a terminal: then the command has one of its own, with Ctrl-C."""
    return all(map(os.isatty, (0, 1, 2)))


class Streams:
    """The standard streams for a command: those of the caller, or pipes to them where they are a terminal."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._ours: list[int] = []
        self.stdin = self._from_terminal() if os.isatty(0) else 0
        self.stdout, self.stderr = (self._to_terminal(number) if os.isatty(number) else number for number in (1, 2))

    def _from_terminal(self) -> int:
        reader, writer = os.pipe()
        self._ours.append(reader)
        # What reads the output, such as less, may need the keyboard. One in the background must not read it at all.
        if stat.S_ISFIFO(os.fstat(1).st_mode) or os.tcgetpgrp(0) != os.getpgrp():
            os.close(writer)
            return reader
        # Nobody waits for it: it ends with this process.
        threading.Thread(target=_copy, args=(0, writer), daemon=True).start()
        return reader

    def _to_terminal(self, number: int) -> int:
        reader, writer = os.pipe()
        self._ours.append(writer)
        thread = threading.Thread(target=_copy, args=(reader, number, False), daemon=True)
        thread.start()
        self._threads.append(thread)
        return writer

    def hand_over(self) -> None:
        """The command has the streams: close what only it needs."""
        while self._ours:
            os.close(self._ours.pop())

    @staticmethod
    def are_lost() -> bool:
        """Whether nobody can read what is printed any more, as after a login without a terminal was cut off."""
        poll = select.poll()
        for number in (1, 2):
            poll.register(number, 0)
        return len(poll.poll(0)) == len((1, 2))

    def finish(self) -> None:
        """Wait until all output is written; what the command has left running does not hold this up."""
        for thread in self._threads:
            thread.join(2)


def _copy(source: int, target: int, close: bool = True) -> None:
    with contextlib.suppress(OSError):
        while block := os.read(source, BLOCK):
            write(target, block)
    if close:
        os.close(target)


def write(target: int, block: bytes) -> None:
    """Write all of a block."""
    while block:
        block = block[os.write(target, block) :]


@contextlib.contextmanager
def handling(numbers: Iterable[int], handler: Any) -> Iterator[None]:
    """Handle signals in another way meanwhile."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def piped(asked: list[str], forward: Callable[[int, int], None], end: Callable[[int], None]) -> int:
    """Run a program with the caller's files and pipes to its end; return its exit code as Popen has it.

    It does not get the caller's signals itself: `forward` is called with its process id and the number of each. `end`
    is called with its process id, once, if nobody reads what it prints any more.
    """
    streams = Streams()
    process = subprocess.Popen(
        asked, stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr, cwd="/", start_new_session=True
    )
    streams.hand_over()
    with handling(_FORWARDED, lambda number, _frame: forward(process.pid, number)):
        asked_to_end = False
        while True:
            try:
                status = process.wait(1)
                break
            except subprocess.TimeoutExpired:
                if not asked_to_end and streams.are_lost():
                    asked_to_end = True
                    end(process.pid)
    streams.finish()
    return status


@contextlib.contextmanager
def guarded(clean_up: Callable[[], None]) -> Iterator[None]:
    """Call `clean_up` afterwards, also if this process is killed: by another one, which waits for its end.

    A member of a group has become sudo, which waits for this process. If that is killed, nobody else ends this one.
    """
    own, caller = os.getpid(), os.getppid()
    sudo = caller if kernel_files.read(f"/proc/{caller}/comm").strip() == "sudo" else 0
    reader, writer = os.pipe()
    guard = os.fork()
    if guard == 0:
        status = 1
        try:
            os.close(writer)
            # Not with its terminal, nor by what ends its caller
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nothing, stream)
            if not _ends_by_itself(reader, own, sudo):
                syslog.syslog(syslog.LOG_NOTICE, "it ends, since its caller was killed")
            clean_up()
            status = 0
        finally:
            os._exit(status)
    os.close(reader)
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):  # it has cleaned up already, since sudo was killed
            os.write(writer, b".")
        os.close(writer)
        os.waitpid(guard, 0)


def _ends_by_itself(reader: int, process: int, sudo: int) -> bool:
    """Wait for the end of a process, which says so itself; return whether it did, and it and its sudo are there.

    Without a sudo, only the process itself counts: a shell may have left it running, as by nohup.
    """
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while not poll.poll(_WATCH if sudo else None):
        if processes.parent_of(process) != sudo:
            return False
    return bool(os.read(reader, 1))
