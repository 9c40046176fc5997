#!/usr/bin/env python3
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send requests to web servers at a constant rate, and count those that are lost.

The requests are sent at fixed instants, whether the earlier ones were answered or not. The time of each lasts from its
instant to the last byte of the answer, so that a stall of the server shows. The targets get them in turn. A phase is a
span of time with its own results; a request belongs to the phase of its instant.

With --concurrency there is no rate: so many requests are under way at any time, and each is followed by the next. This
shows how much a server can do, and hides its stalls.

    load.py run --control /run/load.sock --output load.json v4=127.0.0.1:8000 unix=unix:/run/shop.sock,keepalive=4
    load.py tell /run/load.sock phase "workers changed"     prints the results of the phase before
    load.py tell /run/load.sock stop                        prints all results

It also stops at SIGTERM, and after --seconds. Needs Python 3.11, and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import re
import resource
import signal
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("refused", "reset", "closed", "timeout", "status", "other")
TIMEOUT = 10.0
DETAILS = 5
FIRST_PHASE = "start"
# Otherwise a server that refuses would get requests as fast as it can refuse them.
PAUSE_AFTER_FAILURE = 0.05
CHUNK_SIZE = re.compile(rb"\A([0-9A-Fa-f]+)[^\r\n]*\r\n")


class LoadError(Exception):
    """A message for the person who called the program."""


class Failure(Exception):
    """A lost request: the kind, one of KINDS, and a detail."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


# Targets


@dataclass(frozen=True)
class Target:
    """An address that gets requests. With `keepalive`, so many connections stay open and are used in turn."""

    name: str
    family: socket.AddressFamily
    address: str | tuple[str, int]
    keepalive: int = 0
    host: str = "localhost"
    path: str = "/"
    # What a web server in front would say of the client's connection
    scheme: str = ""

    def request(self) -> bytes:
        """Return the bytes of a request."""
        connection = "keep-alive" if self.keepalive else "close"
        forwarded = f"X-Forwarded-Proto: {self.scheme}\r\n" if self.scheme else ""
        head = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: {connection}\r\n{forwarded}\r\n"
        return head.encode()


def parse_target(text: str) -> Target:
    """Read `NAME=ADDRESS[,keepalive=COUNT][,host=HOST][,path=PATH][,scheme=SCHEME]`."""
    name, equals, rest = text.partition("=")
    address, *options = rest.split(",")
    if not (name and equals):
        raise LoadError(f"'{text}': expected NAME=ADDRESS")
    values: dict[str, str | int] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in ("keepalive", "host", "path", "scheme") or not value:
            expected = "keepalive=COUNT, host=HOST, path=PATH or scheme=SCHEME"
            raise LoadError(f"'{text}': expected {expected} instead of '{option}'")
        values[key] = whole_number(value, text) if key == "keepalive" else value
    return Target(name, *parse_address(address), **values)


def parse_address(text: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    """Read `127.0.0.1:8000`, `[::1]:8000` or `unix:/run/shop.sock`."""
    if text.startswith("unix:"):
        return socket.AF_UNIX, text.removeprefix("unix:")
    host, colon, port = text.rpartition(":")
    if not (host and colon):
        raise LoadError(f"'{text}': expected IPV4:PORT, [IPV6]:PORT or unix:PATH")
    if host.startswith("["):
        return socket.AF_INET6, (host.strip("[]"), whole_number(port, text))
    return socket.AF_INET, (host, whole_number(port, text))


def whole_number(text: str, where: str) -> int:
    if not text.isdecimal():
        raise LoadError(f"'{where}': '{text}' is not a number")
    return int(text)


# Answers


class Answer:
    """An HTTP answer that arrives in pieces."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self.reusable = False
        self._data = bytearray()
        # Reads the next part, and returns whether the one after it can be read as well.
        self._read: Callable[[], bool] = self._read_head
        self._left = 0

    def feed(self, data: bytes) -> None:
        """Take a piece of the answer; no bytes mean the connection's end."""
        if not data:
            self._end()
            return
        self._data += data
        while not self.complete and self._read():
            pass

    def _end(self) -> None:
        if self._read != self._read_to_the_end:
            raise Failure("closed", f"after {self.status or 'no'} status, with {len(self._data)} bytes unread")
        self.complete = True

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        del self._data[: end + 4]
        version, _, status = first.partition(" ")
        if not (version.startswith("HTTP/1.") and status[:3].isdecimal()):
            raise Failure("other", f"not an HTTP answer: {first[:80]!r}")
        self.status = int(status[:3])
        self.headers = headers = {
            name.strip().lower(): value.strip().lower() for name, _, value in (x.partition(":") for x in lines)
        }
        self.reusable = version == "HTTP/1.1" and headers.get("connection") != "close"
        if headers.get("transfer-encoding") == "chunked":
            self._read = self._read_chunk_size
        elif "content-length" in headers:
            self._left = whole_length(headers["content-length"])
            self._read = self._read_body
        elif self.status == 204 or self.status == 304:
            self.complete = True
        else:
            self.reusable = False
            self._read = self._read_to_the_end
        return True

    def _read_body(self) -> bool:
        self._skip()
        self.complete = self._left == 0
        return False

    def _read_to_the_end(self) -> bool:
        self._data.clear()
        return False

    def _read_chunk_size(self) -> bool:
        found = CHUNK_SIZE.match(self._data)
        if not found:
            if b"\r\n" in self._data:
                raise Failure("other", f"not the size of a chunk: {bytes(self._data[:20])!r}")
            return False
        size = int(found[1], 16)
        del self._data[: found.end()]
        # A chunk ends with a newline. The last chunk is empty, and ends with the trailers and an empty line.
        self._left = size + 2
        self._read = self._read_chunk if size else self._read_trailers
        return True

    def _read_chunk(self) -> bool:
        self._skip()
        if self._left:
            return False
        self._read = self._read_chunk_size
        return True

    def _read_trailers(self) -> bool:
        line, newline, _ = self._data.partition(b"\r\n")
        if not newline:
            return False
        del self._data[: len(line) + 2]
        self.complete = not line
        return True

    def _skip(self) -> None:
        """Drop the bytes of the body that have arrived."""
        here = min(self._left, len(self._data))
        del self._data[:here]
        self._left -= here


