"""Workers that speak ASGI: tried in the loop that serves them, ready only then, counted, their websockets closed."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters

DEAD = (1 << 22) + 1
HTTP = {"type": "http"}


class Log:
    """A log of Gunicorn that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []  # those that the lines are of

    def exception(self, text: str, *arguments: object) -> None:
        """Keep a line."""
        self.lines.append(text % arguments)
        self.errors.append(str(sys.exc_info()[1]))


class Settings(SimpleNamespace):
    """Gunicorn's settings in a worker."""

    def set(self, name: str, value: object) -> None:
        """Set one."""
        setattr(self, name, value)


def gunicorns(application: Callable, **settings: object) -> SimpleNamespace:
    """A worker of Gunicorn's class."""
    known = {"workers": 1, "worker_class_str": "asgi", "is_ssl": False, "asgi_lifespan": "auto", **settings}
    worker = SimpleNamespace(asgi=application, cfg=Settings(**known), older=[], pid=DEAD, log=Log(), alive=True)
    worker.run = lambda: _run_gunicorns(worker)
    return worker


def _run_gunicorns(worker: SimpleNamespace) -> None:
    """Start up, and give up soon, as Gunicorn's own does after 30 s."""

    async def serve() -> None:
        server = Server(worker.asgi)
        try:
            told = await asyncio.wait_for(server.start(), 0.2)
        except asyncio.TimeoutError:
            server.life.cancel()
            raise SystemExit(3) from None
        if told["type"] == "lifespan.startup.failed":
            raise SystemExit(3)

    asyncio.run(serve())


def uvicorns(application: Callable, lifespan: str = "auto", interface: str = "auto") -> SimpleNamespace:
    """A worker of Uvicorn's class."""
    settings = Settings(workers=1, worker_class_str="uvicorn_worker.UvicornWorker", is_ssl=False)
    config = SimpleNamespace(lifespan=lifespan, interface=interface)
    return SimpleNamespace(wsgi=application, cfg=settings, config=config, older=[], pid=DEAD, log=Log(), alive=True)


def served_by(worker: SimpleNamespace) -> Callable:
    """The application as the worker's server has it now, which must be told of a lifespan."""
    if hasattr(worker, "asgi"):
        assert worker.cfg.asgi_lifespan == "on"
        return worker.asgi
    assert (worker.config.lifespan, worker.config.interface) == ("on", "asgi3")
    return worker.wsgi


def application(status: int = 200, startup: str = "complete", seen: list | None = None) -> Callable:
    """An application with a lifespan, that notes what it was called for."""

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if seen is not None:
            seen.append(scope["type"])
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": f"lifespan.startup.{startup}", "message": "OperationalError: no server"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body"})

    return called


class Server:
    """What Gunicorn's and Uvicorn's workers do with an application, as far as it is seen from there."""

    def __init__(self, served: Callable) -> None:
        self.served = served
        self.inbox: Any = None
        self.sent: list[dict] = []

    async def start(self) -> dict:
        """Start up, and return the answer to that."""
        self.inbox, outbox = asyncio.Queue(), asyncio.Queue()
        await self.inbox.put({"type": "lifespan.startup"})
        self.life = asyncio.ensure_future(self.served({"type": "lifespan", "state": {}}, self.inbox.get, outbox.put))
        self.outbox = outbox
        return await outbox.get()

    async def stop(self) -> dict:
        """Shut down, and return the answer to that."""
        await self.inbox.put({"type": "lifespan.shutdown"})
        answer = await self.outbox.get()
        await self.life
        return answer

    async def request(self) -> None:
        """Have a request answered."""

        async def receive() -> dict:
            return {"type": "http.request", "body": b""}

        async def send(message: dict) -> None:
            self.sent.append(message)

        await self.served(HTTP, receive, send)


KINDS = pytest.mark.parametrize("kind", [gunicorns, uvicorns])


async def receive_nothing() -> dict:
    """What a client sends that has said everything."""
    return await asyncio.get_running_loop().create_future()


