# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of supervisor's XML-RPC interface on its unix socket.

supervisorctl does the same, but takes a quarter of a second of CPU for each call.
Source: supervisor's manual, "XML-RPC API Documentation".
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
import urllib.parse
import xmlrpc.client
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import Access, SupervisorError

# Error codes, see supervisor.xmlrpc.Faults
_BAD_NAME, _ALREADY_STARTED, _NOT_RUNNING = 10, 60, 70
_PAUSE = 0.1  # seconds between two looks


class ProgramProcess(NamedTuple):
    """A program as supervisor knows it; without a state, it knows none of that name."""

    state: str = ""  # RUNNING, STARTING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL
    pid: int = 0
    description: str = ""

    @property
    def is_up(self) -> bool:
        """Whether it has a process that was not told to stop."""
        return self.state in ("RUNNING", "STARTING") and self.pid > 0


class Supervisor:
    """The supervisor that may run on this host."""

    def __init__(self, access: Access) -> None:
        self.access = access
        credentials = ":".join(
            urllib.parse.quote(part, safe="", errors="surrogateescape") for part in (access.user, access.password)
        )
        place = f"{credentials}@localhost" if access.user else "localhost"
        self._server = xmlrpc.client.ServerProxy(f"http://{place}", transport=_Transport(access.socket))

    def runs(self) -> bool:
        """Whether it answers."""
        try:
            self._ask("getState")
        except SupervisorError:
            return False
        return True

    def process(self, name: str) -> ProgramProcess:
        """What it knows of a program."""
        try:
            told = self._ask("getProcessInfo", name)
        except _UnknownName:
            return ProgramProcess()
        return _process(told)

    def group(self, name: str) -> dict[str, ProgramProcess]:
        """What it knows of the processes of a program that has several, by their names."""
        return {told["name"]: _process(told) for told in self._ask("getAllProcessInfo") if told["group"] == name}

    def load(self, name: str) -> bool:
        """Have it read a program's file; returns whether that was new or changed. A program that changed is stopped."""
        ((added, changed, removed),) = self._ask("reloadConfig")
        if name in changed or name in removed:
            self._ask("stopProcessGroup", name)
            self._ask("removeProcessGroup", name)
        if name in added or name in changed:
            self._ask("addProcessGroup", name)
        return name in [*added, *changed]

    def start(self, name: str) -> None:
        """Start a program that was not started yet."""
        self._ask("startProcess", name, False, unless=_ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Stop a program, and wait until it has finished its requests."""
        self._ask("stopProcess", name, True, unless=_NOT_RUNNING)

    def start_group(self, name: str) -> None:
        """Start all processes of a program that were not started yet."""
        self._ask("startProcessGroup", name, False)

    def stop_group(self, name: str, wait: bool = True) -> None:
        """Ask all processes of a program to end, if it knows it, and wait until they have."""
        with contextlib.suppress(_UnknownName):
            self._ask("stopProcessGroup", name, False)
        # Asked to wait, it would not for those that were asked to end before.
        while wait and any(process.state == "STOPPING" for process in self.group(name).values()):
            time.sleep(_PAUSE)

    def signal(self, name: str, number: str) -> None:
        """Send a signal to a program's process."""
        self._ask("signalProcess", name, number)

    def remove(self, name: str) -> None:
        """Stop a program, wait until it has finished its requests, and forget it."""
        with contextlib.suppress(_UnknownName):
            self._ask("stopProcessGroup", name)
            self._ask("removeProcessGroup", name)

    def reread(self) -> None:
        """Have it read its files again, and keep its programs as they are."""
        self._ask("reloadConfig")

    def _ask(self, what: str, *arguments: object, unless: int | None = None):  # noqa: ANN202
        try:
            return getattr(self._server.supervisor, what)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == unless:
                return None
            kind = _UnknownName if fault.faultCode == _BAD_NAME else SupervisorError
            raise kind(f"supervisor says {' '.join(str(fault.faultString).split())}") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorError(f"supervisor does not answer on {self.access.socket}: {error}") from None


def this_supervisor() -> Supervisor:
    """The supervisor of this host, whether it runs or not."""
    return Supervisor(configuration.read_access())


def _process(told: dict) -> ProgramProcess:
    return ProgramProcess(told["statename"], told["pid"], told["spawnerr"] or told["description"])


class _UnknownName(SupervisorError):
    pass


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: str) -> http.client.HTTPConnection:
        # `host` has the user and the password in it.
        _host, self._extra_headers, _x509 = self.get_host_info(host)
        return _Connection(self._path)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)
