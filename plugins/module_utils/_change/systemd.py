# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a service to what is wanted, without losing a request, and back if it does not work.

While the live service goes on, a stand-in starts with the new configuration, on the same sockets. Only once its workers
have answered the application's own request do files change and does the live service restart; the stand-in serves
meanwhile. systemd holds the sockets, so that nobody is refused. A service that was made by hand and opened its
addresses itself shares them with systemd for that time.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import stat
import time
from typing import Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import adoption as change_adoption
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.adoption import Adoption, NotShared
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.change import Change, Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.words import quoted, summary
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import sockets as host_sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison, observation, systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names as service_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import running as service_running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import DeployError, locked
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec, SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, socket_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units as systemd_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses


def deploy(wanted: SystemdSpec, runner: Runner, tell: Callable[[str], None]) -> Decision:
    """Do what there is to do, and tell what a person should know of it; raises DeployError."""
    with locked(wanted.name):
        observed = observation.observe(wanted, runner)
        if _shares_addresses(observed):
            SystemdChange(wanted, observed, runner, tell).leave_alone()
            observed = observation.observe(wanted, runner)
        decision = systemd.decide(wanted, observed)
        if decision.reasons:
            SystemdChange(wanted, observed, runner, tell).carry_out(decision)
        return decision


def _shares_addresses(observed: SystemdState) -> bool:
    """Whether a run was killed while systemd had opened the addresses of a service that was made by hand, too."""
    return observed.running is not None and observed.socket.path.startswith(f"{runtime_units.DIRECTORY}/")