@KINDS
def test_ready_only_when_tried(hooks: ModuleType, tmp_path: Path, kind: Callable) -> None:
    """The lifespan starts up, a request is answered, and only then is it said; other requests are counted."""
    seen: list[str] = []
    worker = kind(application(seen=seen))
    hooks.post_worker_init(worker)
    assert list(tmp_path.iterdir()) == []

    async def live() -> None:
        server = Server(served_by(worker))
        assert (await server.start())["type"] == "lifespan.startup.complete"
        assert seen == ["lifespan", "http"]
        assert (tmp_path / f"worker-{os.getpid()}").exists()
        assert (tmp_path / "ready").exists()
        for _time in range(3):
            await server.request()
        assert (await server.stop())["type"] == "lifespan.shutdown.complete"

    asyncio.run(live())
    counted = request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time())
    assert counted.count == 3


@KINDS
@pytest.mark.parametrize(
    ("location", "problem"),
    [
        (b"https://localhost/", ""),
        (b"http://localhost/", "it sends a visitor to the same address again"),
    ],
)
def test_a_redirect_is_judged_by_where_it_leads(
    hooks: ModuleType, kind: Callable, location: bytes, problem: str
) -> None:
    """One to https is followed, one to the same address is refused."""
    schemes: list[str] = []

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            raise ValueError
        schemes.append(scope["scheme"])
        status = 200 if scope["scheme"] == "https" else 301
        await send({"type": "http.response.start", "status": status, "headers": [(b"Location", location)]})
        await send({"type": "http.response.body"})

    worker = kind(called)
    hooks.post_worker_init(worker)

    async def live() -> dict:
        return await Server(served_by(worker)).start()

    told = asyncio.run(live())
    assert told["type"] == f"lifespan.startup.{'failed' if problem else 'complete'}"
    assert problem in told.get("message", "")
    assert schemes == (["http"] if problem else ["http", "https"])


@KINDS
def test_the_reason_may_be_logged_in_another_thread(hooks: ModuleType, kind: Callable) -> None:
    """Where frameworks run views that are no coroutines."""

    def view() -> None:
        try:
            raise LookupError("no such table")
        except LookupError:
            logging.getLogger("framework").exception("Internal Server Error")

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "http":
            await asyncio.to_thread(view)
        await application(500)(scope, receive, send)

    worker = kind(called)
    hooks.post_worker_init(worker)

    async def live() -> dict:
        return await Server(served_by(worker)).start()

    assert asyncio.run(live())["message"].endswith("answers / with status 500: LookupError: no such table")


@KINDS
@pytest.mark.parametrize("status", [200, 500])
def test_the_application_shuts_down(hooks: ModuleType, kind: Callable, status: int) -> None:
    """At the end of its worker, and after a trial that fails."""
    heard: list[str] = []

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        async def listen() -> dict:
            message = await receive()
            heard.append(message["type"])
            return message

        await application(status)(scope, listen, send)

    worker = kind(called)
    hooks.post_worker_init(worker)

    async def live() -> None:
        server = Server(served_by(worker))
        await server.start()
        if status == 200:
            assert heard == ["lifespan.startup"]
            await server.stop()

    asyncio.run(live())
    assert heard == ["lifespan.startup", "lifespan.shutdown"]


@KINDS
def test_the_state_of_the_lifespan_reaches_the_requests(hooks: ModuleType, kind: Callable) -> None:
    """That of the trial by us, the others by the server, whose state it is."""
    asked: list[dict] = []

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["pool"] = "open"
        else:
            asked.append(scope["state"])
        await application()(scope, receive, send)

    worker = kind(called)
    hooks.post_worker_init(worker)
    state: dict = {}

    async def live() -> None:
        told = asyncio.Queue()
        words = [{"type": "lifespan.startup"}]

        async def receive() -> dict:
            return words.pop() if words else await receive_nothing()

        life = asyncio.ensure_future(served_by(worker)({"type": "lifespan", "state": state}, receive, told.put))
        assert (await told.get())["type"] == "lifespan.startup.complete"
        life.cancel()

    asyncio.run(live())
    assert (asked, state) == ([{"pool": "open"}], {"pool": "open"})


