# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service writes to its log during a change."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import LONGEST
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec

# Whatever the service's user made of the log, reading it ends.
_IN_TIME = ("timeout", "10")


class ServiceLog:
    """The log of a service from now on.

    It is read with the rights of the service's user, who could make it a link to a file that only root may read.
    """

    def __init__(self, wanted: ServiceSpec, runner: Runner) -> None:
        self._wanted = wanted
        self._runner = runner
        self._size = self._read_size()

    def _read_size(self) -> int:
        # A device or a pipe has no end that could be read.
        told = self._as_user("stat", "--dereference", "--format=%s %F", self._wanted.log_file).split(" ", 1)
        return int(told[0]) if len(told) == 2 and told[1].startswith("regular") else 0

    def new_text(self) -> str:
        """What the log got since, at most its end; nothing if the service logs to the journal."""
        size = self._read_size()
        # A smaller file is another one: the log was rotated.
        new = min(size - self._size if size >= self._size else size, LONGEST)
        return self._as_user("tail", f"--bytes={new}", self._wanted.log_file) if new else ""

    def _as_user(self, *command: str) -> str:
        if self._wanted.log_file == "-":
            return ""
        ids = (f"--reuid={self._wanted.user}", f"--regid={self._wanted.group}", "--clear-groups")
        return self._runner.output([*_IN_TIME, "setpriv", *ids, *command])