class SystemdChange(Change):
    """One change of one service, and the way back."""

    def __init__(
        self, wanted: SystemdSpec, observed: SystemdState, runner: Runner, tell: Callable[[str], None]
    ) -> None:
        super().__init__(wanted, service_names.journal_of(wanted.name), observed.venv_directory, runner)
        self.wanted: SystemdSpec = wanted
        self.before = observed
        self.tell = tell
        self.service = f"{wanted.name}.service"
        self.socket = f"{wanted.name}.socket"
        self.standin = f"{wanted.name}-standin.service"
        self.began = time.time()
        # Of a service that was made by hand
        self.adoption: Adoption | None = None
        self.not_shared = ""

    def carry_out(self, decision: Decision) -> None:
        """Switch, or do the little that needs no new process; raises DeployError."""
        try:
            if not decision.switch:
                self._settle()
            elif self.before.service.active:
                self._change()
            else:
                self._begin()
        except (Failed, OSError) as failure:
            raise DeployError(f"{self.wanted.name}: {failure}. The next run completes what is left to do.") from None

    # The three ways

    def _settle(self) -> None:
        """Nothing to start: put files in place, stop what shall not run."""
        self._stage()
        self._promote_files()
        self._systemctl("daemon-reload")
        self._stop_standin()
        if self.wanted.started:
            self._match_socket_files()
        else:
            self._systemctl("stop", self.socket, self.service)
        self._finish()

    def _begin(self) -> None:
        """Start a service that does not run; if it does not work, all is as before."""
        self._stage()
        try:
            self._promote_files()
            self._arrange_sockets()
            self._systemctl("start", self.socket)
            self._systemctl("restart", self.service)
            self._verify()
        except (Failed, OSError) as failure:
            said = self._what_was_said(self.service)
            self._go_back()
            self._stop_standin()
            left = "What was there before is there again" if self.before.service.exists else "No unit was left behind"
            text = f"{self.wanted.name} could not be started: {summary(failure, said)}"
            raise DeployError(f"{text}. {left}.\n{quoted(said)}") from None
        self._stop_standin()
        self._finish()

    def _change(self) -> None:
        """Try it beside the live service, then let it take over."""
        self._stage()
        self._share_addresses()
        try:
            self._start_standin()
            if self.adoption:
                self.adoption.hand_over()
                self._wait_until_without(self._unanswered)
        except (Failed, OSError) as failure:
            said = self._what_was_said(self.standin)
            self._end_trial()
            text = f"{self.wanted.name} was tried and does not work: {summary(failure, said)}"
            if self.before.interrupted:
                self._go_back()
                raise DeployError(
                    f"{text}. What an interrupted change had replaced is live again.\n{quoted(said)}"
                ) from None
            self._drop()
            raise DeployError(f"{text}. The live service was not touched.\n{quoted(said)}") from None
        try:
            self._spare_socket_files()
            self._promote_files()
            self._arrange_sockets()
            self._systemctl("restart", self.service)
            self._end_sharing()
            self._stop_standin()
            self._verify()
        except (Failed, OSError) as failure:
            said = self._what_was_said(self.service)
            self._end_sharing()
            if self.before.addresses != {bind.listen_stream for bind in self.wanted.binds}:
                # It would hold addresses that are to be opened again.
                self._stop_standin()
            text = f"{self.wanted.name} does not work with what is new: {summary(failure, said)}"
            if self._go_back():
                self._stop_standin()
                now = "The previous configuration is live again"
            else:
                now = "The previous configuration is back, and does not start either; the stand-in serves, if it can"
            raise DeployError(f"{text}. {now}.\n{quoted(said)}") from None
        self._finish()
        if self.not_shared:
            # systemd opened the addresses once the service had gone.
            self.tell(f"{self.service} refused connections for a moment while it was replaced: {self.not_shared}.")

    # A service that was made by hand

    def _share_addresses(self) -> None:
        """Make room for systemd on the addresses of a service that opened them itself, where the kernel lets us."""
        running = self.before.running
        if running is None or running.holds_sockets or self.before.socket.active:
            return
        try:
            adoption = Adoption(self.service, running.pid, self.wanted.binds)
            adoption.share()
            self.adoption = adoption
        except NotShared as reason:
            self.not_shared = str(reason)

    def _spare_socket_files(self) -> None:
        """Gunicorn removes the files of its sockets when it ends, which are systemd's by now.

        Without its master it can't. The workers then end on their own, each after the request that it is at.
        """
        if self.adoption and self.adoption.paths:
            text = "ExecStop=\nExecStop=-+/bin/kill -KILL $MAINPID\nKillMode=control-group\n"
            runtime_units.write(self._sparing_drop_in, f"[Service]\n{text}")

    @property
    def _sparing_drop_in(self) -> str:
        return f"{self.service}.d/gunicorn-adoption.conf"

    def _end_sharing(self) -> None:
        """Forget the service that was made by hand: it has ended."""
        if self.adoption:
            self.adoption.close()
            self.adoption = None
        self._remove_adopting_units()

    def _remove_adopting_units(self) -> None:
        files.remove(runtime_units.path_of(self.socket))
        drop_in = runtime_units.path_of(self._sparing_drop_in)
        if os.path.lexists(drop_in):
            files.remove(drop_in)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(drop_in))
            self.runner.run(["systemctl", "daemon-reload"])

    def leave_alone(self) -> None:
        """Take back what a killed run had begun with a service that was made by hand."""
        with contextlib.suppress(NotShared):
            self.adoption = Adoption(self.service, self.before.service.main_pid, self.wanted.binds)
        self._end_trial()

    def _end_trial(self) -> None:
        """End the stand-in, and have the live service alone on its addresses again."""
        if self.adoption:
            self.adoption.take_back(self._read_unit(self.standin).main_pid)
        self._stop_standin()
        if os.path.lexists(runtime_units.path_of(self.socket)):
            self.runner.run(["systemctl", "stop", self.socket])
            self.runner.run(["systemctl", "reset-failed", self.socket])
            self._remove_adopting_units()
            self.runner.run(["systemctl", "daemon-reload"])
        if self.adoption:
            self.adoption.unshare()
            self.adoption = None

    # Steps

    def _start_standin(self) -> None:
        """Start the stand-in on the addresses of the live service, or on one of its own where it can't have those."""
        if self.before.standin.exists:
            self._stop_standin()
        runtime_units.write(self.standin, self.wanted.standin_unit)
        sockets = self._write_standins_socket()
        if sockets != self._standins_own:
            # What an administrator adds to the service belongs to the trial, too.
            for path in glob.glob(os.path.join(systemd_units.UNIT_DIRECTORY, f"{self.service}.d", "*.conf")):
                runtime_units.write(f"{self.standin}.d/{os.path.basename(path)}", files.read(path) or "")
            added = map(os.path.basename, runtime_units.added_sockets(self.wanted.name))
            names = " ".join([sockets, *added])
            runtime_units.write(f"{self.standin}.d/sockets.conf", f"[Service]\nSockets={names}\n")
        # systemd reads a unit that is new to it when that is started, without a reload of all others.
        if self.adoption or self.before.standin.exists:
            self._systemctl("daemon-reload")
        if not self.before.socket.active:
            self._systemctl("start", sockets)
        self._systemctl("start", self.standin)

    @property
    def _standins_own(self) -> str:
        return f"{self.wanted.name}-standin.socket"

    def _write_standins_socket(self) -> str:
        """Write what the stand-in's sockets come from, if that is not there; returns the unit's name."""
        if self.adoption:
            moved, ipv6_only = self.adoption.moved, self.adoption.ipv6_only
            text = socket_units.beside_unit(self.wanted.socket.content or "", self.standin, moved, ipv6_only)
            runtime_units.write(self.socket, text)
        elif not self.before.socket.active:
            address = f"/run/gunicorn-{self.wanted.name}-standin.sock"
            text = f"[Socket]\nListenStream={address}\nSocketMode=0600\nRemoveOnStop=yes\n"
            runtime_units.write(self._standins_own, text)
            return self._standins_own
        return self.socket

    def _stop_standin(self) -> None:
        """Let the stand-in finish its requests, and leave nothing of it."""
        units = [self.standin, self._standins_own]
        present = [unit for unit in units if os.path.lexists(runtime_units.path_of(unit))]
        if not present:
            return
        self.runner.run(["systemctl", "stop", *present])
        self.runner.run(["systemctl", "reset-failed", *present])
        for unit in present:
            files.remove(runtime_units.path_of(unit))
        shutil.rmtree(runtime_units.path_of(f"{self.standin}.d"), ignore_errors=True)
        # It forgets units that are over, if nothing else names them.
        if any(self._read_unit(unit).exists for unit in present):
            self.runner.run(["systemctl", "daemon-reload"])

    def _arrange_sockets(self) -> None:
        """Have systemd read the units, and open what is new at the service's next start, beside what stays open.

        A socket unit that is active opens nothing more, but at a daemon-reload it keeps the sockets of the addresses
        that it still has, and closes those that it has no more. A unit for the others can start only while the service
        does not run: in the middle of its restart, which wants it.
        """
        text = files.read(self.wanted.socket.path) or ""
        wanted = socket_units.socket_addresses(text)
        for path in runtime_units.added_sockets(self.wanted.name):
            added = files.read(path) or ""
            kept = socket_units.socket_addresses(added) & wanted
            if kept:
                runtime_units.write(os.path.basename(path), socket_units.with_addresses(added, kept))
            else:
                self._remove_added_unit(path)
        binds = addresses.parse_streams(sorted(wanted))
        closed = {bind.listen_stream for bind in binds if not host_sockets.is_open(bind)}
        if closed and self._read_unit(self.socket).active:
            name = f"{self.wanted.name}-added-{comparison.digest(*sorted(closed))[:8]}.socket"
            files.remove(socket_units.ended_flag(name))
            runtime_units.write(name, socket_units.added_unit(text, self.socket, name, closed))
            wants = runtime_units.path_of(f"{self.service}.wants")
            os.makedirs(wants, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.symlink(runtime_units.path_of(name), os.path.join(wants, name))
        self._systemctl("daemon-reload")
        self._match_socket_files()

    def _remove_added_unit(self, path: str) -> None:
        name = os.path.basename(path)
        self.runner.run(["systemctl", "stop", name])
        wants = runtime_units.path_of(f"{self.service}.wants")
        files.remove(os.path.join(wants, name))
        files.remove(path)
        with contextlib.suppress(OSError):
            os.rmdir(wants)

    def _match_socket_files(self) -> None:
        """Give unix sockets that stay open the owner and mode that their unit has now."""
        text = files.read(self.wanted.socket.path) or ""
        values = dict(re.findall(r"^(Socket(?:User|Group|Mode))=(.*)$", text, re.MULTILINE))
        for bind in addresses.parse_streams(sorted(socket_units.socket_addresses(text))):
            if bind.path is None or "SocketMode" not in values:
                continue
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(bind.path, os.O_PATH | os.O_NOFOLLOW)
                try:
                    if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                        accounts.own(f"/proc/self/fd/{descriptor}", values["SocketUser"], values["SocketGroup"])
                        os.chmod(f"/proc/self/fd/{descriptor}", int(values["SocketMode"], 8))
                finally:
                    os.close(descriptor)

    def _remove_gone_socket_files(self) -> None:
        """systemd leaves the file of a unix socket that it closed."""
        for bind in addresses.parse_streams(sorted(self.before.addresses)):
            if (
                bind.path is None
                or bind.path in {kept.path for kept in self.wanted.binds}
                or host_sockets.is_open(bind)
            ):
                continue
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(os.lstat(bind.path).st_mode):
                    os.unlink(bind.path)

    def _differences(self) -> list[str]:
        unit = self._read_unit(self.service)
        if not unit.active or not unit.main_pid:
            return ["the service does not stay up"]
        return comparison.mismatches(self.wanted, service_running.read(self.wanted.name, unit.main_pid))

    def _finish(self) -> None:
        """It works: enable it or not, and forget the way back."""
        wanted = self.wanted
        unit = self._read_unit(self.service)
        if unit.enabled != wanted.enabled or self._read_unit(self.socket).enabled != wanted.enabled:
            # To enable what is enabled in part enables it whole.
            self._systemctl("enable" if wanted.enabled else "disable", self.service, self.socket)
        self._remove_gone_socket_files()
        self._remove_adopting_units()
        change_adoption.forget_names([bind.path for bind in wanted.binds if bind.path])
        self._keep_what_was_made_by_hand()
        files.put(wanted.logrotate)
        self._forget_way_back()

    def _keep_what_was_made_by_hand(self) -> None:
        """The way back ends here; what is not the role's stays all the same, where systemd does not read it."""
        for file in (self.wanted.unit, self.wanted.socket, self.wanted.configuration):
            previous = files.read(files.beside(file.path, files.PREVIOUS))
            if previous is not None and not service_names.is_ours(previous):
                self.tell(f"{file.path} was made by hand; it is kept as {atomic_journal.keep_previous(file.path)}.")

    def _go_back(self) -> bool:
        """Put back what was there, and run it if it ran; returns whether what ran runs again."""
        before = self.before
        if not before.service.active:
            self.runner.run(["systemctl", "stop", self.service, *([] if before.socket.active else [self.socket])])
        self._put_back()
        self.runner.run(["systemctl", "daemon-reload"])
        if before.socket.active:
            with contextlib.suppress(Failed):
                self._arrange_sockets()
        elif before.service.active:
            self.runner.run(["systemctl", "stop", self.socket])
        if before.service.active:
            works = self.runner.run(["systemctl", "restart", self.service])[0] == 0
        else:
            self.runner.run(["systemctl", "reset-failed", self.service, self.socket])
            works = True
        atomic_journal.commit(self.journal)
        return works

    # Words

    def _systemctl(self, *arguments: str) -> None:
        code, output, errors = self.runner.run(["systemctl", *arguments])
        if code:
            raise Failed(
                " ".join((errors or output).split("\n")[0].split()) or f"systemctl {' '.join(arguments)} failed"
            )

    def _read_unit(self, name: str) -> Unit:
        return systemd_units.read_units([name], self.runner)[name]

    def _what_was_said(self, unit: str) -> dict[str, str]:
        """What the unit wrote to the log and to the journal since the change began."""
        since = f"--since=@{self.began:.0f}"
        journal = self.runner.output(["journalctl", "--quiet", "--no-pager", "--output=cat", since, f"--unit={unit}"])
        return {f"The end of {self.wanted.log_file}": self._new_in_log(), f"The journal of {unit}": journal}