@KINDS
def test_a_request_is_counted_once_its_answer_has_ended(hooks: ModuleType, tmp_path: Path, kind: Callable) -> None:
    """Not after what the application does then, and also if it fails."""

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope.get("path") == "/raises":
            raise LookupError
        await application()(scope, receive, send)
        if scope.get("path") == "/goes-on":
            await receive_nothing()

    worker = kind(called)
    hooks.post_worker_init(worker)

    def count() -> int:
        return request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time()).count

    async def live() -> None:
        served = served_by(worker)
        await Server(served).start()
        ended = asyncio.Event()

        async def send(message: dict) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                ended.set()

        going_on = asyncio.ensure_future(served({"type": "http", "path": "/goes-on"}, receive_nothing, send))
        await ended.wait()
        await asyncio.sleep(0)
        assert count() == 1
        with pytest.raises(LookupError):
            await served({"type": "http", "path": "/raises"}, receive_nothing, send)
        assert count() == 2
        going_on.cancel()

    asyncio.run(live())


@KINDS
@pytest.mark.parametrize(
    ("status", "startup", "words"),
    [
        (500, "complete", "shop answers / with status 500: see what it logged before this"),
        (200, "failed", "shop does not start up: its startup failed: OperationalError: no server"),
    ],
)
def test_a_first_worker_that_does_not_work(
    hooks: ModuleType, tmp_path: Path, kind: Callable, status: int, startup: str, words: str
) -> None:
    """Its server is told so, which ends it, and the master with it; nobody says that it is ready."""
    hooks._APP = "shop"
    hooks._turn = object()
    worker = kind(application(status, startup))
    hooks.post_worker_init(worker)

    async def live() -> dict:
        return await Server(served_by(worker)).start()

    assert asyncio.run(live()) == {"type": "lifespan.startup.failed", "message": words}
    assert worker.log.lines == ["Exception in worker process"]
    # By which those that wait for their turn do not try it, too
    assert [path.name for path in tmp_path.iterdir()] == ["failed"]


@KINDS
@pytest.mark.parametrize(
    ("status", "startup", "problem"),
    [(500, "complete", "the request for / failed"), (200, "failed", "shop does not start up")],
)
def test_a_later_worker_that_does_not_work(
    hooks: ModuleType, tmp_path: Path, kind: Callable, status: int, startup: str, problem: str
) -> None:
    """It leaves the work to the others, with an exit code that ends none of them."""
    hooks._APP = "shop"
    for name in ("ready", f"worker-{DEAD - 1}"):
        (tmp_path / name).touch()
    worker = kind(application(status, startup))
    worker.older = [DEAD - 1]
    hooks.post_worker_init(worker)

    async def live() -> None:
        await Server(served_by(worker)).start()

    began = time.monotonic()
    with pytest.raises(SystemExit) as caught:
        asyncio.run(live())
    assert caught.value.code == 1
    # Gunicorn starts the next one at once.
    assert time.monotonic() - began >= 1
    assert worker.log.lines == [f"A new worker leaves the work to the others: {problem}"]
    assert not (tmp_path / f"worker-{os.getpid()}").exists()


def hanging(where: str) -> Callable:
    """An application that never ends to start up (lifespan), or to answer (http)."""

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == where:
            await asyncio.Event().wait()
        await application()(scope, receive, send)

    return called


HANGING = pytest.mark.parametrize(
    ("where", "problem"),
    [("lifespan", "shop does not start up"), ("http", "shop does not answer the request for /")],
)


@HANGING
def test_a_later_worker_on_which_gunicorn_gives_up(hooks: ModuleType, tmp_path: Path, where: str, problem: str) -> None:
    """It leaves the work to the others, too: Gunicorn's own exit code for it would end them."""
    hooks._APP = "shop"
    for name in ("ready", f"worker-{DEAD - 1}"):
        (tmp_path / name).touch()
    worker = gunicorns(hanging(where))
    worker.older = [DEAD - 1]
    hooks.post_worker_init(worker)
    with pytest.raises(SystemExit) as caught:
        worker.run()
    assert caught.value.code == 1
    assert worker.log.lines == [f"A new worker leaves the work to the others: {problem}"]