def whole_length(text: str) -> int:
    if not text.isdecimal():
        raise Failure("other", f"not a length: {text[:80]!r}")
    return int(text)


# Connections


class Client:
    """Sends requests to one target, and keeps its connections."""

    def __init__(self, target: Target, timeout: float) -> None:
        self.target = target
        self.opened = 0
        self.reopened = 0
        self._timeout = timeout
        self._request = target.request()
        self._idle: collections.deque[socket.socket] = collections.deque()
        self._open = 0

    async def ask(self) -> Answer:
        """Send a request and return the whole answer; raise Failure if it is lost."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ask()
        except TimeoutError as error:
            raise Failure("timeout", f"no whole answer within {self._timeout:g} s") from error
        except ConnectionRefusedError as error:
            raise Failure("refused", str(error)) from error
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Failure("reset", str(error)) from error
        except OSError as error:
            raise Failure("other", f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the connections that are kept open."""
        while self._idle:
            self._idle.pop().close()

    async def _ask(self) -> Answer:
        connection = self._reuse()
        if connection is None:
            connection = await self._connect()
            self.opened += 1
        self._open += 1
        keep = False
        try:
            answer = await self._exchange(connection)
            keep = answer.reusable and len(self._idle) + self._open <= self.target.keepalive
        finally:
            self._open -= 1
            if keep:
                self._idle.append(connection)
            else:
                connection.close()
        if not 200 <= answer.status < 300:
            raise Failure("status", f"status {answer.status}")
        return answer

    async def _exchange(self, connection: socket.socket) -> Answer:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, self._request)
        answer = Answer()
        while not answer.complete:
            answer.feed(await loop.sock_recv(connection, 65536))
        return answer

    def _reuse(self) -> socket.socket | None:
        """Return the connection that was idle longest; None as long as there are fewer than wanted."""
        while len(self._idle) + self._open >= self.target.keepalive and self._idle:
            connection = self._idle.popleft()
            if is_open(connection):
                return connection
            # Every client does so: nothing was written, so nothing can be lost.
            connection.close()
            self.reopened += 1
        return None

    async def _connect(self) -> socket.socket:
        target = self.target
        connection = socket.socket(target.family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            if target.family == socket.AF_UNIX:
                connect_unix(connection, str(target.address))
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await asyncio.get_running_loop().sock_connect(connection, target.address)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_unix(connection: socket.socket, path: str) -> None:
    """Connect at once, or raise ConnectionRefusedError: asyncio would take a full queue for a connection."""
    try:
        connection.connect(path)
    except FileNotFoundError as error:
        raise ConnectionRefusedError(f"there is no {path}") from error
    except BlockingIOError as error:
        raise ConnectionRefusedError(f"the queue of {path} is full") from error


def is_open(connection: socket.socket) -> bool:
    """Return whether the server has left an idle connection open."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    # Either its end, or bytes that nobody requested
    return False


# Results


@dataclass
class Tally:
    """The results of the requests to one target in one phase."""

    target: str
    requests: int = 0
    failures: collections.Counter[str] = field(default_factory=collections.Counter)
    details: list[dict] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    values: collections.Counter[str] = field(default_factory=collections.Counter)

    def as_dict(self) -> dict:
        return {"target": self.target, **summary([self])}


@dataclass
class Phase:
    """A span of time with its own results."""

    name: str
    begun: float
    tallies: list[Tally]
    lag: float = 0.0
    ended: float = 0.0
    pending: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self, now: float) -> None:
        """End the phase. It is done when its last request has ended."""
        self.ended = now
        self._check()

    def settle(self) -> None:
        """Count a request of the phase as ended."""
        self.pending -= 1
        self._check()

    def as_dict(self) -> dict:
        return {
            "name": self.name,
            "seconds": round(self.ended - self.begun, 3),
            "lag": round(self.lag, 4),
            **summary(self.tallies),
            "targets": [tally.as_dict() for tally in self.tallies],
        }

    def _check(self) -> None:
        if self.ended and not self.pending:
            self.done.set()


def summary(tallies: Iterable[Tally]) -> dict:
    """Add up requests, failures by kind, and the times of the answers, in seconds."""
    tallies = list(tallies)
    seconds = sorted(second for tally in tallies for second in tally.seconds)
    failures = sum((tally.failures for tally in tallies), collections.Counter())
    return {
        "requests": sum(tally.requests for tally in tallies),
        "failed": failures.total(),
        "failures": {kind: failures[kind] for kind in KINDS},
        "details": [detail for tally in tallies for detail in tally.details][:DETAILS],
        "values": dict(sum((tally.values for tally in tallies), collections.Counter())),
        "latency": latency(seconds),
    }


def latency(seconds: list[float]) -> dict | None:
    """Return median, 99th percentile and maximum of sorted times."""
    if not seconds:
        return None
    ninety_nine = seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
    values = {"median": statistics.median(seconds), "p99": ninety_nine, "max": seconds[-1]}
    return {name: round(value, 4) for name, value in values.items()}


# The run


class Load:
    """A constant rate of requests to targets, in phases."""

    def __init__(
        self, targets: list[Target], rate: float | None, timeout: float = TIMEOUT, header: str | None = None
    ) -> None:
        self.rate = rate
        self._header = header
        self._clients = [Client(target, timeout) for target in targets]
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task] = set()
        self.phases = [self._phase(FIRST_PHASE)]

    def begin(self, name: str) -> Phase:
        """Begin a phase, and return the previous one, which ends."""
        ended = self.phases[-1]
        self.phases.append(self._phase(name))
        ended.close(self.phases[-1].begun)
        return ended

    def stop(self) -> None:
        """Send no more requests."""
        if not self._stopped.is_set():
            self._stopped.set()
            self.phases[-1].close(asyncio.get_running_loop().time())

    async def run(self, seconds: float | None = None, requests: int | None = None) -> None:
        """Send requests until stopped, and wait for the last answer."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        number = 0
        while not self._stopped.is_set() and number != requests:
            if seconds is not None and number / self.rate >= seconds:
                break
            instant = start + number / self.rate
            await self._wait_until(instant)
            if not self._stopped.is_set():
                self._send(number % len(self._clients), instant)
            number += 1
        self.stop()
        await asyncio.gather(*self._tasks)
        for client in self._clients:
            client.close()

    def results(self) -> dict:
        """Return the results of all phases, and the CPU time of the load itself."""
        seconds = self.phases[-1].ended - self.phases[0].begun
        return {
            "rate": self.rate,
            "seconds": round(seconds, 3),
            "cpu": round(time.process_time() / seconds, 3) if seconds else None,
            "connections": {
                client.target.name: {"opened": client.opened, "reopened": client.reopened} for client in self._clients
            },
            "phases": [phase.as_dict() for phase in self.phases],
        }

    def _phase(self, name: str) -> Phase:
        tallies = [Tally(client.target.name) for client in self._clients]
        return Phase(name, asyncio.get_running_loop().time(), tallies)

    async def _wait_until(self, instant: float) -> None:
        delay = instant - asyncio.get_running_loop().time()
        if delay > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopped.wait()

    def _send(self, index: int, instant: float) -> None:
        phase = self.phases[-1]
        phase.pending += 1
        # A late request means that this program was held up; its time includes the delay.
        phase.lag = max(phase.lag, asyncio.get_running_loop().time() - instant)
        task = asyncio.create_task(self._ask(self._clients[index], phase, phase.tallies[index], instant))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, client: Client, phase: Phase, tally: Tally, instant: float) -> bool:
        """Send a request, count its result, and return whether it was answered."""
        loop = asyncio.get_running_loop()
        tally.requests += 1
        try:
            answer = await client.ask()
        except Failure as failure:
            tally.failures[failure.kind] += 1
            if len(tally.details) < DETAILS:
                after = round(instant - phase.begun, 3)
                detail = {"target": tally.target, "after": after, "kind": failure.kind, "detail": failure.detail}
                tally.details.append(detail)
            return False
        else:
            tally.seconds.append(loop.time() - instant)
            if self._header:
                tally.values[answer.headers.get(self._header.lower(), "")] += 1
            return True
        finally:
            phase.settle()


