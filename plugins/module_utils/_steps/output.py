# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step prints: the end of it, however much it is.

Not by the journal: it drops what one unit writes beyond some thousand lines, and the error comes last. Not by this
process alone: if that is killed, a migration would end at its next line. So tail reads it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile

LONGEST = 1 << 20  # bytes
_TIMEOUT = 5.0  # seconds


class Output:
    """The output of one step, which writes into a FIFO."""

    def __init__(self, fifo: str) -> None:
        """Make the FIFO, in a directory of root's alone, and begin to read it."""
        os.mkfifo(fifo, 0o600)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # As long as this is open, the output has not ended.
        self.writer = os.open(fifo, os.O_WRONLY | os.O_CLOEXEC)
        os.set_blocking(reader, True)
        # Closed with this object: it is read after the step has ended.
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115
        command = ["tail", f"--bytes={LONGEST}"]
        self._tail = subprocess.Popen(command, stdin=reader, stdout=self._kept, cwd="/", start_new_session=True)
        os.close(reader)
        self._fifo = fifo

    @property
    def reader(self) -> int:
        """The process that reads."""
        return self._tail.pid

    def leave(self) -> None:
        """Read on, for nobody, as long as somebody writes."""
        os.close(self.writer)
        os.unlink(self._fifo)
        self._kept.close()

    def end(self) -> str:
        """The end of what was printed, once all processes of the step have ended."""
        os.close(self.writer)
        os.unlink(self._fifo)
        # The step may have given its output to a process that lives on.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._tail.wait(_TIMEOUT)
        self._tail.kill()
        self._tail.wait()
        with self._kept as kept:
            kept.seek(0)
            return kept.read(LONGEST).decode(errors="replace")