@HANGING
def test_a_first_worker_on_which_gunicorn_gives_up(hooks: ModuleType, tmp_path: Path, where: str, problem: str) -> None:
    """It says why, and keeps the others from doing the same for as long again."""
    hooks._APP = "shop"
    hooks._turn = object()
    worker = gunicorns(hanging(where))
    hooks.post_worker_init(worker)
    with pytest.raises(SystemExit) as caught:
        worker.run()
    assert caught.value.code == 3
    assert worker.log.errors == [f"{problem} within 30 s, which is what the class asgi gives it"]
    assert (tmp_path / "failed").exists()


@KINDS
@HANGING
@pytest.mark.parametrize("failed", [False, True])
def test_a_first_worker_that_is_ended_while_it_hangs(
    hooks: ModuleType, tmp_path: Path, kind: Callable, where: str, problem: str, failed: bool
) -> None:
    """As by systemd at the time-out of a start: it says why, unless another one has failed, and the signal ends it."""
    hooks._APP = "shop"
    if failed:
        (tmp_path / "failed").touch()
    worker = kind(hanging(where))
    hooks.post_worker_init(worker)

    async def live() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        starting = asyncio.ensure_future(Server(served_by(worker)).start())
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(ended.wait(), 10)
        starting.cancel()

    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(live())
    finally:
        signal.signal(signal.SIGTERM, before)
    said = [re.sub("within [0-9]+ s", "in time", error) for error in worker.log.errors]
    assert said == ([] if failed else [f"{problem} in time, after which this start was ended"])


@pytest.mark.parametrize(("status", "told"), [(500, ["Exception in worker process"]), (200, [])])
def test_only_a_trial_takes_too_long(hooks: ModuleType, status: int, told: list[str]) -> None:
    """One that has ended was told, and a worker that serves has other reasons to exit."""
    worker = gunicorns(application(status))
    run = worker.run

    def run_and_exit() -> None:
        run()
        raise SystemExit(3)

    worker.run = run_and_exit
    hooks.post_worker_init(worker)
    with pytest.raises(SystemExit):
        worker.run()
    assert worker.log.lines == told


@KINDS
def test_a_bad_answer_is_better_than_none(hooks: ModuleType, tmp_path: Path, kind: Callable) -> None:
    """Without another worker, one that answers badly serves."""
    (tmp_path / "ready").touch()
    worker = kind(application(500))
    worker.older = [DEAD - 1]
    hooks.post_worker_init(worker)

    async def live() -> dict:
        return await Server(served_by(worker)).start()

    assert asyncio.run(live())["type"] == "lifespan.startup.complete"
    assert worker.log.lines == ["The request for / failed, and no other worker is left"]


@pytest.mark.parametrize("worker", [gunicorns(print, asgi_lifespan="off"), uvicorns(print, "off")])
def test_a_lifespan_that_is_off_stays_off(hooks: ModuleType, worker: SimpleNamespace) -> None:
    """The server has one all the same, in which the application is tried."""
    seen: list[str] = []
    setattr(worker, "asgi" if hasattr(worker, "asgi") else "wsgi", application(seen=seen))
    hooks.post_worker_init(worker)

    async def live() -> dict:
        return await Server(served_by(worker)).start()

    assert asyncio.run(live())["type"] == "lifespan.startup.complete"
    assert seen == ["http"]


@KINDS
def test_a_wsgi_application_needs_another_class(hooks: ModuleType, kind: Callable) -> None:
    hooks._APP = "shop"

    def wsgi(environ: dict, start_response: Callable) -> list:
        raise AssertionError

    worker = kind(wsgi)
    hooks.post_worker_init(worker)

    async def live() -> dict:
        return await Server(served_by(worker)).start()

    told = asyncio.run(live())
    assert told["message"] == "shop is no ASGI application: set gunicorn_worker_class to one for WSGI, such as 'sync'"


