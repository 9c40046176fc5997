# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""supervisor: the files that it reads, and what it can be asked and told.

It is spoken to on its socket as supervisorctl does it, which takes a quarter of a second of CPU each time it is called.
Source: supervisor's manual, "Configuration File", "Subprocesses" and "XML-RPC API Documentation".
"""

from __future__ import annotations

import configparser
import contextlib
import glob
import http.client
import os
import re
import shlex
import socket
import urllib.parse
import xmlrpc.client
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._quoting import checked

MANAGED = "Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run."
PROGRAM = "/usr/bin/supervisord"
CONFIGURATION = "/etc/supervisor/supervisord.conf"
PROGRAMS = "/etc/supervisor/conf.d"
LOGS = "/var/log/supervisor"
_SOCKET = "/var/run/supervisor.sock"
# Codes of errors, see supervisor.xmlrpc.Faults
_BAD_NAME, _ALREADY_STARTED, _NOT_RUNNING = 10, 60, 70
# The parser takes what follows a blank and one of these for a comment, and a blank at the end away.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CUT = re.compile(r"(^|\s)[;#]|^\s|\s\Z|[\x00-\x1f\x7f]")
# supervisorctl would stop and start every program of the host.
_EVERYTHING = "all"


class SupervisorError(Exception):
    """supervisor does not do what it was told; the message is its own."""


class Process(NamedTuple):
    """A program as supervisor has it; without a state it has none of that name."""

    state: str = ""  # RUNNING, STARTING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL
    pid: int = 0
    description: str = ""

    @property
    def is_up(self) -> bool:
        """Whether there is a process that was not told to stop."""
        return self.state in ("RUNNING", "STARTING") and self.pid > 0


class Access(NamedTuple):
    """Where supervisor takes commands, and the password that it wants, if any."""

    socket: str
    user: str = ""
    password: str = ""


def parse_access(text: str) -> Access:
    """Read supervisord.conf for what supervisorctl needs to know."""
    section = _section(text, "unix_http_server")
    values = (section.get(name, "") for name in ("file", "username", "password"))
    path, user, password = (value.replace("%(here)s", os.path.dirname(CONFIGURATION)) for value in values)
    return Access(path or _SOCKET, user.replace("%%", "%"), password.replace("%%", "%"))


def parse_includes(text: str) -> list[str]:
    """Read supervisord.conf for the patterns of the files that it includes."""
    folder = os.path.dirname(CONFIGURATION)
    patterns = _section(text, "include").get("files", "").replace("%(here)s", folder).split()
    return [os.path.join(folder, pattern) for pattern in patterns]


def _section(text: str, name: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise SupervisorError(f"{CONFIGURATION} can't be read: {' '.join(str(error).split())}") from None
    return parser[name] if parser.has_section(name) else {}


def program_text(name: str, description: str, options: dict[str, str]) -> str:
    """The text of a file that has one program; raises ValueError for what supervisor would read otherwise."""
    check_name(name)
    lines = [f"{option}={_quoted(option, value)}" for option, value in options.items()]
    title = " ".join(_CONTROL.sub(" ", checked(description)).split())
    return "\n".join([f"; {MANAGED}", f"; {title}", f"[program:{name}]", *lines, ""])


def command_line(arguments: list[str]) -> str:
    """The arguments as an option `command` takes them."""
    return " ".join(shlex.quote(argument) for argument in arguments)


def check_name(name: str) -> str:
    """Return the name, or raise ValueError if a program can't have it."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name == _EVERYTHING:
        raise ValueError(f"{name!r} is not a name that supervisor takes for a program")
    return name


def _quoted(option: str, value: str) -> str:
    if _CUT.search(checked(value)):
        raise ValueError(f"{option}: {value!r} has what supervisor takes for a comment, or for the end of the value")
    return value.replace("%", "%%")


def find_program(name: str, folder: str) -> list[str]:
    """The files below conf.d that have a program of that name."""
    return [path for path in sorted(glob.glob(os.path.join(folder, "*.conf"))) if has_program(name, _read(path))]


def has_program(name: str, text: str) -> bool:
    """Whether the text of a file has a program of that name."""
    return re.search(rf"^\[(?:fcgi-)?program:{re.escape(name)}\]", text, re.MULTILINE) is not None


def read_files() -> dict[str, str]:
    """All files of this host that supervisor reads, those of conf.d in any case: their paths and texts."""
    text = _read(CONFIGURATION)
    patterns = {os.path.join(PROGRAMS, "*.conf")}
    with contextlib.suppress(SupervisorError):
        patterns.update(parse_includes(text))
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern) if os.path.isfile(path)})
    return {CONFIGURATION: text, **{path: _read(path) for path in paths}}


def _read(path: str) -> str:
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""


class Supervisor:
    """The supervisor that runs on this host, if one does."""

    def __init__(self, access: Access) -> None:
        self.access = access
        credentials = ":".join(urllib.parse.quote(part, safe="") for part in (access.user, access.password))
        place = f"{credentials}@localhost" if access.user else "localhost"
        self._server = xmlrpc.client.ServerProxy(f"http://{place}", transport=_Transport(access.socket))

    def runs(self) -> bool:
        """Whether it answers."""
        try:
            self._ask("getState")
        except SupervisorError:
            return False
        return True

    def process(self, name: str) -> Process:
        """What it has of a program."""
        try:
            told = self._ask("getProcessInfo", name)
        except _UnknownName:
            return Process()
        return Process(told["statename"], told["pid"], told["spawnerr"] or told["description"])

    def load(self, name: str) -> bool:
        """Have it read the file of a program, which ends the one that it had; returns whether that file was new."""
        ((added, changed, removed),) = self._ask("reloadConfig")
        if name in changed or name in removed:
            self._ask("stopProcessGroup", name)
            self._ask("removeProcessGroup", name)
        if name in added or name in changed:
            self._ask("addProcessGroup", name)
        return name in [*added, *changed]

    def start(self, name: str) -> None:
        """Start a program, unless it was started."""
        self._ask("startProcess", name, False, unless=_ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Stop a program, and wait until it has finished its requests."""
        self._ask("stopProcess", name, True, unless=_NOT_RUNNING)

    def remove(self, name: str) -> None:
        """Stop a program, wait until it has finished its requests, and forget it."""
        with contextlib.suppress(_UnknownName):
            self._ask("stopProcessGroup", name)
            self._ask("removeProcessGroup", name)

    def reread(self) -> None:
        """Have it read its files, and go on with the programs that it has."""
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
    return Supervisor(parse_access(_read(CONFIGURATION)))


class _UnknownName(SupervisorError):
    pass


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: str) -> http.client.HTTPConnection:
        # It takes user and password out of what is called a host here.
        _host, self._extra_headers, _x509 = self.get_host_info(host)
        return _Connection(self._path)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)
