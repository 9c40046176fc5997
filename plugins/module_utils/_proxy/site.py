# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a site of a web server to what is wanted: write it, have the server check it, enable and load it, or go back.

What decides whether there is something to do is what is there and what the running server has loaded. The server is
reloaded, never restarted, and only after its own check; after a check that fails everything is as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from typing import Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.servers import WebServer
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
    """The site could not be brought to what is wanted; the message says what is live now."""


class StepFailed(Exception):
    """A step failed; whoever called it knows what to put back."""


class SiteSpec(NamedTuple):
    """A site as it shall be, which without a content is none; `links` are to be made, or with None to go."""

    server: WebServer
    site: str
    file: WantedFile
    links: dict[str, str | None]
    server_names: tuple[str, ...] = ()
    # Files that the server reads when it loads the site
    read_by_server: tuple[str, ...] = ()
    runtime_directory: str = "/run"

    @property
    def present(self) -> bool:
        return self.file.content is not None

    @property
    def journal(self) -> str:
        """Where a change notes how to go back: where no server includes it."""
        return os.path.join(self.server.folder, f".{self.site}.gunicorn-proxy.json")

    @property
    def stamp(self) -> str:
        """Where it stands when which server has loaded what is there."""
        return os.path.join(self.runtime_directory, f"gunicorn-proxy-{self.server.package}.json")


class SiteState(NamedTuple):
    """What the host has; times in epoch seconds."""

    unit: Unit
    file_differs: bool
    links: dict[str, str | None]
    interrupted: bool
    newest: float
    loaded: float


class SiteDecision(NamedTuple):
    """What was not as wanted, a sentence each, and what is to be done about it."""

    reasons: list[str]
    write: bool
    load: bool


def observe(wanted: SiteSpec, runner: Runner) -> SiteState:
    """Read what the host has and runs."""
    unit = units.read_units([wanted.server.unit], runner)[wanted.server.unit]
    watched = [wanted.file.path, *wanted.links, *wanted.read_by_server]
    return SiteState(
        unit=unit,
        file_differs=files.differs(wanted.file),
        links={path: _link_at(path) for path in wanted.links},
        interrupted=os.path.lexists(wanted.journal),
        newest=max((_changed_at(path) for path in watched), default=0.0),
        loaded=loaded_at(wanted.stamp, unit.main_pid),
    )


def decide(wanted: SiteSpec, observed: SiteState) -> SiteDecision:
    """Compare what is there, and what the running server has loaded, with what is wanted."""
    title, unit = wanted.server.title, observed.unit
    written = []
    if observed.interrupted:
        written.append("a change of the site was interrupted")
    if observed.file_differs:
        written.append(f"{wanted.file.path} is not as wanted")
    for path, target in wanted.links.items():
        if observed.links[path] != target:
            written.append(f"the link {path} {'is there' if target is None else 'is not there'}")
    reasons = list(written)
    if wanted.present and not unit.active:
        reasons.append(f"{title} does not run")
    elif not written and unit.active and observed.newest > observed.loaded:
        reasons.append(f"{title} has not loaded the site since it changed")
    load = bool(reasons) and (unit.active or wanted.present)
    if wanted.present and not unit.enabled:
        reasons.append(f"{title} does not start at boot")
    return SiteDecision(reasons, bool(written), load)


def apply(wanted: SiteSpec, runner: Runner) -> SiteDecision:
    """Do what there is to do; raises SiteError."""
    with _locked(wanted.server):
        decision = decide(wanted, observe(wanted, runner))
        if not decision.reasons:
            return decision
        try:
            if os.path.lexists(wanted.journal):
                _go_back(wanted.journal)
            SiteChange(wanted, observe(wanted, runner), runner).carry_out(decision)
        except OSError as error:
            where = error.filename or wanted.file.path
            raise SiteError(f"{wanted.site}: {where}: {error.strerror}. The next run completes what is left.") from None
    return decision


