# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listening sockets of a service, which systemd holds while the service is replaced."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import stat

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import sockets as host_sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, socket_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


class Sockets:
    """The socket unit of one service, and units beside it for addresses that were added since it started."""

    def __init__(self, wanted: SystemdSpec, systemctl: Systemctl) -> None:
        self.unit = f"{wanted.name}.socket"
        self._wanted = wanted
        self._wants = f"{wanted.name}.service.wants"
        self._systemctl = systemctl

    def arrange(self) -> None:
        """Have systemd read the units, and open new addresses at the service's next start; others stay open.

        A socket unit that is active opens no further address. At a daemon-reload it keeps the sockets of the addresses
        that it still has, and closes the others. A unit for the new addresses can start only while the service does
        not run: in the middle of its restart, which wants that unit. Raises Failed.
        """
        text = self._text()
        lost = {bind.listen_stream for bind in _binds_of(text) if host_sockets.lost_its_file(bind)}
        wanted = socket_units.socket_addresses(text) - lost
        gone = []
        for path in runtime_units.added_sockets(self._wanted.name):
            added = files.read(path) or ""
            kept = socket_units.socket_addresses(added) & wanted
            if kept:
                runtime_units.write(os.path.basename(path), socket_units.with_addresses(added, kept))
            else:
                self._remove_added_unit(path)
                gone.append(os.path.basename(path))
        if lost:
            self._close(text, wanted)
        closed = {bind.listen_stream for bind in _binds_of(text) if not host_sockets.is_open(bind)}
        if closed and self._systemctl.read(self.unit).active:
            self._add_unit(text, closed)
        self._systemctl.do("daemon-reload")
        for name in gone:
            # Only now: until systemd has forgotten the unit, the file keeps it from starting again.
            files.remove(socket_units.ended_flag(name))
        self.match_files()

    def _close(self, text: str, kept: frozenset[str]) -> None:
        """Have systemd close all but some addresses of the unit, whose file has them all again in the end."""
        if not kept:
            # Without an address, the unit would be none. The service stops with it, and nobody could connect to it.
            self._systemctl.do("stop", self.unit)
            return
        files.put(self._wanted.socket._replace(content=socket_units.with_addresses(text, kept)))
        self._systemctl.do("daemon-reload")
        files.put(self._wanted.socket._replace(content=text))

    def _add_unit(self, text: str, closed: set[str]) -> None:
        """Write a unit for addresses, which the service wants."""
        name = f"{self._wanted.name}-added-{comparison.digest(*sorted(closed))[:8]}.socket"
        files.remove(socket_units.ended_flag(name))
        runtime_units.write(name, socket_units.added_unit(text, self.unit, name, closed))
        wants = runtime_units.path_of(self._wants)
        os.makedirs(wants, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(runtime_units.path_of(name), os.path.join(wants, name))

    def _remove_added_unit(self, path: str) -> None:
        name = os.path.basename(path)
        self._systemctl.attempt("stop", name)
        wants = runtime_units.path_of(self._wants)
        files.remove(os.path.join(wants, name))
        files.remove(path)
        with contextlib.suppress(OSError):
            os.rmdir(wants)

    def match_files(self) -> None:
        """Give unix sockets that stay open the owner and mode that their unit has now."""
        text = self._text()
        values = dict(re.findall(r"^(Socket(?:User|Group|Mode))=(.*)$", text, re.MULTILINE))
        for bind in _binds_of(text):
            if bind.path is not None and "SocketMode" in values:
                with contextlib.suppress(FileNotFoundError):
                    _own_socket(bind.path, values["SocketUser"], values["SocketGroup"], int(values["SocketMode"], 8))

    def remove_gone_files(self, before: tuple[str, ...]) -> None:
        """Remove the files of unix sockets that were closed, which systemd leaves; `before` are the addresses then."""
        kept = {bind.path for bind in self._wanted.binds}
        for bind in addresses.parse_streams(sorted(before)):
            if bind.path is None or bind.path in kept or host_sockets.is_open(bind):
                continue
            directories.remove_socket(bind.path)

    def _text(self) -> str:
        return files.read(self._wanted.socket.path) or ""


def _binds_of(text: str) -> list[Address]:
    return addresses.parse_streams(sorted(socket_units.socket_addresses(text)))


def _own_socket(path: str, user: str, group: str, mode: int) -> None:
    """Give a unix socket an owner and a mode, without following a link, and nothing else that is at the path."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            os.chown(f"/proc/self/fd/{descriptor}", pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
            os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)
