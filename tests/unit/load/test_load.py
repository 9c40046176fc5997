# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The load generator against real servers, which answer, stall, refuse and hang up."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import json
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "load" / "load.py"
_spec = importlib.util.spec_from_file_location("load", PROGRAM)
load = importlib.util.module_from_spec(_spec)
sys.modules["load"] = load
_spec.loader.exec_module(load)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nExpires: 0\r\n\r\n"
)
Handler = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server that calls the handler for each connection."""

    def __init__(self, handler: Handler) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._handler = handler

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._handler(self, reader, writer)
        writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        return self.requests[-1]


async def answer_all(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the client wants to close."""
    while b"Connection: close" not in await server.request(reader):
        writer.write(OK)
    writer.write(OK)


def answer_with(answer: bytes) -> Handler:
    """Send some bytes and hang up."""

    async def handler(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(answer)

    return handler


async def reset(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection in the middle of the answer."""
    await server.request(reader)
    writer.write(OK[:-1])
    await writer.drain()
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def never_answer(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and do not answer, until the client gives up."""
    await server.request(reader)
    await reader.read()


@contextlib.asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1"):
    """Run a server meanwhile, and yield it with its address."""
    server = Server(handler)
    listener = await asyncio.start_server(server.serve, host)
    async with listener:
        yield server, listener.sockets[0].getsockname()[:2]


def tcp(address: tuple[str, int], **options) -> load.Target:
    return load.Target("tcp", socket.AF_INET, address, **options)


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def lost(target: load.Target) -> load.Failure:
    """Return the failure of one request to a target."""
    with pytest.raises(load.Failure) as failure:
        asyncio.run(load.Client(target, 10).ask())
    return failure.value


def lost_by(handler: Handler, timeout: float = 10) -> load.Failure:
    """Return the failure of one request to a server."""

    async def ask() -> None:
        async with serving(handler) as (_server, address):
            await load.Client(tcp(address), timeout).ask()

    with pytest.raises(load.Failure) as failure:
        asyncio.run(ask())
    return failure.value


# Targets


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("a=127.0.0.1:80", load.Target("a", socket.AF_INET, ("127.0.0.1", 80))),
        ("a=[::1]:80,keepalive=4", load.Target("a", socket.AF_INET6, ("::1", 80), keepalive=4)),
        (
            "a b=unix:/run/a.sock,host=www.example.com,path=/a?b=c",
            load.Target("a b", socket.AF_UNIX, "/run/a.sock", host="www.example.com", path="/a?b=c"),
        ),
        (
            "a=127.0.0.1:80,scheme=https",
            load.Target("a", socket.AF_INET, ("127.0.0.1", 80), scheme="https"),
        ),
    ],
)
def test_target_is_read(text: str, target: load.Target) -> None:
    """With every address family and every option."""
    assert load.parse_target(text) == target


@pytest.mark.parametrize("text", ["a", "=127.0.0.1:80", "a=80", "a=127.0.0.1:http", "a=:80", "a=1.2.3.4:1,keep=1"])
def test_bad_target_is_named(text: str) -> None:
    """The error contains the text that can't be read."""
    with pytest.raises(load.LoadError, match=text.rpartition("=")[2].partition(",")[0]):
        load.parse_target(text)


# Answers


