# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service or a companion writes to its log during a change."""

from __future__ import annotations

import contextlib
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import LONGEST

# Whatever the service's user made of the log, reading it ends.
_IN_TIME = ("timeout", "10")


class ServiceLog:
    """The log of a service from now on.

    It is read with the rights of the service's user, who could make it a link to a file that only root may read.
    """

    def __init__(self, path: str, user: str, group: str, runner: Runner) -> None:
        """`path` is "-" for one that logs to the journal."""
        self._path = path
        self._user, self._group = user, group
        self._runner = runner
        self._size = self._read_size()

    def _read_size(self) -> int:
        # A device or a pipe has no end that could be read.
        told = self._as_user("stat", "--dereference", "--format=%s %F", self._path).split(" ", 1)
        return int(told[0]) if len(told) == 2 and told[1].startswith("regular") else 0

    def new_text(self) -> str:
        """What the log got since, at most its end; nothing if the service logs to the journal."""
        size = self._read_size()
        # A smaller file is another one: the log was rotated.
        new = min(size - self._size if size >= self._size else size, LONGEST)
        return self._as_user("tail", f"--bytes={new}", self._path) if new else ""

    def _as_user(self, *command: str) -> str:
        if self._path == "-":
            return ""
        ids = (f"--reuid={self._user}", f"--regid={self._group}", "--clear-groups")
        return self._runner.output([*_IN_TIME, "setpriv", *ids, *command])


class ConsoleLog:
    """What supervisor writes of a process that prints it, from now on. The file is in a directory of root's."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._size = os.path.getsize(path) if os.path.exists(path) else 0

    def new_text(self) -> str:
        """What was printed since, at most its end."""
        with contextlib.suppress(OSError), open(self._path, "rb") as console:
            size = os.fstat(console.fileno()).st_size
            # A smaller file is another one: the console was rotated.
            console.seek(max(self._size if size >= self._size else 0, size - LONGEST))
            return console.read().decode(errors="replace")
        return ""
