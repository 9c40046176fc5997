# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every change of a service is made of, whoever runs it: candidates, the way to live and back, and words."""

from __future__ import annotations

import os
import time
from typing import Callable, Protocol

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._health_request import HealthRequest
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup

# One ask on one address; many of them fit into gunicorn_health_timeout.
ANSWER_TIMEOUT = 10.0
# What the service's user made of its log may never end.
_IN_TIME = ("timeout", "10")
# Seconds after which nobody will come back to a virtual environment that nothing runs from.
_ABANDONED = 3600.0


class ServiceSpec(Protocol):
    """What a change needs to know of the service as it shall be."""

    name: str
    user: str
    group: str
    log_file: str
    files: list[WantedFile]
    binds: tuple[Address, ...]
    venv: str
    venv_directory: str
    venv_backup: str
    health: HealthRequest
    health_timeout: float


class Failed(Exception):
    """A step failed; whoever called it knows what to put back."""


class Change:
    """The steps of a change that are the same for every manager of services."""

    def __init__(self, wanted: ServiceSpec, journal: str, venv_directory: str, runner: Runner) -> None:
        self.wanted = wanted
        self.journal = journal
        self.runner = runner
        self.log_size = self._log_size()
        # Virtual environments that only the old service needs, or the way back.
        self.used = {venv_directory, wanted.venv_backup}

    def _stage(self) -> None:
        try:
            files.stage(self.wanted.files)
        except OSError as error:
            self._drop()
            text = f"{self.wanted.name}: {error.filename or 'a file'} can't be written: {error.strerror}"
            raise DeployError(f"{text}. The live service was not touched.") from None

    def _drop(self) -> None:
        """Forget the candidates. The venv is the one that was, unless an earlier run began to switch to this one."""
        files.unstage(self.wanted.files)
        if self.wanted.venv_backup:
            backup.restore(self.wanted.venv, self.wanted.venv_backup)
        if self.wanted.venv_directory != os.path.realpath(self.wanted.venv):
            directories.discard(self.wanted.venv_directory)

    def _promote_files(self) -> None:
        """Let what is new be the live one; from here on there is a way back to keep."""
        wanted = self.wanted
        try:
            if atomic_journal.read_journal(self.journal)["venv"] is None:
                atomic_journal.note(self.journal, venv=links.what_is_at(wanted.venv))
            atomic_journal.promote(wanted.files, self.journal)
            links.switch_link(wanted.venv, wanted.venv_directory)
        except OSError as error:
            raise Failed(f"{error.filename or 'a file'} can't be written: {error.strerror}") from None

    def _put_back(self) -> None:
        """Have the files and the virtual environment that were there; to be followed by commit."""
        stood = atomic_journal.read_journal(self.journal)["venv"]
        atomic_journal.go_back(self.journal)
        if stood is not None:
            links.put_back(self.wanted.venv, stood)
        self._drop()

    def _forget_way_back(self) -> None:
        files.unstage(self.wanted.files)
        atomic_journal.commit(self.journal)
        for leftover in directories.leftovers(self.wanted.venv):
            # One that was just built may be another run's, which waits for its turn.
            ours = leftover in self.used or ".gunicorn-swap-" in leftover
            if ours or time.time() - os.lstat(leftover).st_mtime > _ABANDONED:
                directories.discard(leftover)

    def _verify(self) -> None:
        """Ask on each real address, and compare what runs with what was asked for; raises Failed."""
        self._wait_until_without(self._problems)

    def _wait_until_without(self, read_problems: Callable[[], list[str]]) -> None:
        deadline = time.monotonic() + self.wanted.health_timeout
        while True:
            problems = read_problems()
            if not problems:
                return
            if time.monotonic() > deadline:
                raise Failed("; ".join(problems))
            time.sleep(0.2)

    def _problems(self) -> list[str]:
        """What is not as wanted, an address that does not answer first."""
        return self._unanswered() or self._differences()

    def _unanswered(self) -> list[str]:
        """What is wrong with the answers on the real addresses."""
        timeout = min(self.wanted.health_timeout, ANSWER_TIMEOUT)
        asked = (_health_request.problem(bind, self.wanted.health, timeout) for bind in self.wanted.binds)
        return [problem for problem in asked if problem]

    def _differences(self) -> list[str]:
        """How what runs differs from what is wanted."""
        raise NotImplementedError

    # Words

    def _log_size(self) -> int:
        code, output, _errors = self._as_user("stat", "--dereference", "--format=%s", self.wanted.log_file)
        return int(output) if code == 0 and output.strip().isdigit() else 0

    def _new_in_log(self) -> str:
        """What the log got since the change began."""
        return self._as_user("tail", f"--bytes=+{self.log_size + 1}", self.wanted.log_file)[1]

    def _as_user(self, *command: str) -> tuple[int, str, str]:
        """The log is the user's, who could make it a link to a file that only root may read."""
        if self.wanted.log_file == "-":
            return 1, "", ""
        user, group = self.wanted.user, self.wanted.group
        return self.runner.run(
            [*_IN_TIME, "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *command]
        )