class ClosedLoop(Load):
    """A constant number of requests under way, each followed by the next."""

    def __init__(
        self, targets: list[Target], concurrency: int, timeout: float = TIMEOUT, header: str | None = None
    ) -> None:
        super().__init__(targets, None, timeout, header)
        self._concurrency = concurrency
        self._left: int | None = None

    async def run(self, seconds: float | None = None, requests: int | None = None) -> None:
        """Send requests until stopped, and wait for the last answer."""
        self._left = requests
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self.stop)
        await asyncio.gather(*(self._keep_asking(number % len(self._clients)) for number in range(self._concurrency)))
        self.stop()
        for client in self._clients:
            client.close()

    async def _keep_asking(self, index: int) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopped.is_set() and self._left != 0:
            if self._left is not None:
                self._left -= 1
            phase = self.phases[-1]
            phase.pending += 1
            if not await self._ask(self._clients[index], phase, phase.tallies[index], loop.time()):
                await asyncio.sleep(PAUSE_AFTER_FAILURE)


class Control:
    """Takes commands, a line each, on a unix socket."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._answering: set[asyncio.Task | None] = set()

    @contextlib.asynccontextmanager
    async def listen(self, path: Path) -> AsyncIterator[None]:
        """Take commands meanwhile, and answer the last ones. The socket of an earlier run is replaced."""
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)
            await asyncio.gather(*self._answering)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._answering.add(task)
        try:
            command, _, name = (await reader.readline()).decode().strip().partition(" ")
            writer.write(json.dumps(await self._obey(command, name)).encode() + b"\n")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            writer.close()
        finally:
            self._answering.discard(task)

    async def _obey(self, command: str, name: str) -> dict:
        if command == "stop":
            self._load.stop()
            await self._load.phases[-1].done.wait()
            return self._load.results()
        if command == "phase" and name:
            ended = self._load.begin(name)
            await ended.done.wait()
            return ended.as_dict()
        return {"error": f"expected 'phase NAME' or 'stop', not '{command}'"}


async def run(options: argparse.Namespace) -> None:
    """Run until told to stop, and write the results."""
    allow_many_connections()
    targets = [parse_target(text) for text in options.targets]
    if options.concurrency:
        load: Load = ClosedLoop(targets, options.concurrency, options.timeout, options.header)
    else:
        load = Load(targets, options.rate, options.timeout, options.header)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, load.stop)
    async with Control(load).listen(options.control) if options.control else contextlib.nullcontext():
        await load.run(options.seconds, options.requests)
        write(json.dumps(load.results(), indent=1) + "\n", options.output)


def allow_many_connections() -> None:
    """Raise the limit of open files to its maximum: a server that stalls for long leaves many connections open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def write(text: str, output: Path | None) -> None:
    """Write to a file, as a whole or not at all, or to standard output."""
    if output is None:
        print(text, end="")
        return
    partial = output.with_name(output.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(output)


def tell(options: argparse.Namespace) -> None:
    """Send a command to a running load, and print its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(options.control))
        connection.sendall(" ".join(options.words).encode() + b"\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    if not answer or "error" in json.loads(answer):
        raise LoadError(answer.strip() or "it ended without an answer")
    print(answer, end="")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="send requests until told to stop")
    pace = running.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=float, default=200.0, help="requests a second, of all targets together")
    pace.add_argument("--concurrency", type=int, metavar="COUNT", help="requests under way, instead of a rate")
    running.add_argument("--seconds", type=float, metavar="SECONDS", help="stop after so long")
    running.add_argument("--requests", type=int, metavar="COUNT", help="stop after so many")
    running.add_argument("--header", metavar="NAME", help="count the answers by the value of this header, too")
    running.add_argument("--timeout", type=float, default=TIMEOUT, metavar="SECONDS", help="for a whole answer")
    running.add_argument("--control", type=Path, metavar="SOCKET", help="take commands there")
    running.add_argument("--output", type=Path, metavar="FILE", help="write the results there, not to standard output")
    running.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="NAME=ADDRESS[,keepalive=COUNT][,host=HOST][,path=PATH][,scheme=SCHEME]",
    )
    running.set_defaults(function=lambda options: asyncio.run(run(options)))
    telling = commands.add_parser("tell", help="send a command to a run")
    telling.add_argument("control", type=Path, metavar="SOCKET")
    telling.add_argument("words", nargs="+", metavar="WORD", help="phase NAME, or stop")
    telling.set_defaults(function=tell)
    return parser.parse_args(arguments)


def main() -> int:
    """Run a command, and return the exit status."""
    options = parse_arguments(sys.argv[1:])
    try:
        options.function(options)
    except (LoadError, OSError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
