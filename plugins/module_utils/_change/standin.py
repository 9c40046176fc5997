# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in: a service with the new configuration on the sockets of the live one, while that one is replaced.

Its start ends once all workers are ready: the unit's ExecStartPost= waits for them (project.service.j2 of the role). A
worker says so only after the application has answered its first request (post_worker_init in gunicorn_hooks.py).
"""

from __future__ import annotations

import os
import shutil

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.adoption import SharedAddresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.sockets import Sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import drop_ins, runtime_units, socket_units


class Standin:
    """The stand-in of one service. Its units are in /run, so that none comes back at a boot."""

    def __init__(self, wanted: SystemdSpec, before: SystemdState, sockets: Sockets, systemctl: Systemctl) -> None:
        self.unit = f"{wanted.name}-standin.service"
        self._own_socket = f"{wanted.name}-standin.socket"
        self._wanted = wanted
        self._before = before
        self._sockets = sockets
        self._systemctl = systemctl

    def start(self, shared: SharedAddresses | None) -> None:
        """Start it on the addresses of the live service, or on an address of its own if it can't have those.

        `shared` are the addresses that a service made by hand shares with systemd. Raises Failed.
        """
        if self._before.standin.exists:
            self.stop()
        runtime_units.write(self.unit, self._wanted.standin_unit)
        drop_ins.copy(f"{self._wanted.name}.service", self.unit)
        socket = self._write_socket(shared)
        if socket != self._own_socket:
            self._name_sockets(socket)
        # systemd reads a unit that is new to it when it starts the unit, without a reload of all others.
        if shared or self._before.standin.exists:
            self._systemctl.do("daemon-reload")
        if not self._before.socket.active:
            self._systemctl.do("start", socket)
        self._systemctl.start("start", self.unit)

    def _write_socket(self, shared: SharedAddresses | None) -> str:
        """Write the unit that opens the stand-in's sockets, if there is none yet; return its name."""
        if shared:
            text = self._wanted.socket.content or ""
            text = socket_units.beside_unit(text, self.unit, shared.moved, shared.ipv6_only)
            runtime_units.write(self._sockets.unit, text)
        elif not self._before.socket.active:
            address = f"/run/gunicorn-{self._wanted.name}-standin.sock"
            text = f"[Socket]\nListenStream={address}\nSocketMode=0600\nRemoveOnStop=yes\n"
            runtime_units.write(self._own_socket, text)
            return self._own_socket
        return self._sockets.unit

    def _name_sockets(self, socket: str) -> None:
        """Name the sockets that the live service has."""
        added_sockets = map(os.path.basename, runtime_units.added_sockets(self._wanted.name))
        names = " ".join([socket, *added_sockets])
        runtime_units.write(f"{self.unit}.d/gunicorn-sockets.conf", f"[Service]\nSockets={names}\n")

    def stop(self) -> None:
        """Let the stand-in finish its requests, and leave nothing of it."""
        present = [unit for unit in (self.unit, self._own_socket) if os.path.lexists(runtime_units.path_of(unit))]
        if not present:
            return
        self._systemctl.attempt("stop", *present)
        self._systemctl.attempt("reset-failed", *present)
        for unit in present:
            files.remove(runtime_units.path_of(unit))
        shutil.rmtree(runtime_units.path_of(f"{self.unit}.d"), ignore_errors=True)
        # systemd forgets units that have ended, if nothing else names them.
        if any(unit.exists for unit in self._systemctl.read_all(*present)):
            self._systemctl.attempt("daemon-reload")
