# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of a service, whichever manager runs it: try it, let it take over, verify it, or go back.

Whether there is anything to do is decided before, in `_service/systemd.py` and `_service/supervisor.py`. A manager's
class says how the service is tried, started, replaced, read and put back.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _health_request
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.service_log import ServiceLog
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live, notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher, marks, uses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import (
    CompanionFailed,
    Failed,
    deploy_error,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup

# Seconds after which nobody will come back to a virtual environment that nothing runs from.
_ABANDONED = 3600.0
# What is live after a switch that failed
LIVE_AGAIN = "The previous configuration is live again"
DOES_NOT_START = "The previous configuration is back, and does not start either"


class Change:
    """A change of one service, and the way back."""

    # What a step of the manager's raises if it fails
    FAILURES: tuple[type[Exception], ...] = (Failed, OSError)
    # What makes a service of the manager's
    DEFINITION = "file"
    # What follows the service; each manager has a class of its own for it.
    companions: Any = None

    def __init__(
        self, wanted: ServiceSpec, journal: str, venv_directory: str, interrupted: bool, runner: Runner
    ) -> None:
        """`venv_directory` is the live one; `interrupted` says that the journal has the way back of a killed run."""
        self.wanted = wanted
        self.settled: Callable[[ServiceSpec], None] = _nothing
        self.journal = journal
        self.interrupted = interrupted
        self.runner = runner
        self.log = ServiceLog(wanted.log_file, wanted.user, wanted.group, runner)
        # What the application was told in confidence, it may repeat in an error.
        self.secrets = service_secrets.secret_values(wanted.secret_files)
        # Virtual environments that only the old service or the way back needs
        self.used = {venv_directory, wanted.venv_backup}

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, with that of the companions."""
        return self.wanted.files

    def carry_out(self, decision: Decision) -> None:
        """Switch, or do the little that needs no new process; raises DeployError."""
        written = [self.journal, *(file.path for file in self.wanted.all_files if file.content is not None)]
        unwritable = files.unwritable(written)
        if unwritable:
            if not self.interrupted:
                self._drop()
            text = f"{self.wanted.name}: root can't write in {' and '.join(unwritable)}, as on a read-only file system"
            raise DeployError(f"{text}. Nothing was changed.")
        try:
            if not decision.switch:
                self._settle()
            elif self._runs():
                self._try()
                self._take_over()
            else:
                self._begin()
        except self.FAILURES as failure:
            raise DeployError(f"{self.wanted.name}: {failure}. The next run completes what is left to do.") from None

    def _settle_companions(self) -> None:
        """Bring the companions beside a web service that stays as it is; raises DeployError."""
        try:
            self._bring_companions()
        except CompanionFailed as failure:
            # A web service that goes on has nothing to do with it.
            works = self._go_back() if self._runs() != self.wanted.started else self._take_companions_back()
            now = LIVE_AGAIN if works else DOES_NOT_START
            raise self._error(
                f"has the companion {failure.companion}, which failed", failure, now, failure.said
            ) from None

    def _take_companions_back(self) -> bool:
        """Put back the companions' files alone, and run what ran; return whether that worked."""
        self.companions.withdraw()
        self._put_back()
        works = self._read_files()
        self.companions.restore()
        atomic_journal.commit(self.journal)
        return works

    # Three ways: settle what needs no new process, begin what does not run, try and take over what runs

    def _settle(self) -> None:
        """Put files in place, and stop what must not run."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Start a service that does not run; if it does not work, everything is as before."""
        self._stage()
        try:
            self._offer_static_files()
            self._promote_files()
            with marks.made(marks.untried(self.wanted.name)):
                self._start()
            self._verify()
            self._bring_companions()
        except self.FAILURES as failure:
            said = self._said(failure)
            self._go_back()
            self._stop_trial()
            self._discard_new_venv()
            now = "What was there before is there again" if self._exists() else f"No {self.DEFINITION} was left behind"
            raise self._error(_what_failed(failure, "could not be started"), failure, now, said) from None
        self._finish()

    def _try(self) -> None:
        """Try what is new beside the live service; if it does not work, the live service has not noticed."""
        self._stage()
        try:
            self._offer_static_files()
            self._run_trial()
        except self.FAILURES as failure:
            said = self._what_the_trial_said()
            self._end_trial()
            if self.interrupted:
                self._go_back()
                self._discard_new_venv()
                now = "What an interrupted change had replaced is live again"
            else:
                self._drop()
                now = "The live service was not touched"
            now += self._spare_the_workers(failure)
            raise self._error("was tried and does not work", failure, now, said) from None

    def _take_over(self) -> None:
        """Replace the live service; if what is new does not work, put the previous one back."""
        try:
            self._replace()
            self._verify()
            self._bring_companions()
        except self.FAILURES as failure:
            said = self._said(failure)
            now = self._return_to_previous()
            if now == LIVE_AGAIN and self.wanted.code_in_place:
                # Its workers have just loaded what is in place.
                marks.remove(marks.refused(self.wanted.name))
                now += f". Its code is what {self.wanted.code_in_place} has now"
            # Only now: till then, processes ran from it.
            self._discard_new_venv()
            raise self._error(_what_failed(failure, "does not work with what is new"), failure, now, said) from None
        self._finish()

    def _spare_the_workers(self, failure: Exception) -> str:
        """Keep workers that have loaded good code, if what was refused may be the code; return sentences about it."""
        # systemd has failed before it started anything.
        if not self.wanted.code_in_place or getattr(failure, "step", ""):
            return ""
        with contextlib.suppress(OSError):  # what has failed must be said, and not this
            marks.make(marks.refused(self.wanted.name))
        return (
            f". If the code is why: it is in {self.wanted.code_in_place}, and a restart, a reboot or the end of a "
            "worker starts it there. Until a run succeeds, max_requests ends no worker"
        )

    def _return_to_previous(self) -> str:
        """Put back what was live before a switch; return a sentence that says what is live now."""
        return LIVE_AGAIN if self._go_back() else DOES_NOT_START

    def _error(self, what: str, failure: Exception, now: str, said: dict[str, str]) -> DeployError:
        return deploy_error(f"{self.wanted.name} {what}", failure, now, said, self.secrets)

    def _said(self, failure: Exception) -> dict[str, str]:
        """What was said by what has failed."""
        return failure.said if isinstance(failure, CompanionFailed) else self._what_was_said()

    # What a manager does

    def _runs(self) -> bool:
        """Whether the service ran before the change."""
        raise NotImplementedError

    def _exists(self) -> bool:
        """Whether the service existed before the change."""
        raise NotImplementedError

    def _start(self) -> None:
        """Start a service that does not run; raises one of FAILURES."""
        raise NotImplementedError

    def _run_trial(self) -> None:
        """Start what is new beside the live service, until its workers are ready; raises one of FAILURES."""
        raise NotImplementedError

    def _end_trial(self) -> None:
        """Leave the live service alone, after a trial that failed."""

    def _stop_trial(self) -> None:
        """Stop what an earlier run may have left of a trial."""

    def _replace(self) -> None:
        """Promote the files and start the service anew; raises one of FAILURES."""
        raise NotImplementedError

    def _differences(self) -> list[str]:
        """How what runs differs from what is wanted."""
        raise NotImplementedError

    def _finish(self) -> None:
        """The service works: leave nothing that only the change needed."""
        raise NotImplementedError

    def _go_back(self) -> bool:
        """Put back what was there, and run it if it ran; return whether what ran runs again."""
        raise NotImplementedError

    def _what_was_said(self) -> dict[str, str]:
        """What the service said since the change began, by its source."""
        raise NotImplementedError

    def _what_the_trial_said(self) -> dict[str, str]:
        """What the trial said, by its source."""
        raise NotImplementedError

    # The companions, which follow the service

    def _read_files(self) -> bool:
        """Have the manager read the files of companions that were put back; return whether that worked."""
        return True

    def _bring_companions(self) -> None:
        """Start those that the change concerns, beside the old ones, and see that they work; raises CompanionFailed."""

    # Files and the virtual environment

    def _stage(self) -> None:
        """Write the candidates beside the live files; raises DeployError."""
        try:
            files.stage(self.files)
        except OSError as error:
            self._drop()
            text = f"{self.wanted.name}: {error.filename or 'a file'} can't be written: {error.strerror}"
            raise DeployError(f"{text}. The live service was not touched.") from None

    def _drop(self) -> None:
        """Forget the candidates, and the new venv, unless an interrupted run has begun to switch to it."""
        self._unstage()
        self._discard_new_venv()

    def _unstage(self) -> None:
        """Forget the candidates, what was changed in a venv in place, and the static files of a new release."""
        files.unstage(self.files)
        if self.wanted.release:
            with contextlib.suppress(OSError):  # what has failed before must be said, and not this
                live.take_back(self.wanted.release)
        if self.wanted.venv_backup:
            # Processes name the path itself, and go on to find there what they have loaded: the backup is of its files.
            backup.restore(self.wanted.venv, self.wanted.venv_backup)

    def _discard_new_venv(self) -> None:
        """Remove the venv that the path does not lead to, unless something still needs it, such as a stand-in."""
        wanted = self.wanted
        kept = live.venvs(notes.read(wanted.release.directory)) if wanted.release else []
        if wanted.venv_directory not in (os.path.realpath(wanted.venv), *kept):
            _discard_unused([wanted.venv_directory])

    def _promote_files(self) -> None:
        """Make the candidates and the new venv the live ones, and note how to go back; raises Failed."""
        wanted = self.wanted
        try:
            if atomic_journal.read_journal(self.journal)["venv"] is None:
                atomic_journal.note(self.journal, venv=links.what_is_at(wanted.venv))
            atomic_journal.promote(self.files, self.journal)
            links.switch_link(wanted.venv, wanted.venv_directory)
        except OSError as error:
            raise Failed(f"{error.filename or 'a file'} can't be written: {error.strerror}") from None

    def _put_back(self) -> None:
        """Put back the files and the virtual environment that were there; a commit must follow."""
        stood = atomic_journal.read_journal(self.journal)["venv"]
        atomic_journal.go_back(self.journal)
        if stood is not None:
            links.put_back(self.wanted.venv, stood)
        self._unstage()

    def _forget_way_back(self) -> None:
        """End the change: remove what only the old service and the way back needed."""
        self.settled(self.wanted)
        kept = self._settle_release()
        # A run that was killed at a first start has left the second one.
        for mark in (marks.refused(self.wanted.name), marks.untried(self.wanted.name)):
            marks.remove(mark)
        files.unstage(self.files)
        atomic_journal.commit(self.journal)
        # The secrets of a step that was killed; none runs now.
        directories.remove(launcher.folder_of_step(self.wanted.name))
        # A venv that was just built may belong to another run, which waits for its turn.
        _discard_unused(
            [
                leftover
                for leftover in directories.leftovers(self.wanted.venv)
                if leftover not in kept
                and (
                    leftover in self.used
                    or ".gunicorn-swap-" in leftover
                    or time.time() - os.lstat(leftover).st_mtime > _ABANDONED
                )
            ]
        )

    # Releases

    def _offer_static_files(self) -> None:
        """Have the web server find the static files of a new release, which its first page may name; raises Failed."""
        if self.wanted.release:
            try:
                live.offer(self.wanted.release)
            except OSError as error:
                path = error.filename or self.wanted.release.public_static
                raise Failed(f"{path} can't be written: {error.strerror}") from None

    def _settle_release(self) -> list[str]:
        """Make the release the live one; return the venvs that kept releases need."""
        wanted = self.wanted
        if wanted.release is None:
            return []
        venv = {
            "directory": wanted.venv_directory,
            "fingerprint": wanted.asked["venv_fingerprint"],
            "gunicorn_version": wanted.gunicorn_version,
        }
        try:
            self.used.update(live.settle(wanted.release, wanted.asked, venv, uses.Uses().unused))
            return live.venvs(notes.read(wanted.release.directory))
        except OSError as error:  # such as of a full disk
            text = f"{wanted.name} runs the release {wanted.release.id}, but not all is as it must be beside it"
            reason = f"{error.filename or 'a file'} can't be written: {error.strerror}"
            raise DeployError(f"{text}: {reason}. The next run completes this.") from None

    # Verifying

    def _verify(self) -> None:
        """Send the health request to each real address, and compare what runs with what is wanted; raises Failed."""
        self._wait_until_without(self._problems)

    def _wait_until_without(self, read_problems: Callable[[float], list[str]]) -> None:
        """Read the problems until there is none; raises Failed after gunicorn_health_timeout."""
        deadline = time.monotonic() + self.wanted.health_timeout
        before: list[str] = []
        while True:
            problems = read_problems(deadline)
            if not problems:
                return
            if time.monotonic() > deadline:
                # The last request may only have run out of time.
                raise Failed("; ".join(before or problems))
            before = problems
            time.sleep(0.2)

    def _problems(self, deadline: float) -> list[str]:
        """What is not as wanted, first an address that does not answer."""
        return self._unanswered(deadline) or self._differences()

    def _unanswered(self, deadline: float) -> list[str]:
        """What is wrong with the answers on the real addresses, all of which have until the deadline."""
        health = self.wanted.health
        asked = (_health_request.problem(bind, health, deadline - time.monotonic()) for bind in self.wanted.binds)
        return [problem for problem in asked if problem]


def _what_failed(failure: Exception, what: str) -> str:
    """What has failed, in words that follow the service's name."""
    return (
        f"was changed, and its companion {failure.companion} failed" if isinstance(failure, CompanionFailed) else what
    )


def _nothing(_wanted: ServiceSpec) -> None:
    """What is done for a service that works, if nobody says otherwise."""


def _discard_unused(paths: list[str]) -> None:
    """Remove virtual environments that nothing needs; the others go with a later change."""
    for path in uses.Uses().unused(paths):
        directories.discard(path)
