# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a change that every manager of services has: candidates, going live, the way back, verifying."""

from __future__ import annotations

import os
import time
from typing import Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.service_log import ServiceLog
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup

# Seconds for one request to one address; many of them fit into gunicorn_health_timeout.
ANSWER_TIMEOUT = 10.0
# Seconds after which nobody will come back to a virtual environment that nothing runs from.
_ABANDONED = 3600.0


class Change:
    """A change of one service, and the way back."""

    def __init__(self, wanted: ServiceSpec, journal: str, venv_directory: str, runner: Runner) -> None:
        self.wanted = wanted
        self.journal = journal
        self.runner = runner
        self.log = ServiceLog(wanted, runner)
        # Virtual environments that only the old service or the way back needs
        self.used = {venv_directory, wanted.venv_backup}

    def _stage(self) -> None:
        """Write the candidates beside the live files; raises DeployError."""
        try:
            files.stage(self.wanted.files)
        except OSError as error:
            self._drop()
            text = f"{self.wanted.name}: {error.filename or 'a file'} can't be written: {error.strerror}"
            raise DeployError(f"{text}. The live service was not touched.") from None

    def _drop(self) -> None:
        """Forget the candidates, and the new venv, unless an interrupted run has begun to switch to it."""
        files.unstage(self.wanted.files)
        if self.wanted.venv_backup:
            backup.restore(self.wanted.venv, self.wanted.venv_backup)
        if self.wanted.venv_directory != os.path.realpath(self.wanted.venv):
            directories.discard(self.wanted.venv_directory)

    def _promote_files(self) -> None:
        """Make the candidates and the new venv the live ones, and note how to go back; raises Failed."""
        wanted = self.wanted
        try:
            if atomic_journal.read_journal(self.journal)["venv"] is None:
                atomic_journal.note(self.journal, venv=links.what_stands(wanted.venv))
            atomic_journal.promote(wanted.files, self.journal)
            links.switch_link(wanted.venv, wanted.venv_directory)
        except OSError as error:
            raise Failed(f"{error.filename or 'a file'} can't be written: {error.strerror}") from None

    def _put_back(self) -> None:
        """Put back the files and the virtual environment that were there; a commit must follow."""
        stood = atomic_journal.read_journal(self.journal)["venv"]
        atomic_journal.go_back(self.journal)
        if stood is not None:
            directories.put_back(self.wanted.venv, stood)
        self._drop()

    def _forget_way_back(self) -> None:
        """End the change: remove what only the old service and the way back needed."""
        files.unstage(self.wanted.files)
        atomic_journal.commit(self.journal)
        for leftover in directories.leftovers(self.wanted.venv):
            # A venv that was just built may belong to another run, which waits for its turn.
            ours = leftover in self.used or ".gunicorn-swap-" in leftover
            if ours or time.time() - os.lstat(leftover).st_mtime > _ABANDONED:
                directories.discard(leftover)

    def _verify(self) -> None:
        """Send the health request to each real address, and compare what runs with what is wanted; raises Failed."""
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
        """What is not as wanted, first an address that does not answer."""
        return self._unanswered() or self._differences()

    def _unanswered(self) -> list[str]:
        """What is wrong with the answers on the real addresses."""
        timeout = min(self.wanted.health_timeout, ANSWER_TIMEOUT)
        asked = (_health_request.problem(bind, self.wanted.health, timeout) for bind in self.wanted.binds)
        return [problem for problem in asked if problem]

    def _differences(self) -> list[str]:
        """How what runs differs from what is wanted."""
        raise NotImplementedError
