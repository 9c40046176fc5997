"""Applications that Gunicorn's class for Tornado serves: which ones they are, and how they are asked and their requests are counted.

The real Tornado is in the scenario `worker_kinds`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Callable, Iterator

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters


class Application:
    """One of Tornado's own, as far as the hooks see it."""

    def __init__(self) -> None:
        self.logged: list[object] = []

    def log_request(self, handler: object) -> None:
        """Note that it was called."""
        self.logged.append(handler)


class WSGIContainer:
    """Tornado's server for a WSGI application."""

    def __init__(self, application: Callable) -> None:
        self.wsgi_application = application


class Worker(SimpleNamespace):
    """A worker of Gunicorn's class."""

    __module__ = "gunicorn.workers.gtornado"


def wsgi(environ: dict, start_response: Callable) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield environ["PATH_INFO"].encode()


@pytest.fixture
def _tornado(monkeypatch: pytest.MonkeyPatch) -> None:
    web, container = ModuleType("tornado.web"), ModuleType("tornado.wsgi")
    web.Application, container.WSGIContainer = Application, WSGIContainer
    monkeypatch.setitem(sys.modules, "tornado.web", web)
    monkeypatch.setitem(sys.modules, "tornado.wsgi", container)


def worker_with(application: object, kind: type = Worker) -> SimpleNamespace:
    """A worker that is about to serve an application."""
    settings = SimpleNamespace(workers=1, worker_class_str="tornado", is_ssl=False)
    return kind(wsgi=application, cfg=settings, older=[])


@pytest.mark.usefixtures("_tornado")
def test_which_they_are(hooks: ModuleType) -> None:
    assert hooks._is_tornados(Application())
    assert hooks._is_tornados(WSGIContainer(wsgi))
    assert not hooks._is_tornados(wsgi)


def test_without_tornado_there_are_none(hooks: ModuleType) -> None:
    assert not hooks._is_tornados(wsgi)


@pytest.mark.usefixtures("_tornado")
def test_they_need_the_class_for_them(hooks: ModuleType) -> None:
    """Others would call it as WSGI says."""
    hooks._APP = "shop"
    wanted = "shop is an application of Tornado: set gunicorn_worker_class to 'tornado'"
    with pytest.raises(RuntimeError, match=wanted):
        hooks.post_worker_init(worker_with(Application(), SimpleNamespace))


class Tornado:
    """Tornado's server as far as one request is sent to it; it gives these answers."""

    def __init__(self, *answers: str) -> None:
        self.answers = [answer.encode() for answer in answers]
        self.asked: list[list[str]] = []
        self.served: list[object] = []
        self.IOLoop = SimpleNamespace(current=lambda: SimpleNamespace(run_sync=lambda ask: asyncio.run(ask())))

    def IOStream(self, near: socket.socket) -> SimpleNamespace:
        """One end of a connection."""
        near.close()

        async def write(text: bytes) -> None:
            self.asked.append(text.decode().split("\r\n"))

        async def read_until_close() -> bytes:
            return self.answers.pop(0)

        return SimpleNamespace(write=write, read_until_close=read_until_close)

    def HTTPServer(self, application: object) -> SimpleNamespace:
        """The server, which notes what it serves."""
        return SimpleNamespace(handle_stream=lambda _stream, _peer: self.served.append(application))

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch) -> Tornado:
        """Be what is imported."""
        monkeypatch.setitem(sys.modules, "tornado", ModuleType("tornado"))
        for name in ("ioloop", "iostream", "httpserver"):
            monkeypatch.setitem(sys.modules, f"tornado.{name}", self)
        return self


LEADS_TO_HTTPS = "HTTP/1.1 301 Moved\r\nlocation: https://shop.example.com/health\r\n\r\n"


@pytest.mark.usefixtures("_tornado")
def test_they_are_asked_as_by_a_visitor(hooks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the site, and by https if the answer leads there."""
    hooks._HEALTH_HOST, hooks._HEALTH_PATH = "shop.example.com", "/health"
    tornado = Tornado(LEADS_TO_HTTPS, "HTTP/1.1 200 OK\r\n\r\na").put_in_place(monkeypatch)
    application = Application()
    hooks.post_worker_init(worker_with(application))
    assert tornado.served == [application, application]
    first, second = tornado.asked
    assert first[:2] == ["GET /health HTTP/1.1", "Host: shop.example.com"]
    assert ("X-Forwarded-Proto: https" in first, "X-Forwarded-Proto: https" in second) == (False, True)


@pytest.mark.usefixtures("_tornado")
@pytest.mark.parametrize("as_a_program", [False, True])
def test_their_bad_answers(
    hooks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, as_a_program: bool
) -> None:
    """They are refused in a worker, and in the trial before a reload."""
    hooks._APP = "shop"
    Tornado("HTTP/1.1 500 Internal Server Error\r\n\r\n").put_in_place(monkeypatch)
    util = ModuleType("gunicorn.util")
    util.import_app = lambda name: Application()
    monkeypatch.setitem(sys.modules, "gunicorn", ModuleType("gunicorn"))
    monkeypatch.setitem(sys.modules, "gunicorn.util", util)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    with pytest.raises(RuntimeError, match="shop answers / with status 500"):
        hooks._try_application(str(tmp_path)) if as_a_program else hooks.post_worker_init(worker_with(Application()))


@pytest.mark.usefixtures("_tornado")
def test_own_requests_are_counted_when_they_are_logged(
    hooks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time that Tornado says; and they are logged as before."""
    asked: list[object] = []
    monkeypatch.setattr(hooks, "_ask_tornados", asked.append)
    application = Application()
    hooks.post_worker_init(worker_with(application))
    assert asked == [application]
    handler = SimpleNamespace(request=SimpleNamespace(request_time=lambda: 2.5))
    application.log_request(handler)
    assert application.logged == [handler]
    found = request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time())
    assert found.count == 1
    assert found.latency.max == pytest.approx(2.5, abs=0.1)


@pytest.mark.usefixtures("_tornado")
@pytest.mark.parametrize("contained", [True, False])
def test_requests_by_wsgi_are_counted(
    hooks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contained: bool
) -> None:
    """Gunicorn calls no hook for them."""
    monkeypatch.setattr(hooks, "_ask_tornados", lambda application: None)
    worker = worker_with(WSGIContainer(wsgi) if contained else wsgi)
    hooks.post_worker_init(worker)
    served = worker.wsgi.wsgi_application if contained else worker.wsgi
    statuses: list[str] = []
    for path in ("/a", "/b"):
        answer = served({"PATH_INFO": path}, lambda status, _headers: statuses.append(status))
        assert b"".join(answer) == path.encode()
    assert statuses == ["200 OK", "200 OK"]
    assert request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time()).count == 2
    assert (tmp_path / f"worker-{os.getpid()}").exists()


def test_a_failed_request_is_counted_and_closed(hooks: ModuleType) -> None:
    """Whatever fails, no request stays under way."""
    ended: list[object] = []
    counters = SimpleNamespace(begin=lambda: "begun", end=ended.append)

    class Body:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            raise LookupError

        def close(self) -> None:
            self.closed += 1

    def failing(environ: dict, start_response: Callable) -> Body:
        raise LookupError

    body = Body()
    for application in (failing, lambda _environ, _start: body):
        with pytest.raises(LookupError):
            list(hooks._counted(application, counters)({}, print))
    assert ended == ["begun", "begun"]
    assert body.closed == 1
