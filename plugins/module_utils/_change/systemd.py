# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a service under systemd to what is wanted, without losing a request, and back if it does not work.

While the live service goes on, a stand-in starts with the new configuration on the same sockets. Only once its workers
have answered the application's own request do files change and does the live service restart. The stand-in serves
meanwhile, and systemd holds the sockets, so that nobody is refused. A service that was made by hand and has opened its
addresses itself shares them with systemd for that time.
"""

from __future__ import annotations

import contextlib
import time
from typing import Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import adoption
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.adoption import Adoption
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.change import DOES_NOT_START, LIVE_AGAIN, Change
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.companions import Companions
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.sockets import Sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.standin import Standin
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison, systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names as service_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import CompanionFailed, Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import locked
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import NotStarted, Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import (
    sandbox,
    sandbox_effect,
    sandbox_trial,
    units,
)

# The lines of the journal that are read at most; it cuts each at 48 kB.
_JOURNAL_LINES = 400


def deploy(
    wanted: SystemdSpec,
    runner: Runner,
    tell: Callable[[str], None],
    settled: Callable[[ServiceSpec], None] | None = None,
) -> Decision:
    """Do what there is to do, and tell what a person should know of it; raises DeployError.

    `settled` is called with what is wanted once it works.
    """
    with locked(wanted.name, wanted.venv):
        state = systemd.observe(wanted, runner)
        if adoption.was_interrupted(state):
            SystemdChange(wanted, state, runner, tell).leave_alone()
            state = systemd.observe(wanted, runner)
        decision = systemd.decide(wanted, state)
        if decision.reasons:
            change = SystemdChange(wanted, state, runner, tell)
            change.settled = settled or change.settled
            change.carry_out(decision)
        return decision


class SystemdChange(Change):
    """One change of one service under systemd, and the way back."""

    DEFINITION = "unit"

    def __init__(self, wanted: SystemdSpec, before: SystemdState, runner: Runner, tell: Callable[[str], None]) -> None:
        journal = service_names.journal_of(wanted.name)
        super().__init__(wanted, journal, before.venv_directory, before.interrupted, runner)
        self.wanted: SystemdSpec = wanted
        self.before = before
        self.tell = tell
        self.service = f"{wanted.name}.service"
        self.began = time.time()
        self.systemctl = Systemctl(runner)
        self.sockets = Sockets(wanted, self.systemctl)
        self.standin = Standin(wanted, before, self.sockets, self.systemctl)
        self.adoption = Adoption(wanted, before, self.systemctl)
        self.companions = Companions(wanted, before, runner, self._journal_of)

    @property
    def files(self) -> list[WantedFile]:
        """What is replaced together, with the units of the companions."""
        return [*self.wanted.files, *self.companions.files]

    def leave_alone(self) -> None:
        """Take back what an interrupted run had begun with a service that was made by hand."""
        self.adoption.resume()
        self._end_trial()

    def _runs(self) -> bool:
        return self.before.service.active

    def _exists(self) -> bool:
        return self.before.service.exists

    def _settle(self) -> None:
        """Put files in place, and stop what must not run."""
        self._stage()
        self._promote_files()
        self.systemctl.do("daemon-reload")
        self.standin.stop()
        if self.wanted.started:
            self.sockets.match_files()
            self._reopen_logs()
        else:
            self.systemctl.do("stop", self.sockets.unit, self.service)
        self._settle_companions()
        self._finish()

    def _read_files(self) -> bool:
        return self.systemctl.attempt("daemon-reload")

    def _reopen_logs(self) -> None:
        """Have the service open its logs anew, as their rotation does. It makes the files itself, as its user."""
        if self.before.lost_logs:
            self.systemctl.do("kill", "--signal=USR1", "--kill-who=main", self.service)
            self._wait_until_without(lambda _deadline: self._lost_logs())

    def _lost_logs(self) -> list[str]:
        pid = self.systemctl.read(self.service).main_pid
        return comparison.logs_to_reopen(service_running.lost_logs(pid, self.wanted.log_files))

    def _start(self) -> None:
        """Open the sockets and start the service."""
        self.sockets.arrange()
        self.systemctl.do("start", self.sockets.unit)
        try:
            self.systemctl.start("restart", self.service)
        except NotStarted as failure:
            self._leave_out_what_is_unfit(failure)
            self._put_units()
            self.systemctl.start("restart", self.service)

    def _put_units(self) -> None:
        """Put the units of the service and of its companions in place once more, without what is unfit."""
        for file in [self.wanted.unit, *self.companions.files]:
            files.put(file)
        self.systemctl.do("daemon-reload")

    def _leave_out_what_is_unfit(self, failure: NotStarted) -> None:
        """Do without directives that this host can't apply; raises the failure if they are not its reason."""
        unfit = []
        if sandbox_trial.is_of_sandbox(failure.status):
            unfit = sandbox_trial.unfit(self.wanted.unit.content or "", self.wanted.optional, self.runner)
        if not unfit:
            raise failure
        self.wanted = self.wanted.without(unfit, sandbox.conditions())
        self.companions.wanted = self.wanted
        self.tell(
            f"This host can't apply {', '.join(unfit)}: {self.service} does without. With the whole sandbox, it failed "
            f"at {failure.step}. That is tried again once the host has another systemd or other privileges."
        )

    def _run_trial(self) -> None:
        """Start the stand-in; a service made by hand hands its connections over to it."""
        self.adoption.begin()
        try:
            self.standin.start(self.adoption.shared)
        except NotStarted as failure:
            self._leave_out_what_is_unfit(failure)
            self._stage()
            self.standin.stop()
            self.standin = Standin(self.wanted, self.before, self.sockets, self.systemctl)
            self.standin.start(self.adoption.shared)
        if self.adoption.shared:
            self.adoption.shared.hand_over()
            self._wait_until_without(self._unanswered)

    def _end_trial(self) -> None:
        """End the stand-in, and leave the live service alone on its addresses."""
        self.adoption.take_back(self.standin.unit)
        self.standin.stop()
        self.adoption.undo()

    def _stop_trial(self) -> None:
        self.standin.stop()

    def _replace(self) -> None:
        """Restart the service while the stand-in serves."""
        self.adoption.spare_socket_files()
        self._promote_files()
        self.sockets.arrange()
        self.systemctl.start("restart", self.service)
        self.adoption.end()
        self.standin.stop()

    def _take_over(self) -> None:
        super()._take_over()
        if self.adoption.refusal:
            # systemd could open the addresses only once the service had gone.
            reason = self.adoption.refusal
            self.tell(f"{self.service} refused connections for a moment while it was replaced: {reason}.")

    def _return_to_previous(self) -> str:
        self.adoption.end()
        if not self.before.has_addresses(self.wanted.binds):
            # The stand-in would hold addresses that must be opened again.
            self.standin.stop()
        if self._go_back():
            self.standin.stop()
            return LIVE_AGAIN
        return f"{DOES_NOT_START}; the stand-in serves, if it can"

    def _differences(self) -> list[str]:
        unit = self.systemctl.read(self.service)
        if not unit.active or not unit.main_pid:
            return ["the service does not stay up"]
        return comparison.mismatches(self.wanted, service_running.read(self.wanted.name, unit.main_pid))

    def _finish(self) -> None:
        """The service works: enable it or not, and forget the way back."""
        self.standin.stop()
        self._tell_what_has_no_effect()
        enabled = self.wanted.enabled
        if any(unit.enabled != enabled for unit in self.systemctl.read_all(self.service, self.sockets.unit)):
            # To enable what is enabled in part enables it whole.
            self.systemctl.do("enable" if enabled else "disable", self.service, self.sockets.unit)
        self.sockets.remove_gone_files(self.before.addresses)
        self.adoption.remove_units()
        self.adoption.forget_names()
        self._keep_what_was_made_by_hand()
        for file in self.wanted.files_of_success:
            files.put(file)
        self.companions.retire(self.journal)
        self._forget_way_back()
        self.companions.clear()

    def _tell_what_has_no_effect(self) -> None:
        """systemd does not say what it has skipped of a sandbox."""
        if not self.wanted.started:
            return
        (shown,) = units.show_units([self.service], ("MainPID", *sandbox_effect.PROPERTIES), self.runner)
        asked = {name: values[0] for name, values in shown.items()}
        pid = int(asked.pop("MainPID", "0") or 0)
        effect = sandbox_effect.read_effect(self.service, pid, asked) if pid else None
        if effect and effect.told:
            self.tell(
                f"This host does not apply {', '.join(effect.told)} to {self.service}, which systemd does not say "
                f"({sandbox.conditions()}). The rest of the sandbox is in force; see Kinds of hosts in "
                "docs/hardening.md of the collection."
            )

    def _bring_companions(self) -> None:
        if not self.wanted.companions_started:
            self.companions.stop()
        elif self.companions:
            self.systemctl.do("daemon-reload")
            try:
                self.companions.bring()
            except CompanionFailed as failure:
                # Web workers would have shown it before.
                if self.wanted.started or not sandbox_trial.is_of_sandbox(failure.status):
                    raise
                self._bring_without_what_is_unfit(failure)

    def _bring_without_what_is_unfit(self, failure: CompanionFailed) -> None:
        try:
            self._leave_out_what_is_unfit(NotStarted(str(failure), failure.status))
        except NotStarted:
            raise failure from None
        self._put_units()
        self.companions.bring()

    def _keep_what_was_made_by_hand(self) -> None:
        """Keep files that are not the role's where systemd does not read them: the way back ends here."""
        for file in (self.wanted.unit, self.wanted.socket, self.wanted.configuration):
            previous = files.read(files.beside(file.path, files.PREVIOUS))
            if previous is not None and not service_names.is_ours(previous):
                self.tell(f"{file.path} was made by hand; it is kept as {atomic_journal.keep_previous(file.path)}.")

    def _go_back(self) -> bool:
        """Put back what was there, and run it if it ran; return whether what ran runs again."""
        service, socket = self.before.service, self.before.socket
        if not service.active:
            self.systemctl.attempt("stop", self.service, *([] if socket.active else [self.sockets.unit]))
        self.companions.withdraw()
        self._put_back()
        self.systemctl.attempt("daemon-reload")
        if socket.active:
            with contextlib.suppress(Failed):
                self.sockets.arrange()
        elif service.active:
            self.systemctl.attempt("stop", self.sockets.unit)
        if service.active:
            works = self.systemctl.attempt("restart", self.service)
        else:
            self.systemctl.attempt("reset-failed", self.service, self.sockets.unit)
            works = True
        self.companions.restore()
        atomic_journal.commit(self.journal)
        return works

    def _what_was_said(self) -> dict[str, str]:
        """What the log and the journal got of the service since the change began."""
        return self._said_by(self.service)

    def _what_the_trial_said(self) -> dict[str, str]:
        """What the log and the journal got of the stand-in."""
        return self._said_by(self.standin.unit)

    def _said_by(self, unit: str) -> dict[str, str]:
        return {
            f"The end of {self.wanted.log_file}": self.log.new_text(),
            f"The journal of {unit}": self._journal_of(unit),
        }

    def _journal_of(self, unit: str) -> str:
        # The journal writes with a delay: it must have what was said just now.
        self.runner.run(["timeout", "10", "journalctl", "--sync"])
        since = f"--since=@{self.began:.3f}"
        command = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={_JOURNAL_LINES}", since]
        return self.runner.output([*command, f"--unit={unit}"])
