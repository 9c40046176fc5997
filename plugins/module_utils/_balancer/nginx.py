# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nginx as a balancer, controlled by the parameter `down` in the file of its upstreams, and a reload.

The free version of nginx has no interface to change an upstream. Source: ngx_http_upstream_module, "Controlling nginx".
"""

from __future__ import annotations

import os
import re
import socket
from typing import Collection, NamedTuple, Sequence, cast

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import (
    DRAINED,
    MAINTENANCE,
    READY,
    BalancerError,
    Server,
    wait_until,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes, sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read, whole
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# At the end of a server's line: this module added `down`, and not an administrator.
MARK = "  # taken out by pyweb.gunicorn"
RELOAD_TIMEOUT = 15.0  # seconds
DEFAULT_PORT = 80
PID_FILE = "/run/nginx.pid"

_UPSTREAM = re.compile(r"\s*upstream\s+(?P<name>[^\s{]+)\s*\{")
_SERVER = re.compile(r"(?P<head>\s*server\s+(?P<name>[^\s;]+)(?P<parameters>[^;#{]*));(?P<tail>.*)\Z")
_MASTER = "nginx: master process"
_WORKER = "nginx: worker process"
_LEAVING = "nginx: worker process is shutting down"


class Line(NamedTuple):
    """A `server` directive: the number of its line, and what it says."""

    number: int
    group: str
    name: str
    parameters: tuple[str, ...]
    marked: bool

    @property
    def state(self) -> str:
        if "down" not in self.parameters:
            return READY
        return DRAINED if self.marked else MAINTENANCE


class Nginx:
    """The nginx of this host, and the file with its upstreams, which has each `server` directive on its own line."""

    name = "nginx"
    knows_health = False

    def __init__(self, config_file: str, runner: Runner, root: str = "/") -> None:
        self._path = os.path.realpath(config_file)
        self._runner = runner
        self._root = root

    def servers(self) -> list[Server]:
        """Every server of the file's upstreams."""
        return [
            Server(
                line.group, line.name, _address(line.name), line.state, line.state == READY, "backup" in line.parameters
            )
            for line in parse(self._text())
        ]

    def set_state(self, servers: Sequence[Server], state: str) -> None:
        """Write the file, check it, and reload nginx. If that fails, the file is put back.

        nginx is reloaded even if the file is as wanted: the run that wrote it may have been killed before the reload.
        """
        if not servers:
            return
        before = self._text()
        after = with_state(before, {(server.group, server.name) for server in servers}, state)
        workers = self._workers()
        self._write(after)
        try:
            self._command("nginx", "-t")
            self._command("nginx", "-s", "reload")
            # If nginx can't reload, it says so only in its log, and keeps its old workers.
            if not wait_until(lambda: not workers & self._workers(), RELOAD_TIMEOUT):
                raise BalancerError(f"nginx did not reload within {RELOAD_TIMEOUT:g} s: see its error log")
        except BalancerError as error:
            self._write(before)
            raise BalancerError(f"{error}. {self._path} is as it was.") from None

    def connections(self, servers: Sequence[Server]) -> int:
        """The connections of all workers, including old workers that finish their requests after a reload."""
        ends = {bind.gunicorn_bind for server in servers for bind in addresses(server.name)}
        return sum(end in ends for pid in self._titles() for end in sockets.read_connected(pid, self._root))

    def _text(self) -> str:
        text = files.read(self._path)
        if text is None:
            raise InvalidValue("config_file", self._path, "a file of nginx with upstreams")
        return text

    def _write(self, text: str) -> None:
        status = os.stat(self._path)
        mode = status.st_mode & 0o7777
        files.put(WantedFile(self._path, text, mode, status.st_gid, status.st_uid))

    def _command(self, *command: str) -> None:
        code, _out, error = self._runner.run(list(command))
        if code != 0:
            raise BalancerError(f"'{' '.join(command)}' says: {error.strip()}")

    def _workers(self) -> set[int]:
        """The workers that take new connections."""
        return {pid for pid, title in self._titles().items() if not title.startswith(_LEAVING)}

    def _titles(self) -> dict[int, str]:
        """The titles of its workers by their process ids."""
        master = whole(read(join(self._root, PID_FILE)).strip())
        titles = {pid: " ".join(words) for pid, words in processes.read_command_lines(self._root)}
        if not titles.get(master or 0, "").startswith(_MASTER):
            raise BalancerError(f"nginx does not run: {PID_FILE} names no process of it")
        workers = {pid: title for pid, title in titles.items() if title.startswith(_WORKER)}
        stats = {pid: processes.read_stat(pid, self._root) for pid in workers}
        return {pid: workers[pid] for pid, stat in stats.items() if stat is not None and stat.parent == master}


def parse(text: str) -> list[Line]:
    """Find the servers of all upstreams. Outside of an upstream, `server` is another directive."""
    found = []
    upstream = None
    for number, line in enumerate(text.splitlines()):
        if opened := _UPSTREAM.match(line):
            upstream = opened["name"]
        elif line.strip().startswith("}"):
            upstream = None
        elif upstream is not None and (server := _SERVER.match(line)):
            parameters = tuple(server["parameters"].split())
            found.append(Line(number, upstream, server["name"], parameters, server["tail"].endswith(MARK)))
    return found


def with_state(text: str, servers: Collection[tuple[str, str]], state: str) -> str:
    """Return the text with these servers READY or DRAINED; a server that an administrator took out stays out."""
    lines = text.splitlines(keepends=True)
    for line in parse(text):
        if (line.group, line.name) in servers and line.state != MAINTENANCE and line.state != state:
            change = _drained if state == DRAINED else _ready
            lines[line.number] = change(lines[line.number])
    return "".join(lines)


def _drained(line: str) -> str:
    body = line.rstrip("\r\n")
    found = cast("re.Match[str]", _SERVER.match(body))
    return f"{found['head']} down;{found['tail']}{MARK}{line[len(body) :]}"


def _ready(line: str) -> str:
    body = line.rstrip("\r\n")
    head, _down, tail = body[: -len(MARK)].partition(" down;")
    return f"{head};{tail}{line[len(body) :]}"


def addresses(name: str) -> list[Address]:
    """The addresses of a server as nginx names it: HOST, HOST:PORT or [IPV6]:PORT."""
    host, port = name, str(DEFAULT_PORT)
    if not name.endswith("]") and ":" in name:
        host, _colon, port = name.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise InvalidValue("server", name, f"a host and a port that this balancer can reach ({error})") from None
    return [Address(host=str(address[0]), port=int(address[1])) for *_kind, address in found]


def _address(name: str) -> Address | None:
    """The first of them, or None: a server may be a unix socket, or a name that can't be resolved now."""
    try:
        return addresses(name)[0]
    except InvalidValue:
        return None