def test_a_class_that_we_do_not_know(hooks: ModuleType, tmp_path: Path) -> None:
    """Its application is tried in a loop of its own."""
    hooks._APP = "shop"
    seen: list[str] = []
    worker = uvicorns(application(seen=seen))
    worker.cfg.worker_class_str = "own.Worker"
    del worker.config
    hooks.post_worker_init(worker)
    assert seen == ["lifespan", "http"]
    assert (tmp_path / f"worker-{os.getpid()}").exists()
    (tmp_path / "ready").unlink()
    worker.wsgi = application(503)
    with pytest.raises(RuntimeError, match="shop answers / with status 503"):
        hooks.post_worker_init(worker)


def test_run_as_a_program(hooks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Loaded, started up, asked, shut down."""
    seen: list[str] = []
    monkeypatch.setitem(sys.modules, "gunicorn", ModuleType("gunicorn"))
    util = ModuleType("gunicorn.util")
    util.import_app = lambda name: application(seen=seen)
    monkeypatch.setitem(sys.modules, "gunicorn.util", util)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    hooks._try_application(str(tmp_path))
    assert seen == ["lifespan", "http"]


class TestWebsockets:
    """What happens to a websocket when its worker is to end."""

    @staticmethod
    def converse(hooks: ModuleType, kind: Callable, application: Callable) -> list[dict]:
        """What a client of a websocket is sent, whose worker is to end after its first word."""
        sent: list[dict] = []
        words = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "first"}]

        async def receive() -> dict:
            if words:
                return words.pop(0)
            return await asyncio.get_running_loop().create_future()

        async def send(message: dict) -> None:
            sent.append(message)
            worker.alive = message["type"] != "websocket.send"

        async def everything(scope: dict, receive: Callable, send: Callable) -> None:
            await (application if scope["type"] == "websocket" else answering)(scope, receive, send)

        answering = globals()["application"]()
        worker = kind(everything)
        hooks.post_worker_init(worker)

        async def live() -> None:
            server = Server(served_by(worker))
            await server.start()
            await asyncio.wait_for(server.served({"type": "websocket"}, receive, send), 5)
            await asyncio.sleep(0)
            await server.stop()

        asyncio.run(live())
        return sent

    def test_it_is_closed(self, hooks: ModuleType) -> None:
        """The client hears that the service restarts, the application that the client has gone."""
        heard = []

        async def echo(scope: dict, receive: Callable, send: Callable) -> None:
            while True:
                message = await receive()
                heard.append(message["type"])
                if message["type"] == "websocket.disconnect":
                    # Nobody hears this any more.
                    await send({"type": "websocket.send", "text": "late"})
                    return
                kind = "accept" if message["type"] == "websocket.connect" else "send"
                await send({"type": f"websocket.{kind}", "text": message.get("text")})

        sent = self.converse(hooks, gunicorns, echo)
        assert heard == ["websocket.connect", "websocket.receive", "websocket.disconnect"]
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
        assert sent[-1]["code"] == 1012

    def test_one_that_ends_before_is_left_alone(self, hooks: ModuleType) -> None:
        async def short(scope: dict, receive: Callable, send: Callable) -> None:
            await send({"type": "websocket.close", "code": 4000})

        assert [message["code"] for message in self.converse(hooks, gunicorns, short)] == [4000]

    def test_one_that_has_ended_hears_nothing_at_the_end_of_its_worker(self, hooks: ModuleType) -> None:
        sent = []

        async def called(scope: dict, receive: Callable, send: Callable) -> None:
            if scope["type"] != "websocket":
                await application()(scope, receive, send)

        async def send(message: dict) -> None:
            sent.append(message)

        worker = gunicorns(called)
        hooks.post_worker_init(worker)

        async def live() -> None:
            await Server(worker.asgi).start()
            await worker.asgi({"type": "websocket"}, receive_nothing, send)
            worker.alive = False
            # It is seen twice a second.
            await asyncio.sleep(0.7)

        asyncio.run(live())
        assert sent == []

    def test_uvicorn_closes_its_own(self, hooks: ModuleType) -> None:
        async def short(scope: dict, receive: Callable, send: Callable) -> None:
            await send({"type": "websocket.send", "text": str(send.__qualname__)})

        (message,) = self.converse(hooks, uvicorns, short)
        assert "TestWebsockets" in message["text"]
