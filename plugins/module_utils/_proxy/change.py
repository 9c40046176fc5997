# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change a site: write it, let the web server check it, enable and load it, or put back what was there.

The server is reloaded, never restarted, and only after its own check. If the check fails, everything is as it was.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import AbstractContextManager

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import links, load_time
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import site as proxy_site
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.site import SiteDecision, SiteSpec, SiteState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit

LOCK_TIMEOUT = 600.0
# Seconds within which a reloaded server has new workers
RELOAD_TIMEOUT = 20.0
_LINES = 25
# nginx takes the first of two sites of one name, and does not call that an error.
_CONFLICT = re.compile(r'conflicting server name "([^"]*)" on')


class SiteError(Exception):
    """A change did not succeed; the message says what is live now."""


class StepFailed(Exception):
    """A step of a change failed; the caller puts back what was there."""


def apply(wanted: SiteSpec, runner: Runner) -> SiteDecision:
    """Change what is not as wanted, and return what that was; raises SiteError."""
    with _locked(wanted.server):
        decision = proxy_site.decide(wanted, proxy_site.observe(wanted, runner))
        if not decision.reasons:
            return decision
        try:
            if os.path.lexists(wanted.journal):
                _go_back(wanted.journal)
            SiteChange(wanted, proxy_site.observe(wanted, runner), runner).carry_out(decision)
        except OSError as error:
            where = error.filename or wanted.file.path
            raise SiteError(f"{wanted.site}: {where}: {error.strerror}. The next run completes what is left.") from None
    return decision


def _locked(server: WebServer) -> AbstractContextManager[None]:
    """Change one site of a web server at a time: the server's check covers all of them."""
    return atomic_lock.held(
        f"proxy-{server.package}",
        LOCK_TIMEOUT,
        lambda reason: SiteError(f"{server.title}: {reason}. Nothing was changed."),
    )


class SiteChange:
    """A change of one site, and the way back."""

    def __init__(self, wanted: SiteSpec, observed: SiteState, runner: Runner) -> None:
        self.wanted = wanted
        self.before = observed
        self.runner = runner
        self.server = wanted.server
        self.began = time.time()
        self.log_size = _size_of(self.server.error_log)

    def carry_out(self, decision: SiteDecision) -> None:
        """Write, check and load; or put back what was there and raise SiteError."""
        title = self.server.title
        if decision.write:
            self._write()
        if decision.load:
            try:
                self._check()
            except StepFailed as failure:
                self._restore()
                text = f"{self.wanted.site}: {title} refuses the configuration. What was there before is there again"
                raise SiteError(f"{text}, and the running server was not touched.\n{failure}") from None
            try:
                self._load()
            except StepFailed as failure:
                self._restore()
                text = f"{self.wanted.site}: {title} does not load the configuration"
                raise SiteError(f"{text}. {self._run_as_before()}.\n{failure}") from None
        if self.wanted.present and not self.before.unit.enabled:
            self.runner.run(["systemctl", "enable", self.server.unit])
        atomic_journal.commit(self.wanted.journal, links={})

    def _write(self) -> None:
        """Write the file first, then the links: no link ever names a file that is not there."""
        wanted = self.wanted
        files.stage(wanted.files)
        atomic_journal.note(wanted.journal, links=self.before.links)
        removed: dict[str, str | None] = {path: None for path, target in wanted.links.items() if target is None}
        links.make(removed)
        atomic_journal.promote(wanted.files, wanted.journal)
        links.make({path: target for path, target in wanted.links.items() if path not in removed})

    def _check(self) -> None:
        """Let the server check the configuration; raises StepFailed with its words."""
        code, output, errors = self.runner.run(list(self.server.check))
        if code:
            raise StepFailed(_last_lines(errors or output))
        taken = set(_CONFLICT.findall(errors)) & set(self.wanted.server_names)
        if taken:
            raise StepFailed(f"Another site has the name {', '.join(sorted(taken))}:\n{_last_lines(errors)}")

    def _load(self) -> None:
        """Let the server load the configuration, or start it; raises StepFailed unless it really did."""
        loading = time.time()
        if not self.before.unit.active:
            self._systemctl("start", self.server.unit)
        else:
            workers = processes.children_of(self.before.unit.main_pid)
            self._systemctl("reload", self.server.unit)
            self._wait_for_new_workers(workers)
        load_time.note(self.wanted.stamp, self._read_unit().main_pid, loading)

    def _wait_for_new_workers(self, old: set[int]) -> None:
        """A server that can't open an address, say, keeps its old workers; only its log says so."""
        pid = self.before.unit.main_pid
        deadline = time.monotonic() + RELOAD_TIMEOUT
        while not processes.children_of(pid) - old:
            if time.monotonic() > deadline or not self._read_unit().active:
                raise StepFailed(self._said())
            time.sleep(0.05)

    def _restore(self) -> None:
        """Put the files and links back. If the server had loaded them, it still has."""
        had_loaded = self.before.newest <= self.before.loaded
        _go_back(self.wanted.journal)
        if had_loaded and self.before.unit.active:
            load_time.note(self.wanted.stamp, self.before.unit.main_pid, time.time())

    def _run_as_before(self) -> str:
        """Let the server load what was put back; returns how that went."""
        if not self.before.unit.active:
            return "What was there before is there again"
        action = "reload" if self._read_unit().active else "start"
        if self.runner.run(["systemctl", action, self.server.unit])[0] == 0:
            return "What was there before is loaded again"
        return f"What was there before is there again, but {self.server.title} does not {action}"

    def _systemctl(self, action: str, unit: str) -> None:
        code, output, errors = self.runner.run(["systemctl", action, unit])
        if code:
            raise StepFailed("\n".join(part for part in (_last_lines(errors or output), self._said()) if part))

    def _read_unit(self) -> Unit:
        return units.read_units([self.server.unit], self.runner)[self.server.unit]

    def _said(self) -> str:
        """What the server wrote to its log and to the journal since the change began."""
        since = f"--since=@{self.began:.0f}"
        journal = self.runner.run(
            ["journalctl", "--quiet", "--no-pager", "--output=cat", since, f"--unit={self.server.unit}"]
        )
        texts = {self.server.error_log: _new_in(self.server.error_log, self.log_size), self.server.unit: journal[1]}
        return "\n".join(f"{title}:\n{_last_lines(text)}" for title, text in texts.items() if text.strip())


def _go_back(journal: str) -> None:
    before = atomic_journal.read_journal(journal).get("links", {})
    links.make({path: None for path, target in before.items() if target is None})
    atomic_journal.go_back(journal)
    links.make(before)
    atomic_journal.commit(journal, links={})


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _new_in(path: str, offset: int) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return ""


def _last_lines(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-_LINES:])
