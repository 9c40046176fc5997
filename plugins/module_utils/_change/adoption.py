# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that was made by hand: the role's unit takes its place without closing its addresses."""

from __future__ import annotations

import contextlib
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import shared_addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.shared_addresses import NotShared, SharedAddresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, units


def was_interrupted(state: SystemdState) -> bool:
    """Whether a run was killed while systemd had opened the addresses of a service made by hand, too."""
    return state.running is not None and state.socket.path.startswith(f"{units.RUNTIME_DIRECTORY}/")


class Adoption:
    """The addresses of one service while they are its own and systemd's. Does nothing if systemd has them already."""

    def __init__(self, wanted: SystemdSpec, before: SystemdState, systemctl: Systemctl) -> None:
        self._wanted = wanted
        self._before = before
        self._systemctl = systemctl
        self._service = f"{wanted.name}.service"
        self._socket = f"{wanted.name}.socket"
        self._drop_in = f"{self._service}.d/gunicorn-adoption.conf"
        self.shared: SharedAddresses | None = None
        self.refusal = ""  # why the addresses can't be shared

    def begin(self) -> None:
        """Make room for systemd on the addresses of a service that has opened them itself, if the kernel lets us."""
        running = self._before.running
        if running is None or running.holds_sockets or self._before.socket.active:
            return
        try:
            shared = SharedAddresses(self._service, running.pid, self._wanted.binds)
            shared.share()
            self.shared = shared
        except NotShared as reason:
            self.refusal = str(reason)

    def resume(self) -> None:
        """Take hold of the addresses that an interrupted run has begun to share."""
        with contextlib.suppress(NotShared):
            self.shared = SharedAddresses(self._service, self._before.service.main_pid, self._wanted.binds)

    def spare_socket_files(self) -> None:
        """Keep Gunicorn from removing the files of its sockets when it ends: they are systemd's by now.

        Without its master it can't. The workers then end on their own, each after the request that it is at.
        """
        if self.shared and self.shared.paths:
            text = "ExecStop=\nExecStop=-+/bin/kill -KILL $MAINPID\nKillMode=control-group\n"
            runtime_units.write(self._drop_in, f"[Service]\n{text}")

    def end(self) -> None:
        """Forget the service that was made by hand: it has ended."""
        if self.shared:
            self.shared.close()
            self.shared = None
        self.remove_units()

    def take_back(self, standin: str) -> None:
        """Have new connections go to the service again, and let the stand-in accept those that wait for it."""
        if self.shared:
            self.shared.take_back(self._systemctl.read(standin).main_pid)

    def undo(self) -> None:
        """Leave the service alone on its addresses, once the stand-in has ended."""
        if os.path.lexists(runtime_units.path_of(self._socket)):
            self._systemctl.attempt("stop", self._socket)
            self._systemctl.attempt("reset-failed", self._socket)
            self.remove_units()
            self._systemctl.attempt("daemon-reload")
        if self.shared:
            self.shared.unshare()
            self.shared = None

    def remove_units(self) -> None:
        """Remove the units in /run that an adoption needs."""
        files.remove(runtime_units.path_of(self._socket))
        drop_in = runtime_units.path_of(self._drop_in)
        if os.path.lexists(drop_in):
            files.remove(drop_in)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(drop_in))
            self._systemctl.attempt("daemon-reload")

    def forget_names(self) -> None:
        """Remove the names that unix sockets had meanwhile."""
        shared_addresses.forget_names([bind.path for bind in self._wanted.binds if bind.path])