class SiteChange:
    """One change of one site, and the way back."""

    def __init__(self, wanted: SiteSpec, observed: SiteState, runner: Runner) -> None:
        self.wanted = wanted
        self.before = observed
        self.runner = runner
        self.server = wanted.server
        self.began = time.time()
        self.log_size = _size_of(self.server.error_log)

    def carry_out(self, decision: SiteDecision) -> None:
        """Write, check, load; or go back. Raises SiteError."""
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
        """The file first, then the links: at no time does one of them name a file that is not there."""
        wanted = self.wanted
        files.stage([wanted.file])
        atomic_journal.note(wanted.journal, links=self.before.links)
        going = {path: target for path, target in wanted.links.items() if target is None}
        _link(going)
        atomic_journal.promote([wanted.file], wanted.journal)
        _link({path: target for path, target in wanted.links.items() if path not in going})

    def _check(self) -> None:
        """Ask the server whether it takes the configuration; raises Failed with its words."""
        code, output, errors = self.runner.run(list(self.server.check))
        if code:
            raise StepFailed(_last_lines(errors or output))
        taken = set(_CONFLICT.findall(errors)) & set(self.wanted.server_names)
        if taken:
            raise StepFailed(f"Another site has the name {', '.join(sorted(taken))}:\n{_last_lines(errors)}")

    def _load(self) -> None:
        """Have the running server read it, or start it; raises Failed unless it really did."""
        loading = time.time()
        if not self.before.unit.active:
            self._systemctl("start", self.server.unit)
        else:
            workers = processes.children_of(self.before.unit.main_pid)
            self._systemctl("reload", self.server.unit)
            self._wait_for_new_workers(workers)
        write_stamp(self.wanted.stamp, self._read_unit().main_pid, loading)

    def _wait_for_new_workers(self, old: set[int]) -> None:
        """A server that can't open an address, say, keeps its old workers, and says so in its log alone."""
        pid = self.before.unit.main_pid
        deadline = time.monotonic() + RELOAD_TIMEOUT
        while not processes.children_of(pid) - old:
            if time.monotonic() > deadline or not self._read_unit().active:
                raise StepFailed(self._said())
            time.sleep(0.05)

    def _restore(self) -> None:
        """Put the files and links back. A server that had loaded them still has."""
        had_loaded = self.before.newest <= self.before.loaded
        _go_back(self.wanted.journal)
        if had_loaded and self.before.unit.active:
            write_stamp(self.wanted.stamp, self.before.unit.main_pid, time.time())

    def _run_as_before(self) -> str:
        """Bring the server back to what was put back; returns how that went."""
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


# Files and links


def _go_back(journal: str) -> None:
    links = atomic_journal.read_journal(journal).get("links", {})
    _link({path: None for path, target in links.items() if target is None})
    atomic_journal.go_back(journal)
    _link(links)
    atomic_journal.commit(journal, links={})


def _link(wanted: dict[str, str | None]) -> None:
    """Make links, or remove those whose target is None."""
    for path, target in wanted.items():
        if target is None:
            files.remove(path)
        elif _link_at(path) != target:
            candidate = files.beside(path, files.CANDIDATE)
            files.remove(candidate)
            os.symlink(target, candidate)
            os.replace(candidate, path)


def _link_at(path: str) -> str | None:
    """What a link names; the path itself where there is something else, None where there is nothing."""
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None
    except OSError:
        return path if os.path.lexists(path) else None


def _changed_at(path: str) -> float:
    """When a file, or what a link is or names, was changed last; 0 where there is none."""
    times = [0.0]
    for read in (os.stat, os.lstat):
        with contextlib.suppress(OSError):
            times.append(read(path).st_ctime)
    return max(times)


# What runs


def loaded_at(stamp: str, pid: int, root: str = "/") -> float:
    """When the running server has read its configuration last, as far as is known; 0 where it does not run."""
    stat = processes.read_stat(pid, root) if pid else None
    if stat is None:
        return 0.0
    started = processes.boot_time() + stat.started
    text = files.read(stamp)
    known = json.loads(text) if text else {}
    # A process id may come again, with another start.
    same = known.get("pid") == pid and known.get("started") == stat.started
    return max(started, known["loaded"]) if same else started


def write_stamp(stamp: str, pid: int, loaded: float) -> None:
    """Note when a server has loaded what is there. It is gone after a boot, and so is the server."""
    stat = processes.read_stat(pid)
    if stat is not None:
        text = json.dumps({"pid": pid, "started": stat.started, "loaded": loaded})
        files.put(WantedFile(stamp, text, 0o600, os.getegid(), os.geteuid()))


@contextlib.contextmanager
def _locked(server: WebServer) -> Iterator[None]:
    """One change of a web server at a time: its check sees what all of them write."""
    try:
        lock = atomic_lock.take(f"proxy-{server.package}", LOCK_TIMEOUT)
    except TimeoutError as error:
        raise SiteError(f"{server.title}: {error}. Nothing was changed.") from None
    try:
        yield
    finally:
        os.close(lock)


# Words


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