@pytest.mark.parametrize("data", [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_answer_is_complete_with_its_last_byte(data: bytes) -> None:
    """And not before it, in whatever pieces it arrives."""
    for cut in range(1, len(data)):
        answer = load.Answer()
        answer.feed(data[:cut])
        assert not answer.complete
        answer.feed(data[cut:])
        assert answer.complete
        assert answer.reusable
    answer = load.Answer()
    for byte in data:
        assert not answer.complete
        answer.feed(bytes([byte]))
    assert answer.complete


def test_answer_without_a_length_lasts_to_the_end() -> None:
    """It is complete when the connection ends."""
    answer = load.Answer()
    answer.feed(b"HTTP/1.0 200 OK\r\n\r\nwhat comes")
    assert not answer.complete
    answer.feed(b"")
    assert answer.complete
    assert not answer.reusable


@pytest.mark.parametrize("data", [OK, CHUNKED])
def test_answer_that_ends_early_is_lost(data: bytes) -> None:
    """Wherever the connection ends before the answer does."""
    for cut in range(len(data)):
        answer = load.Answer()
        if cut:
            answer.feed(data[:cut])
        with pytest.raises(load.Failure, match="closed"):
            answer.feed(b"")


def test_answer_that_closes_is_not_reusable() -> None:
    """If the server announces it."""
    answer = load.Answer()
    answer.feed(OK.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n"))
    assert not answer.reusable


# Failures


def test_closed_port_refuses() -> None:
    """Nothing listens there."""
    assert lost(tcp(("127.0.0.1", unused_port()))).kind == "refused"


@pytest.mark.parametrize("left", [False, True])
def test_unix_socket_without_a_server_refuses(tmp_path: Path, left: bool) -> None:
    """Whether its file is missing or was left behind."""
    path = str(tmp_path / "a.sock")
    if left:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(path)
    assert lost(load.Target("unix", socket.AF_UNIX, path)).kind == "refused"


def test_full_queue_of_a_unix_socket_refuses(tmp_path: Path) -> None:
    """As for a web server in front of it; asyncio alone would take it for a connection."""
    path = str(tmp_path / "a.sock")
    with socket.socket(socket.AF_UNIX) as full, contextlib.ExitStack() as waiting:
        full.bind(path)
        full.listen(0)
        waiting.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        assert lost(load.Target("unix", socket.AF_UNIX, path)).kind == "refused"


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (reset, "reset"),
        (answer_with(OK[:-1]), "closed"),
        (answer_with(CHUNKED[:-2]), "closed"),
        (answer_with(b""), "closed"),
        (answer_with(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), "status"),
        (answer_with(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "status"),
        (answer_with(b"220 mail.example.com ESMTP\r\n\r\n"), "other"),
        (answer_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), "other"),
    ],
)
def test_lost_request_is_classified(handler: Handler, kind: str) -> None:
    """By what the server did to it."""
    assert lost_by(handler).kind == kind


def test_server_that_does_not_answer_times_out() -> None:
    """After the given time."""
    assert lost_by(never_answer, timeout=0.05).kind == "timeout"


# Connections


def test_without_keepalive_each_request_has_its_own_connection() -> None:
    """And announces that it closes it."""

    async def ask() -> Server:
        async with serving(answer_all) as (server, address):
            client = load.Client(tcp(address, path="/about", host="shop"), 10)
            for _request in range(3):
                await client.ask()
            return server

    server = asyncio.run(ask())
    assert server.connections == 3
    assert server.requests == [b"GET /about HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"] * 3


def test_with_keepalive_connections_are_used_in_turn() -> None:
    """As many as wanted, also after a burst of requests that needed more."""

    async def ask() -> tuple[int, int, int]:
        async with serving(answer_all) as (server, address):
            client = load.Client(tcp(address, keepalive=2), 10)
            for _request in range(6):
                await client.ask()
            before = server.connections
            await asyncio.gather(*(client.ask() for _request in range(5)))
            burst, kept = server.connections, len(client._idle)
            for _request in range(6):
                await client.ask()
            client.close()
            assert server.connections == burst
            return before, burst, kept

    assert asyncio.run(ask()) == (2, 5, 2)


def test_connection_that_was_closed_while_idle_is_reopened() -> None:
    """Nothing was written on it, so nothing is lost."""

    async def answer_once(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(OK)

    async def ask() -> int:
        async with serving(answer_once) as (server, address):
            client = load.Client(tcp(address, keepalive=1), 10)
            for request in range(3):
                await client.ask()
                while load.is_open(client._idle[0]):
                    await asyncio.sleep(0)
                assert client.reopened == request
            client.close()
            return server.connections

    assert asyncio.run(ask()) == 3


def test_connection_that_closes_after_the_request_was_written_is_lost() -> None:
    """It is not sent again: the server may have begun to work on it."""

    async def drop_the_second(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(OK)
        await server.request(reader)

    async def ask() -> int:
        async with serving(drop_the_second) as (server, address):
            client = load.Client(tcp(address, keepalive=1), 10)
            await client.ask()
            with pytest.raises(load.Failure, match="closed"):
                await client.ask()
            return len(server.requests)

    assert asyncio.run(ask()) == 2


# The run


def test_rate_is_kept_whatever_the_server_does() -> None:
    """A stall of the server delays no later request, and the time of each counts from its instant."""

    async def stall() -> dict:
        released = asyncio.Event()

        async def wait(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            # The requests of the first half second wait for its end.
            if len(server.requests) == 100:
                released.set()
            await released.wait()
            writer.write(OK)

        async with serving(wait) as (_server, address):
            running = load.Load([tcp(address)], rate=200)
            await running.run(seconds=1)
            return running.results()

    results = asyncio.run(stall())
    (phase,) = results["phases"]
    assert (phase["requests"], phase["failed"]) == (200, 0)
    # The hundredth was due 0.495 s after the first.
    assert phase["latency"]["max"] >= 0.495
    assert phase["latency"]["median"] < phase["latency"]["p99"] <= phase["latency"]["max"]


def test_targets_are_asked_in_turn_over_every_family(tmp_path: Path) -> None:
    """Each has its own results, with its first few failures."""

    async def ask() -> dict:
        path = str(tmp_path / "a.sock")
        unix = asyncio.start_unix_server(Server(answer_all).serve, path)
        async with serving(answer_all) as (_four, v4), serving(answer_all, "::1") as (_six, v6), await unix:
            targets = [
                load.Target("v4", socket.AF_INET, v4, keepalive=3),
                load.Target("v6", socket.AF_INET6, v6),
                load.Target("unix", socket.AF_UNIX, path, keepalive=1),
                load.Target("nobody", socket.AF_INET, ("127.0.0.1", unused_port())),
            ]
            running = load.Load(targets, rate=400)
            await running.run(seconds=0.1)
            return running.results()

    (phase,) = asyncio.run(ask())["phases"]
    counts = {target["target"]: (target["requests"], target["failed"]) for target in phase["targets"]}
    assert counts == {"v4": (10, 0), "v6": (10, 0), "unix": (10, 0), "nobody": (10, 10)}
    assert phase["failures"] == {**dict.fromkeys(load.KINDS, 0), "refused": 10}
    assert [(detail["target"], detail["kind"]) for detail in phase["details"]] == [("nobody", "refused")] * 5
    assert phase["targets"][3]["latency"] is None


def test_request_belongs_to_the_phase_of_its_instant() -> None:
    """Even if it is lost in the next phase; and a phase is done when its last request has ended."""

    async def ask() -> list[dict]:
        released = asyncio.Semaphore(0)

        async def hang_up_later(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            await released.acquire()

        async with serving(hang_up_later) as (server, address):
            running = load.Load([tcp(address)], rate=200)
            task = asyncio.create_task(running.run())
            while len(server.requests) < 3:
                await asyncio.sleep(0.001)
            first = running.begin("second")
            running.stop()
            while first.pending:
                assert not first.done.is_set()
                released.release()
                await asyncio.sleep(0.001)
            await first.done.wait()
            await task
            return running.results()["phases"]

    first, second = asyncio.run(ask())
    assert (first["name"], second["name"]) == (load.FIRST_PHASE, "second")
    assert first["requests"] == first["failed"] == first["failures"]["closed"] >= 3


def test_closed_loop_keeps_the_number_of_requests_under_way() -> None:
    """Never more, and the next one follows as soon as one was answered or lost."""

    async def ask() -> tuple[list[int], list[dict]]:
        under_way, seen, released = set(), [], asyncio.Semaphore(0)

        async def wait(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            under_way.add(writer)
            seen.append(len(under_way))
            await released.acquire()
            under_way.discard(writer)
            if len(seen) % 4:
                writer.write(OK)

        async with serving(wait) as (_server, address):
            running = load.ClosedLoop([tcp(address)], concurrency=3)
            task = asyncio.create_task(running.run())
            while len(seen) < 3:
                await asyncio.sleep(0.001)
            first = running.begin("second")
            released.release()
            while len(seen) < 4:
                await asyncio.sleep(0.001)
            running.stop()
            for _request in range(3):
                released.release()
            await first.done.wait()
            await task
            return seen, running.results()["phases"]

    seen, (first, second) = asyncio.run(ask())
    assert seen == [1, 2, 3, 3]
    assert (first["requests"], second["requests"]) == (3, 1)
    assert first["failed"] + second["failed"] == 3


@pytest.mark.parametrize("concurrency", [None, 3])
def test_answers_are_counted_by_a_header(concurrency: int | None) -> None:
    """So that a test can say which code answered; and the load ends after so many requests."""

    async def ask() -> tuple[list[bytes], dict]:
        async def name_a_version(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            version = b"new" if len(server.requests) > 4 else b"old"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Version: " + version + b"\r\n\r\n")

        async with serving(name_a_version) as (server, address):
            targets = [load.Target("a", socket.AF_INET, address, scheme="https")]
            if concurrency:
                running = load.ClosedLoop(targets, concurrency, header="X-Version")
            else:
                running = load.Load(targets, 400, header="X-Version")
            await running.run(requests=10)
            return server.requests, running.results()

    requests, results = asyncio.run(ask())
    assert all(b"\r\nX-Forwarded-Proto: https\r\n" in request for request in requests)
    (phase,) = results["phases"]
    assert (phase["requests"], phase["failed"]) == (10, 0)
    assert phase["values"] == {"old": 4, "new": 6}


def test_closed_loop_ends_after_its_time() -> None:
    """With all requests counted."""

    async def ask() -> dict:
        async with serving(answer_all) as (server, address):
            running = load.ClosedLoop([tcp(address)], concurrency=2)
            await running.run(seconds=0.1)
            assert len(server.requests) == running.results()["phases"][0]["requests"]
            return running.results()

    results = asyncio.run(ask())
    assert results["rate"] is None
    assert results["phases"][0]["requests"] > results["phases"][0]["failed"] == 0


def test_stall_of_the_generator_itself_is_reported() -> None:
    """So that nobody takes it for a stall of the server."""

    async def ask() -> dict:
        async with serving(answer_all) as (_server, address):
            running = load.Load([tcp(address)], rate=200)
            task = asyncio.create_task(running.run(seconds=0.4))
            await asyncio.sleep(0.1)
            time.sleep(0.2)
            await task
            return running.results()

    (phase,) = asyncio.run(ask())["phases"]
    assert phase["lag"] >= 0.19
    assert phase["requests"] == 80


# The program


@pytest.fixture
def program(tmp_path: Path):
    """Run the program against a port that refuses, and yield it with its control socket and its output."""
    control, output = tmp_path / "load.sock", tmp_path / "load.json"
    target = f"nobody=127.0.0.1:{unused_port()}"
    command = [sys.executable, PROGRAM, "run", "--control", control, "--output", output, target]
    with subprocess.Popen(command) as process:
        while not control.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield process, control, output
        process.kill()


def tell(control: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROGRAM, "tell", control, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_program_marks_phases_and_stops_when_told(program) -> None:
    """Each command returns results, and those of the last one are in the file."""
    process, control, output = program
    first = json.loads(tell(control, "phase", "workers changed").stdout)
    assert first["name"] == load.FIRST_PHASE
    assert first["failed"] == first["requests"] > 0
    results = json.loads(tell(control, "stop").stdout)
    assert process.wait(10) == 0
    assert [phase["name"] for phase in results["phases"]] == [load.FIRST_PHASE, "workers changed"]
    assert json.loads(output.read_text())["phases"] == results["phases"]
    assert results["cpu"] > 0
    assert not control.exists()


def test_program_writes_its_results_at_sigterm(program) -> None:
    """And exits with status 0."""
    process, _control, output = program
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert json.loads(output.read_text())["rate"] == 200


def test_program_refuses_other_commands(program) -> None:
    """It names the commands that it takes, and goes on."""
    process, control, _output = program
    for words in (["pause"], ["phase"]):
        refused = tell(control, *words)
        assert refused.returncode == 1
        assert "'phase NAME' or 'stop'" in refused.stderr
    assert process.poll() is None


def test_program_says_what_it_cannot_read() -> None:
    """In one line, without a traceback."""
    done = subprocess.run([sys.executable, PROGRAM, "run", "a=b"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "load: 'b': expected IPV4:PORT, [IPV6]:PORT or unix:PATH\n"


def test_program_holds_as_many_connections_as_a_stall_leaves() -> None:
    """Whatever limit it was started with: too few open files would look like a fault of the server."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    async def ask() -> dict:
        async with serving(never_answer) as (_server, address):
            target = f"stalled={address[0]}:{address[1]}"
            command = [sys.executable, PROGRAM, "run", "--seconds=0.5", "--timeout=1", target]
            run = functools.partial(subprocess.run, command, capture_output=True, check=True, preexec_fn=limit)
            return json.loads((await asyncio.to_thread(run)).stdout)

    (phase,) = asyncio.run(ask())["phases"]
    assert phase["requests"] == phase["failures"]["timeout"] == 100
