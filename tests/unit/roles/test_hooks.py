"""Gunicorn's hooks in gunicorn_hooks.py: readiness, failures, the user's hooks, what runs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import select
import signal
import ssl
import sys
import threading
import time
import types
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Callable, Iterable, Iterator

import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import marks

ROLE = Path(__file__).parents[3] / "roles/gunicorn"
HOOKS = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))["__gunicorn_hooks"]
# More than the kernel gives to any process
DEAD = (1 << 22) + 1
# Seconds in which a process does what a test waits for, also on a busy machine
SOON = 60


class Log:
    """A log of Gunicorn that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []  # those that the lines are of

    def exception(self, text: str, *arguments: object) -> None:
        """Keep a line."""
        self.lines.append(text % arguments)
        self.errors.append(str(sys.exc_info()[1]))


def redirecting(location: str, https_status: str = "200 OK") -> Callable:
    """An application that sends who comes by http elsewhere, as Django's SECURE_SSL_REDIRECT does."""

    def application(environ: dict, start_response: Callable) -> Iterable[bytes]:
        secure = environ["wsgi.url_scheme"] == "https"
        assert secure == (environ.get("HTTP_X_FORWARDED_PROTO") == "https") == (environ["SERVER_PORT"] == "443")
        start_response(https_status if secure else "301 Moved", [("Location", location)])
        return ()

    return application


def answering(*statuses: str, body: Iterable[bytes] = ()) -> Callable:
    """An application that begins its answer with each of the statuses."""

    def application(environ: dict, start_response: Callable) -> Iterable[bytes]:
        for status in statuses:
            start_response(status, [])(b"")
        return body

    return application


def failing(*_arguments: object) -> None:
    """Fail as an application does."""
    raise LookupError("no such table")


def worker_with(application: Callable | None = None, **attributes: object) -> SimpleNamespace:
    """A worker of a service that has two."""
    settings = SimpleNamespace(workers=2, worker_class_str="sync", is_ssl=False)
    more = {"max_requests": 20, "alive": True, "ppid": os.getppid(), **attributes}
    return SimpleNamespace(wsgi=application, older=[], pid=DEAD, log=Log(), cfg=settings, **more)


@pytest.fixture(autouse=True)
def _no_sleep(hooks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def gunicorn(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for the package, which the tests do not install."""
    package, config, util = (types.ModuleType(f"gunicorn{part}") for part in ("", ".config", ".util"))
    package.__version__ = "23.0.0"
    config.made = []

    class Setting:
        def set(self, value: Callable) -> None:
            self.value = value

        def get(self) -> Callable:
            return self.value

    def make_settings() -> dict[str, Setting]:
        config.made.append(1)
        return {name: Setting() for name in HOOKS}

    config.make_settings = make_settings
    for module in (package, config, util):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    package.config, package.util = config, util
    return package


@pytest.mark.parametrize(
    ("accepted", "status"),
    [([], "200 OK"), ([], "404 Not Found"), ([], "499 Odd"), ([301, 503], "301 Moved"), ([301, 503], "503 Busy")],
)
def test_accepted_answers(hooks: ModuleType, accepted: list[int], status: str) -> None:
    """Those that are listed, or without a list all below 500 but 400."""
    hooks._HEALTH_STATUSES = accepted
    hooks._ask(answering(status))


@pytest.mark.parametrize(
    ("accepted", "statuses"),
    [
        ([], ["500 Error"]),
        ([], ["99 Odd"]),
        ([], []),
        ([301], ["200 OK"]),
        ([301], []),
        ([], ["200 OK", "500 Error"]),
        ([200], ["404 Not Found"]),
    ],
)
def test_bad_answers(hooks: ModuleType, accepted: list[int], statuses: list[str]) -> None:
    """Any other status is an error that names it, as is none; of several the last one counts."""
    hooks._APP, hooks._HEALTH_PATH, hooks._HEALTH_STATUSES = "shop.wsgi", "/up", accepted
    number = statuses[-1].split()[0] if statuses else "0"
    with pytest.raises(RuntimeError, match=f"^shop.wsgi answers /up with status {number}: see what it logged"):
        hooks._ask(answering(*statuses))


@pytest.mark.parametrize("accepted", [[], [200]])
def test_a_refused_host_name(hooks: ModuleType, accepted: list[int]) -> None:
    """What an application says to a name that is not its own is no answer to a visitor: the error says what to set."""
    hooks._APP, hooks._HEALTH_HOST, hooks._HEALTH_STATUSES = "shop.wsgi", "shop", accepted
    text = (
        "^shop.wsgi answers / with status 400: if it refuses the host name 'shop', set gunicorn_health_host to one that"
    )
    with pytest.raises(RuntimeError, match=text):
        hooks._ask(answering("400 Bad Request"))
    hooks._HEALTH_STATUSES = [400]
    hooks._ask(answering("400 Bad Request"))


def test_a_host_name_that_django_refuses(hooks: ModuleType) -> None:
    """Django logs the exception."""

    class DisallowedHost(Exception):
        pass

    def application(environ: dict, start_response: Callable) -> Iterable[bytes]:
        try:
            raise DisallowedHost("Invalid HTTP_HOST header: 'localhost'.")
        except DisallowedHost as error:
            logging.getLogger("django.security.DisallowedHost").error("%s", error, exc_info=error)
        start_response("400 Bad Request", [])
        return ()

    text = (
        "answers / with status 400: ALLOWED_HOSTS lacks 'localhost': set gunicorn_health_host to a name that is in it$"
    )
    with pytest.raises(RuntimeError, match=text):
        hooks._ask(application)


@pytest.mark.parametrize("host", ["localhost", "www.example.com"])
def test_a_redirect_to_https_is_followed(hooks: ModuleType, host: str) -> None:
    """What visitors get there decides, and only that: the request goes to the application under the same name again."""
    hooks._ask(redirecting(f"https://{host}/"))
    hooks._ask(redirecting("https://elsewhere/", "301 Moved"))
    with pytest.raises(RuntimeError, match="answers / with status 500: "):
        hooks._ask(redirecting(f"https://{host}/", "500 Error"))
    with pytest.raises(RuntimeError, match="answers / with status 301: it sends a visitor to the same address again"):
        hooks._ask(redirecting("https://localhost/", "301 Moved"))


def test_a_redirect_that_is_accepted_is_not_followed(hooks: ModuleType) -> None:
    """Who lists the status wants just that."""
    hooks._HEALTH_STATUSES = [301]
    hooks._ask(redirecting("https://localhost/", "500 Error"))


def test_visitors_that_come_by_https(hooks: ModuleType) -> None:
    """The first request comes as theirs."""
    hooks._HEALTH_SCHEME = "https"
    hooks._ask(redirecting("https://localhost/"))
    with pytest.raises(RuntimeError, match="with status 500"):
        hooks._ask(redirecting("https://localhost/", "500 Error"))


def test_the_request_is_the_configured_one(hooks: ModuleType) -> None:
    """The application sees the path, the query and the host of the health request."""
    hooks._HEALTH_PATH, hooks._HEALTH_HOST = "/up?deep=1?", "www.example.com"
    seen = []
    answer = answering("200 OK")
    hooks._ask(lambda environ, start_response: seen.append(environ) or answer(environ, start_response))
    (environ,) = seen
    assert [environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")] == ["GET", "/up", "deep=1?"]
    assert {environ["HTTP_HOST"], environ["SERVER_NAME"]} == {"www.example.com"}
    assert environ["wsgi.input"].read() == b""


def test_the_answer_is_read_and_closed(hooks: ModuleType) -> None:
    """A body that fails halfway fails the request, and is closed all the same."""

    class Body:
        closed = False

        def __iter__(self) -> Iterable[bytes]:
            yield b"first"
            raise LookupError("second")

        def close(self) -> None:
            self.closed = True

    body = Body()
    with pytest.raises(LookupError, match="second"):
        hooks._ask(answering("200 OK", body=body))
    assert body.closed


def test_asgi_applications_need_a_class_for_them(hooks: ModuleType) -> None:
    """Others would answer every request with 500."""

    async def application(scope: dict, receive: Callable, send: Callable) -> None:
        raise AssertionError

    wanted = r"is an ASGI application: set gunicorn_worker_class to 'asgi' or to a class"
    with pytest.raises(RuntimeError, match=wanted):
        hooks.post_worker_init(worker_with(application))


def test_run_as_a_program(
    hooks: ModuleType, gunicorn: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application is found from the directory that Gunicorn works in, and asked."""
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", ["/elsewhere"])
    hooks._APP = "shop.wsgi"
    loaded = []
    gunicorn.util.import_app = lambda name: loaded.append((name, os.getcwd(), sys.path[0])) or answering("500 Error")
    with pytest.raises(RuntimeError, match="status 500"):
        hooks._try_application(str(tmp_path))
    assert loaded == [("shop.wsgi", str(tmp_path), str(tmp_path))]


class TestImports:
    """From a directory that the service can write to, which Gunicorn puts in front of the code."""

    @pytest.fixture
    def data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The directory, with a module that must not be found, as Gunicorn's sys.path has it."""
        (tmp_path / "harmless_module.py").touch()
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        monkeypatch.setattr(sys, "path_importer_cache", dict(sys.path_importer_cache))
        return tmp_path

    def test_nothing_is_found(self, hooks: ModuleType, data: Path) -> None:
        """Neither before Gunicorn calls a hook, nor after the caches were made anew."""
        assert importlib.util.find_spec("harmless_module")
        hooks._import_nothing_from(str(data))
        assert importlib.util.find_spec("harmless_module") is None
        importlib.invalidate_caches()
        assert importlib.util.find_spec("harmless_module") is None

    @pytest.mark.parametrize("hook", ["on_starting", "on_reload"])
    def test_processes_that_the_application_starts_do_not_inherit_it(
        self, hooks: ModuleType, gunicorn: ModuleType, data: Path, hook: str
    ) -> None:
        """Under its own name, under that of a link to it, and as the current directory."""
        (data / "link").symlink_to(data)
        sys.path[1:1] = [str(data / "link"), str(data / "code")]
        hooks._import_nothing_from(str(data / "link"))
        getattr(hooks, hook)(SimpleNamespace(cfg=None))
        assert str(data) not in sys.path
        assert str(data / "link") not in sys.path
        assert sys.path[0] == str(data / "code")

    def test_what_pythonpath_names_is_meant(
        self, hooks: ModuleType, gunicorn: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Some projects have their code there."""
        monkeypatch.setenv("PYTHONPATH", f"/etc/opt/shop::{data}/")
        hooks._import_nothing_from(str(data))
        hooks.on_starting(SimpleNamespace())
        assert importlib.util.find_spec("harmless_module")

    def test_the_trial_leaves_it_out_too(
        self, hooks: ModuleType, gunicorn: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It works there, and imports nothing from there."""
        monkeypatch.chdir("/")
        sys.path.remove(str(data))
        found = []
        gunicorn.util.import_app = lambda name: found.append((os.getcwd(), list(sys.path))) or answering("200 OK")
        hooks._import_nothing_from(str(data))
        hooks._try_application(str(data))
        ((directory, entries),) = found
        assert directory == str(data)
        assert str(data) not in entries


class TestCauses:
    """What the error of the request for the health path says of its cause."""

    @staticmethod
    def ask(hooks: ModuleType, catch: Callable) -> RuntimeError:
        """Ask an application whose framework turns an exception into an answer."""

        def application(environ: dict, start_response: Callable) -> Iterable[bytes]:
            catch()
            start_response("500 Error", [])
            return []

        hooks._APP = "shop"
        with pytest.raises(RuntimeError) as raised:
            hooks._ask(application)
        return raised.value

    @pytest.mark.parametrize("module", ["django.core.signals", "flask.signals"])
    def test_an_exception_that_is_signalled(
        self, hooks: ModuleType, monkeypatch: pytest.MonkeyPatch, module: str
    ) -> None:
        """Django logs it nowhere by default; who listens is gone after the request."""
        receivers: list[Callable] = []
        signal = SimpleNamespace(connect=receivers.append, disconnect=receivers.remove)
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(got_request_exception=signal))

        def catch() -> None:
            try:
                failing()
            except LookupError:
                for receiver in receivers:
                    receiver(sender=None, request=None)

        error = self.ask(hooks, catch)
        assert str(error) == "shop answers / with status 500: LookupError: no such table"
        assert isinstance(error.__cause__, LookupError)
        assert receivers == []

    def test_signals_that_can_not_be_had(self, hooks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        """An old Flask refuses without another package."""
        signal = SimpleNamespace(connect=failing, disconnect=failing)
        monkeypatch.setitem(sys.modules, "flask.signals", SimpleNamespace(got_request_exception=signal))
        assert str(self.ask(hooks, lambda: None)).endswith("status 500: see what it logged before this")

    def test_an_exception_that_is_logged(self, hooks: ModuleType) -> None:
        """By any framework; the logging is as it was after the request."""
        before = list(logging.getLogger().handlers)

        def catch() -> None:
            try:
                failing()
            except LookupError:
                logging.getLogger("some.framework").exception("The request failed")

        error = self.ask(hooks, catch)
        assert str(error) == "shop answers / with status 500: LookupError: no such table"
        assert isinstance(error.__cause__, LookupError)
        assert logging.getLogger().handlers == before

    def test_a_reason_that_is_logged(self, hooks: ModuleType) -> None:
        """Such as a host that is not allowed; of several the last one, and none of another thread."""

        def catch() -> None:
            logger = logging.getLogger("some.framework")
            logger.warning("First")
            logger.warning("Not Found: %s", "/up")
            logger.info("Ignored")
            other = threading.Thread(target=logger.warning, args=["Another"])
            other.start()
            other.join()

        error = self.ask(hooks, catch)
        assert str(error) == "shop answers / with status 500: Not Found: /up"
        assert error.__cause__ is None

    def test_a_long_reason_is_cut(self, hooks: ModuleType) -> None:
        """Gunicorn logs it as a whole."""
        error = self.ask(hooks, lambda: logging.getLogger("some.framework").warning("x" * 3_000_000))
        assert len(str(error)) < 1100


def test_a_worker_that_loads(hooks: ModuleType, tmp_path: Path) -> None:
    """Is left alone, and knows the workers before it."""
    loaded = []
    worker = worker_with(load_wsgi=lambda: loaded.append(1))
    hooks.post_fork(SimpleNamespace(WORKERS={7: None, 8: None}), worker)
    worker.load_wsgi()
    assert loaded == [1]
    assert worker.older == [7, 8]


@pytest.mark.parametrize("error", [LookupError, SystemExit])
def test_a_first_worker_that_does_not_load(hooks: ModuleType, error: type[BaseException]) -> None:
    """Its error reaches Gunicorn, which ends the start; an exit is an error, too, and none of the worker's own."""

    def load() -> None:
        raise error(0)

    hooks._APP = "shop.wsgi"
    worker = worker_with(load_wsgi=load)
    hooks.post_fork(SimpleNamespace(WORKERS={}), worker)
    wanted = RuntimeError if error is SystemExit else error
    with pytest.raises(wanted) as raised:
        worker.load_wsgi()
    assert error is not SystemExit or str(raised.value) == "shop.wsgi ends the process while it loads"
    assert worker.log.lines == []


@pytest.mark.parametrize("error", [LookupError, SystemExit])
def test_a_later_worker_that_does_not_load(hooks: ModuleType, tmp_path: Path, error: type[BaseException]) -> None:
    """It exits alone, with a code that does not end the others, and the log says why."""

    def load() -> None:
        raise error(0)

    (tmp_path / "ready").touch()
    hooks._APP = "shop.wsgi"
    worker = worker_with(load_wsgi=load)
    hooks.post_fork(SimpleNamespace(WORKERS={}), worker)
    with pytest.raises(SystemExit) as left:
        worker.load_wsgi()
    assert left.value.code == 1
    assert worker.log.lines == ["A new worker leaves the work to the others: shop.wsgi does not load"]


class TestMaxRequests:
    """A worker ends after so many requests, but not while root says that a new one would load what was refused."""

    @pytest.fixture
    def refused(self, runtime_directory: Path) -> Path:
        """Root's mark, which is not there."""
        return runtime_directory.with_name(f"{runtime_directory.parent.name}-{runtime_directory.name}.refused")

    @pytest.fixture
    def limit(self, hooks: ModuleType, refused: Path) -> int:
        """What a worker compares with."""
        hooks._MARK = str(refused)[: -len(".refused")]
        worker = worker_with(load_wsgi=None)
        hooks.post_fork(SimpleNamespace(WORKERS={}), worker)
        return worker.max_requests

    def test_where_the_mark_is(self, load_configuration: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        """Root and the hooks name the same file."""
        monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/gunicorn/shop")
        hooks = load_configuration(ROLE / "files/gunicorn_hooks.py")
        assert [f"{hooks._MARK}.refused", f"{hooks._MARK}.untried"] == [marks.refused("shop"), marks.untried("shop")]

    def test_without_a_mark_it_is_a_number(self, limit: int) -> None:
        """Gunicorn compares it in each class of workers in this way, and prints it."""
        assert [count >= limit for count in (0, 19, 20, 21)] == [False, False, True, True]
        assert f"{limit} %d" % limit == "20 20"

    def test_with_a_mark_it_is_not_reached(self, limit: int, refused: Path) -> None:
        """Once the mark is gone, workers end in turn, and not all at the next request."""
        refused.touch()
        assert not any(count >= limit for count in range(33))
        refused.unlink()
        assert [count for count in range(33, 45) if count >= limit] == [40, 41, 42, 43, 44]

    def test_uvicorn_has_copied_it(self, hooks: ModuleType, limit: int, refused: Path) -> None:
        """And adds its own jitter."""
        config = SimpleNamespace(limit_max_requests=20)
        hooks.post_fork(SimpleNamespace(WORKERS={}), worker_with(load_wsgi=None, config=config))
        limit = config.limit_max_requests + 2
        assert [count >= limit for count in (21, 22)] == [False, True]
        refused.touch()
        assert not limit <= 22


class TestEndedStarts:
    """A start that hangs is ended by SIGTERM at its time-out, and says what it was at: nobody else knows."""

    @pytest.fixture
    def heard(self) -> Iterator[list[int]]:
        """The signals that reach Gunicorn's own handler."""
        heard: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
        yield heard
        signal.signal(signal.SIGTERM, before)

    @staticmethod
    def told_to_end(hooks: ModuleType, while_it: str) -> SimpleNamespace:
        """A worker that SIGTERM has reached while its application did something."""
        hooks._APP = "shop"
        answer = answering("200 OK")

        def end(*_arguments: object) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        def application(environ: dict, start_response: Callable) -> Iterable[bytes]:
            if while_it == "answers":
                end()
            return answer(environ, start_response)

        worker = worker_with(application, load_wsgi=end if while_it == "loads" else lambda: None)
        hooks.post_fork(SimpleNamespace(WORKERS={}), worker)
        worker.load_wsgi()
        hooks.post_worker_init(worker)
        return worker

    @pytest.mark.parametrize(
        ("while_it", "problem"),
        [("loads", "shop does not load"), ("answers", "shop does not answer the request for /")],
    )
    def test_it_says_what_hung(self, hooks: ModuleType, heard: list[int], while_it: str, problem: str) -> None:
        """The signal does what it does otherwise, once."""
        before = signal.getsignal(signal.SIGTERM)
        worker = self.told_to_end(hooks, while_it)
        assert worker.log.lines == ["Exception in worker process"]
        assert worker.log.errors == [f"{problem} within 0 s, after which this start was ended"]
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is before

    @pytest.mark.parametrize("note", ["failed", "dirty-failed", "ready"])
    def test_it_is_silent(self, hooks: ModuleType, runtime_directory: Path, heard: list[int], note: str) -> None:
        """Where another worker has failed, whose words are the reason, and where a service that is up is stopped."""
        (runtime_directory / note).touch()
        assert self.told_to_end(hooks, "loads").log.lines == []
        assert heard == [signal.SIGTERM]

    def test_any_worker_that_fails_lets_the_others_be_silent(
        self, hooks: ModuleType, runtime_directory: Path, heard: list[int]
    ) -> None:
        """At a restart all load at the same time, and Gunicorn ends them after the first one that fails."""
        with pytest.raises(LookupError):
            hooks.post_worker_init(worker_with(failing))
        assert self.told_to_end(hooks, "loads").log.lines == []
        assert heard

    def test_a_handler_of_the_application_stays(self, hooks: ModuleType, heard: list[int]) -> None:
        """As it does without this."""

        def own(_number: int, _frame: object) -> None:
            raise AssertionError

        worker = worker_with(load_wsgi=lambda: signal.signal(signal.SIGTERM, own))
        hooks.post_fork(SimpleNamespace(WORKERS={}), worker)
        worker.load_wsgi()
        assert signal.getsignal(signal.SIGTERM) is own
        assert heard == []


class TestTurns:
    """Where nothing has loaded the application before, one worker does, and the others follow."""

    @pytest.fixture(params=["trial", "first start"])
    def untried(self, request: pytest.FixtureRequest, hooks: ModuleType, tmp_path: Path) -> Path:
        """The runtime directory of a start that is the first one."""
        directory = tmp_path / ("shop-standin" if request.param == "trial" else "shop")
        directory.mkdir()
        hooks._RUN, hooks._MARK = str(directory), str(tmp_path / "mark")
        if request.param == "first start":
            (tmp_path / "mark.untried").touch()
        return directory

    forked: list[int]  # the workers of a test

    @pytest.fixture(autouse=True)
    def _no_worker_is_left(self) -> Iterator[None]:
        """End those that a failed test leaves, some of which would never end."""
        self.forked = []
        yield
        for pid in self.forked:
            with contextlib.suppress(ChildProcessError):  # it was waited for
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def fork(
        self,
        hooks: ModuleType,
        application: Callable,
        load: Callable[[], None],
        waits: Callable[[], None] = lambda: None,
        **attributes: object,
    ) -> int:
        """Start a worker, which calls `waits` while it does; returns its process id. It exits as Gunicorn's do."""
        pid = os.fork()
        if pid:
            self.forked.append(pid)
            return pid
        time.sleep = lambda seconds: (waits(), select.select([], [], [], seconds))
        worker = worker_with(application, load_wsgi=load, **{"ppid": os.getppid(), **attributes})
        try:
            hooks.post_fork(SimpleNamespace(WORKERS={}), worker)
            worker.load_wsgi()
            hooks.post_worker_init(worker)
        except SystemExit as left:
            os._exit(left.code)
        except BaseException:
            os._exit(3)
        os._exit(0)

    @staticmethod
    def wait_for(path: Path) -> None:
        """Wait until a worker has made a file, which one that failed before that never does."""
        deadline = time.monotonic() + SOON
        while not path.exists():
            assert time.monotonic() < deadline, f"no worker has made {path.name} within {SOON} s"
            select.select([], [], [], 0.01)

    @staticmethod
    def codes(pids: list[int]) -> list[int]:
        """What they exited with."""
        deadline = time.monotonic() + SOON
        statuses: dict[int, int] = {}
        while len(statuses) < len(pids):
            for pid in pids:
                if pid not in statuses and (ended := os.waitpid(pid, os.WNOHANG))[0]:
                    statuses[pid] = ended[1]
            assert time.monotonic() < deadline, f"of {len(pids)} workers, {len(statuses)} have ended within {SOON} s"
            select.select([], [], [], 0.01)
        return [os.waitstatus_to_exitcode(statuses[pid]) for pid in pids]

    def test_one_that_waits_ends_when_it_is_told_to(self, hooks: ModuleType, untried: Path) -> None:
        """Before its loop runs, a worker for ASGI would not notice."""
        begun = untried.parent / "begun"

        def forever() -> None:
            begun.touch()
            select.select([], [], [])

        before = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
        try:
            first = self.fork(hooks, answering("200 OK"), forever)
            self.wait_for(begun)
            waited = untried.parent / "waited"
            other = self.fork(hooks, answering("200 OK"), forever, waits=waited.touch)
            self.wait_for(waited)
            os.kill(other, signal.SIGTERM)
            assert self.codes([other]) == [0]
            # The one whose turn it is has its own way to end again.
            os.kill(first, signal.SIGTERM)
            assert os.waitpid(first, os.WNOHANG) == (0, 0)
            os.kill(first, signal.SIGKILL)
            assert self.codes([first]) == [-signal.SIGKILL]
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_one_loads_before_the_others(self, hooks: ModuleType, untried: Path) -> None:
        """They set up their data only if it is not there, which at the same time each would find."""
        tables = untried.parent / "tables"

        def load() -> None:
            if not tables.exists():
                select.select([], [], [], 0.2)
                tables.touch(exist_ok=False)

        pids = [self.fork(hooks, answering("200 OK"), load) for _number in range(4)]
        assert self.codes(pids) == [0, 0, 0, 0]

    @pytest.mark.parametrize("fails", ["load", "answer"])
    def test_if_it_fails_the_others_do_not_try(self, hooks: ModuleType, untried: Path, fails: str) -> None:
        """Gunicorn ends them, and the application is loaded once."""
        loaded = untried.parent / "loaded"

        def load() -> None:
            with loaded.open("a") as file:
                file.write("x")
            select.select([], [], [], 0.1)
            if fails == "load":
                raise LookupError

        first = self.fork(hooks, failing, load)
        self.wait_for(loaded)
        # Its master is another one, as if it had ended; a living one sends TERM.
        others = [self.fork(hooks, failing, load, alive=False), self.fork(hooks, failing, load, ppid=DEAD)]
        assert self.codes([first, *others]) == [3, 0, 0]
        assert loaded.read_text() == "x"
        assert (untried / "failed").exists()

    def test_if_it_is_killed_another_one_loads(self, hooks: ModuleType, untried: Path) -> None:
        """The kernel takes its lock away."""
        loaded = untried.parent / "loaded"

        def hang() -> None:
            loaded.touch()
            select.select([], [], [], 60)

        first = self.fork(hooks, answering("200 OK"), hang)
        self.wait_for(loaded)
        second = self.fork(hooks, answering("200 OK"), lambda: None)
        select.select([], [], [], 0.1)
        os.kill(first, signal.SIGKILL)
        assert self.codes([first, second]) == [-signal.SIGKILL, 0]

    def test_a_worker_that_waits_does_not_say_that_it_lives(self, hooks: ModuleType, untried: Path) -> None:
        """From then on, Gunicorn would kill it if it loads the application for longer than `timeout`."""
        lock = (untried / "first").open("w")
        fcntl.lockf(lock, fcntl.LOCK_EX)
        waited, notified = untried.parent / "waited", untried.parent / "notified"
        pid = self.fork(hooks, answering("200 OK"), lambda: None, waits=waited.touch, notify=notified.touch)
        self.wait_for(waited)
        lock.close()
        assert self.codes([pid]) == [0]
        assert not notified.exists()

    def test_a_start_of_what_was_tried_waits_for_nobody(self, hooks: ModuleType, tmp_path: Path) -> None:
        """A restart takes no longer than before."""
        worker = worker_with(answering("200 OK"), load_wsgi=lambda: None)
        hooks.post_fork(SimpleNamespace(WORKERS={}), worker)
        worker.load_wsgi()
        assert list(tmp_path.iterdir()) == []


def test_a_worker_that_leaves_waits(hooks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its replacement starts at once, so that without a second between them they would take all of a core."""
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    with pytest.raises(SystemExit):
        hooks._leave(worker_with(), "it fails")
    assert slept == [1]


def test_a_first_worker_with_a_bad_answer(hooks: ModuleType, tmp_path: Path) -> None:
    """Its error reaches Gunicorn, and nothing says that it is ready."""
    with pytest.raises(LookupError):
        hooks.post_worker_init(worker_with(failing))
    assert [path.name for path in tmp_path.iterdir()] == ["failed"]


def test_a_later_worker_with_a_bad_answer(hooks: ModuleType, tmp_path: Path) -> None:
    """It leaves the work to an older one that is ready."""
    (tmp_path / "ready").touch()
    (tmp_path / "worker-8").touch()
    worker = worker_with(failing)
    worker.older = [7, 8]
    with pytest.raises(SystemExit) as left:
        hooks.post_worker_init(worker)
    assert left.value.code == 1
    assert {path.name for path in tmp_path.iterdir()} == {"ready", "worker-8"}
    assert worker.log.lines == ["A new worker leaves the work to the others: the request for / failed"]


def test_a_bad_answer_is_better_than_none(hooks: ModuleType, tmp_path: Path) -> None:
    """Without an older worker that is ready, the new one works, and the log says that its request failed."""
    (tmp_path / "ready").touch()
    worker = worker_with(failing)
    worker.older = [7]
    hooks.post_worker_init(worker)
    assert (tmp_path / f"worker-{os.getpid()}").exists()
    assert worker.log.lines == ["The request for / failed, and no other worker is left"]


def test_the_service_is_ready_once_all_workers_are(hooks: ModuleType, tmp_path: Path) -> None:
    """One of two is not enough; what an ended worker left does not count, and is removed."""
    (tmp_path / f"worker-{DEAD}").touch()
    hooks.post_worker_init(worker_with(answering("200 OK")))
    assert not (tmp_path / "ready").exists()
    assert [path.name for path in tmp_path.glob("worker-*")] == [f"worker-{os.getpid()}"]
    (tmp_path / f"worker-{os.getppid()}").touch()
    hooks._say_ready(worker_with())
    assert (tmp_path / "ready").exists()


def test_without_a_runtime_directory(hooks: ModuleType, gunicorn: ModuleType, tmp_path: Path) -> None:
    """Gunicorn works as it does by hand: nothing is written, and nothing fails."""
    hooks._RUN = None
    hooks.when_ready(None)
    hooks.post_worker_init(worker_with(answering("200 OK")))
    hooks.child_exit(None, worker_with())
    assert list(tmp_path.iterdir()) == []
    assert not hooks._replaces_another()


@pytest.mark.parametrize("hook", ["when_ready", "on_reload"])
def test_what_runs_is_told(hooks: ModuleType, gunicorn: ModuleType, tmp_path: Path, hook: str) -> None:
    """By process, command, environment and version, and by the hash of the configuration that was loaded."""
    getattr(hooks, hook)(SimpleNamespace(cfg=None))
    assert json.loads((tmp_path / "running.json").read_text()) == {
        "pid": os.getpid(),
        "argv": sys.argv,
        "prefix": sys.prefix,
        "gunicorn_version": "23.0.0",
        "configuration_sha256": hashlib.sha256(Path(hooks.__file__).read_bytes()).hexdigest(),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["running.json"]


def test_the_hash_is_of_what_was_loaded(
    load_configuration: Callable[[Path], ModuleType], gunicorn: ModuleType, tmp_path: Path
) -> None:
    """A file that is replaced while Gunicorn runs is not what runs."""
    path = tmp_path / "gunicorn.conf.py"
    text = (ROLE / "files/gunicorn_hooks.py").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    loaded = load_configuration(path)
    path.write_text("threads = 3\n")
    loaded.when_ready(None)
    said = json.loads((tmp_path / "running.json").read_text())
    assert said["configuration_sha256"] == hashlib.sha256(text.encode()).hexdigest()


class DirtyWorker:
    """Gunicorn's class, as far as the hooks know it."""

    app_paths = ("jobs:Model", "jobs:Other")
    alive = True

    def load_apps(self) -> None:
        """Fail as an app's init() does."""
        raise LookupError("no model")


class Arbiter:
    """The process that starts dirty workers."""

    def __init__(self, counts: tuple = (None,), workers: int = 2) -> None:
        self.app_specs = {str(number): {"worker_count": count} for number, count in enumerate(counts)}
        self.num_workers, self.pid, self.alive = workers, os.getpid(), True
        self.workers: dict[int, object] = {}
        self.cfg = SimpleNamespace(graceful_timeout=5)
        self.handled: list[int] = []
        self._loop = None

    def _signal_handler(self, number: int, _frame: object) -> None:
        self.handled.append(number)

    async def handle_client(self, reader: object, _writer: object) -> None:
        """Serve a web worker until it ends."""
        await reader


CALLS = {
    "on_starting": [SimpleNamespace()],
    "when_ready": [SimpleNamespace()],
    "on_reload": [SimpleNamespace(cfg=None)],
    "post_fork": [SimpleNamespace(WORKERS={}), worker_with(load_wsgi=None)],
    "post_worker_init": [worker_with(answering("200 OK"))],
    "pre_request": [worker_with(), SimpleNamespace()],
    "post_request": [worker_with(), SimpleNamespace(), {}, SimpleNamespace()],
    "on_dirty_starting": [Arbiter()],
    "dirty_worker_init": [SimpleNamespace()],
    "dirty_worker_exit": [Arbiter(), SimpleNamespace(pid=DEAD, app_paths=["jobs:Model"])],
    "child_exit": [SimpleNamespace(log=Log()), worker_with()],
}


def test_hooks_are_the_ones_that_the_role_knows(hooks: ModuleType) -> None:
    """The role passes the user's settings of these names to the hooks, and all others to Gunicorn."""
    functions = {name for name, value in vars(hooks).items() if isinstance(value, types.FunctionType)}
    assert {name for name in functions if not name.startswith("_")} == set(HOOKS) == set(CALLS)


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_of_the_user_are_called(
    hooks: ModuleType, gunicorn: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what Gunicorn calls ours with, and looked up once."""
    for part in ("gunicorn.dirty", "gunicorn.dirty.worker"):
        monkeypatch.setitem(sys.modules, part, ModuleType(part))
    sys.modules["gunicorn.dirty.worker"].DirtyWorker = type("DirtyWorker", (DirtyWorker,), {})
    calls = []
    hooks._USERS_HOOKS = {name: lambda *arguments: calls.append(arguments)}
    for _time in range(2):
        getattr(hooks, name)(*CALLS[name])
    assert calls == [tuple(CALLS[name])] * 2
    assert gunicorn.config.made == [1]


def test_a_hook_of_the_user_comes_before_the_request(hooks: ModuleType, gunicorn: ModuleType) -> None:
    """An application may need what post_worker_init sets up in a worker."""
    order = []
    hooks._USERS_HOOKS = {"post_worker_init": lambda worker: order.append("hook")}
    answer = answering("200 OK")
    hooks.post_worker_init(worker_with(lambda *arguments: order.append("request") or answer(*arguments)))
    assert order == ["hook", "request"]


def test_requests_are_counted(hooks: ModuleType, tmp_path: Path) -> None:
    """From a worker's start on, and after its end."""
    worker = worker_with(answering("200 OK"))
    worker.pid = os.getpid()
    hooks.post_worker_init(worker)
    for _number in range(3):
        request = SimpleNamespace()
        hooks.pre_request(worker, request)
        hooks.post_request(worker, request, {}, None)
    assert request_counters.summarize(request_counters.read_all(str(tmp_path)), 0).count == 3
    hooks.child_exit(SimpleNamespace(log=Log()), worker)
    assert (tmp_path / "requests-0").exists()
    assert not (tmp_path / f"requests-{os.getpid()}").exists()
    assert request_counters.summarize(request_counters.read_all(str(tmp_path)), 0).count == 3


@pytest.mark.parametrize(("kind", "accounts"), [("sync", True), ("gthread", True), ("gevent", False)])
def test_only_threads_have_an_account(
    hooks: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: str, accounts: bool
) -> None:
    """The kernel's account of a thread says nothing about greenlets, which share it."""
    given = []
    monkeypatch.setattr(hooks, "_Counters", given.append)
    worker = worker_with()
    worker.cfg.worker_class_str = kind
    hooks._count(worker)
    assert given == [accounts]


def test_a_request_that_began_before_counting(hooks: ModuleType, tmp_path: Path) -> None:
    """It has no beginning, and is not counted."""
    hooks._count(worker_with())
    hooks.post_request(worker_with(), SimpleNamespace(), {}, None)
    assert request_counters.summarize(request_counters.read_all(str(tmp_path)), 0) is None


def test_a_full_disk_stops_no_worker(hooks: ModuleType, tmp_path: Path) -> None:
    """The worker works without counters, and the log says so."""
    hooks._RUN = str(tmp_path / "missing")
    worker, request = worker_with(), SimpleNamespace()
    hooks._count(worker)
    hooks.pre_request(worker, request)
    hooks.post_request(worker, request, {}, None)
    assert worker.log.lines == ["The requests of this worker are not counted"]


@pytest.mark.parametrize("content", [b"odd", b"", b"12345678"])
def test_counts_that_are_lost_end_no_master(
    hooks: ModuleType, gunicorn: ModuleType, tmp_path: Path, content: bytes
) -> None:
    """Whatever a worker left in its file, the log says that it is lost, and the user's hook is called."""
    calls = []
    hooks._USERS_HOOKS = {"child_exit": lambda *arguments: calls.append(arguments)}
    (tmp_path / "requests-0").write_bytes(bytes(840))
    (tmp_path / f"requests-{DEAD}").write_bytes(content)
    server = SimpleNamespace(log=Log())
    worker = worker_with()
    hooks.child_exit(server, worker)
    assert server.log.lines == [f"What worker {DEAD} counted is lost"]
    assert calls == [(server, worker)]


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file"), ssl.SSLError("PEM lib"), ValueError("what?"), None]
)
def test_a_certificate_that_does_not_work(
    hooks: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """The worker does not serve: Gunicorn would refuse each visitor, one by one."""

    def ssl_context(cfg: SimpleNamespace) -> None:
        assert cfg.certfile == "/etc/tls.pem"
        if error:
            raise error

    gunicorn = ModuleType("gunicorn")
    gunicorn.sock = SimpleNamespace(ssl_context=ssl_context)
    monkeypatch.setitem(sys.modules, "gunicorn", gunicorn)
    worker = worker_with(answering("200 OK"))
    worker.cfg.is_ssl, worker.cfg.certfile = True, "/etc/tls.pem"
    if not error:
        hooks.post_worker_init(worker)
        return
    with pytest.raises(RuntimeError, match=r"TLS with the certificate /etc/tls.pem does not work: "):
        hooks.post_worker_init(worker)


@pytest.fixture
def dirty(monkeypatch: pytest.MonkeyPatch) -> type:
    """The class in its module."""
    made = type("DirtyWorker", (DirtyWorker,), {"load_apps": DirtyWorker.load_apps})
    for name in ("gunicorn", "gunicorn.dirty", "gunicorn.dirty.worker"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["gunicorn.dirty.worker"].DirtyWorker = made
    return made


def web_worker() -> SimpleNamespace:
    """A web worker of a service with dirty workers."""
    worker = worker_with(answering("200 OK"))
    worker.cfg.dirty_workers, worker.cfg.dirty_apps = 2, ["jobs:Model"]
    return worker


@pytest.mark.parametrize(
    ("counts", "workers", "wanted"), [((None,), 2, 2), ((1,), 4, 1), ((1, 3), 4, 3), ((9,), 4, 4), ((1, None), 4, 4), ((), 2, 2)]
)  # fmt: skip
def test_how_many_dirty_workers_are_waited_for(
    hooks: ModuleType, dirty: type, runtime_directory: Path, counts: tuple, workers: int, wanted: int
) -> None:
    """Gunicorn starts no more than the apps ask for."""
    assert dirty
    hooks.on_dirty_starting(Arbiter(counts, workers))
    assert (runtime_directory / "dirty-wanted").read_text() == str(wanted)


def test_a_web_worker_waits_for_all_dirty_workers(
    hooks: ModuleType, dirty: type, runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ready only then; those that have ended do not count, and one that is replaced does not wait."""
    assert dirty
    hooks.on_dirty_starting(Arbiter())
    hooks.dirty_worker_init(SimpleNamespace())
    (runtime_directory / f"dirty-{DEAD}").touch()
    worker = web_worker()
    waits = []

    def wait(_seconds: float) -> None:
        waits.append(1)
        if len(waits) == 3:
            (runtime_directory / "dirty-1").touch()

    monkeypatch.setattr("time.sleep", wait)
    hooks.post_worker_init(worker)
    assert len(waits) == 3
    assert (runtime_directory / f"worker-{os.getpid()}").exists()
    assert not (runtime_directory / f"dirty-{DEAD}").exists()
    (runtime_directory / "ready").touch()
    (runtime_directory / "dirty-wanted").unlink()
    hooks.post_worker_init(worker)
    assert len(waits) == 3


@pytest.mark.parametrize("told", ["by a signal", "in its loop", "by the end of its master"])
def test_a_web_worker_that_waits_for_dirty_workers_ends_when_it_is_told_to(
    hooks: ModuleType, dirty: type, runtime_directory: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """Such as by the end of a trial in which they hang. Before its loop runs, a worker for ASGI hears no signal."""
    assert dirty
    hooks.on_dirty_starting(Arbiter())
    worker = web_worker()

    def wait(_seconds: float) -> None:
        if told == "by a signal":
            os.kill(os.getpid(), signal.SIGTERM)
        elif told == "in its loop":
            worker.alive = False
        else:
            worker.ppid = DEAD

    def own(_number: int, _frame: object) -> None:
        raise AssertionError

    monkeypatch.setattr("time.sleep", wait)
    before = signal.signal(signal.SIGTERM, own)
    try:
        with pytest.raises(SystemExit) as caught:
            hooks.post_worker_init(worker)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == 0
    assert not (runtime_directory / f"worker-{os.getpid()}").exists()
    hung = "jobs:Model of dirty_apps does not start within 0 s, after which this start was ended"
    assert worker.log.errors == ([hung] if told == "by a signal" else [])


def test_a_broken_dirty_app_ends_a_start(hooks: ModuleType, dirty: type, runtime_directory: Path) -> None:
    """The web worker fails with the app's own words; a service that is up goes on."""
    hooks.on_dirty_starting(Arbiter())
    with pytest.raises(LookupError):
        dirty().load_apps()
    with pytest.raises(
        RuntimeError, match=r"^jobs:Model, jobs:Other of dirty_apps does not start: LookupError: no model$"
    ):
        hooks.post_worker_init(web_worker())
    (runtime_directory / "dirty-failed").unlink()
    (runtime_directory / "ready").touch()
    with pytest.raises(LookupError):
        dirty().load_apps()
    assert not (runtime_directory / "dirty-failed").exists()


def test_a_dirty_worker_that_is_killed_while_it_starts(hooks: ModuleType, runtime_directory: Path) -> None:
    """It has said nothing itself. One that was ready, and one at the service's end, are no failure."""
    worker = SimpleNamespace(pid=7, app_paths=["jobs:Model"])
    arbiter = Arbiter()
    arbiter.alive = False
    hooks.dirty_worker_exit(arbiter, worker)
    arbiter.alive = True
    (runtime_directory / "dirty-7").touch()
    hooks.dirty_worker_exit(arbiter, worker)
    assert not (runtime_directory / "dirty-failed").exists()
    (runtime_directory / "dirty-7").unlink()
    hooks.dirty_worker_exit(arbiter, worker)
    with pytest.raises(
        RuntimeError, match="jobs:Model of dirty_apps does not start: its worker ended while it started"
    ):
        hooks.post_worker_init(web_worker())


def test_a_dirty_worker_after_one_that_failed(
    hooks: ModuleType, dirty: type, runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins a second later, as Gunicorn starts it at once; after one that was ready, it does not wait."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    dirty.load_apps = lambda worker: None
    hooks.on_dirty_starting(Arbiter())
    dirty().load_apps()
    hooks.dirty_worker_exit(Arbiter(), SimpleNamespace(pid=7, app_paths=["jobs:Model"]))
    dirty().load_apps()
    assert slept == [1]
    (runtime_directory / "dirty-7").touch()
    hooks.dirty_worker_exit(Arbiter(), SimpleNamespace(pid=7, app_paths=["jobs:Model"]))
    dirty().load_apps()
    assert slept == [1]


def test_a_dirty_worker_that_is_told_to_end_while_it_loads(hooks: ModuleType, dirty: type) -> None:
    """It ends then: Gunicorn forgets the signal, and waits."""
    dirty.load_apps = lambda worker: None
    hooks.on_dirty_starting(Arbiter())
    worker = dirty()
    worker.alive = False
    with pytest.raises(SystemExit) as caught:
        worker.load_apps()
    assert caught.value.code == 0


def test_signals_of_dirty_workers(hooks: ModuleType, dirty: type) -> None:
    """USR1 reaches them; at TERM they stay until the web workers have gone, and QUIT ends them at once."""
    assert dirty
    arbiter = Arbiter()
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        hooks.on_dirty_starting(arbiter)
        arbiter.workers = {os.getpid(): None, DEAD: None}
        arbiter._signal_handler(signal.SIGUSR1, None)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (arbiter.handled, heard) == ([signal.SIGUSR1], [signal.SIGUSR1])

    async def serve() -> None:
        arbiter._loop = asyncio.get_running_loop()
        gone = arbiter._loop.create_future()
        client = asyncio.ensure_future(arbiter.handle_client(gone, "web worker"))
        await asyncio.sleep(0)
        arbiter._signal_handler(signal.SIGTERM, None)
        await asyncio.sleep(0.1)
        assert signal.SIGTERM not in arbiter.handled
        gone.set_result(None)
        await client
        await asyncio.sleep(0.2)
        assert arbiter.handled[-1] == signal.SIGTERM
        arbiter._signal_handler(signal.SIGQUIT, None)
        assert arbiter.handled[-1] == signal.SIGQUIT

    asyncio.run(serve())


def test_idle_dirty_workers_end_at_once(hooks: ModuleType, dirty: type) -> None:
    """From Python 3.12 on, each that had a task would wait for the end of its connection until it is killed."""
    assert dirty
    arbiter = Arbiter()
    did: list[str] = []
    writer = SimpleNamespace(close=lambda: did.append("closed"))
    arbiter.worker_connections = {7: (None, writer)}
    arbiter._signal_handler = lambda number, _frame: did.append(signal.Signals(number).name)
    hooks.on_dirty_starting(arbiter)

    async def serve() -> None:
        arbiter._loop = asyncio.get_running_loop()
        arbiter._signal_handler(signal.SIGTERM, None)
        await asyncio.sleep(0.1)

    asyncio.run(serve())
    assert did == ["closed", "SIGTERM"]


def test_dirty_workers_end_although_a_web_worker_stays(hooks: ModuleType, dirty: type) -> None:
    """Gunicorn kills them after graceful_timeout: a second before that, they are told to end."""
    assert dirty
    arbiter = Arbiter()
    arbiter.cfg.graceful_timeout = 1.2
    arbiter.worker_connections = {7: (None, None)}
    hooks.on_dirty_starting(arbiter)

    async def serve() -> None:
        arbiter._loop = asyncio.get_running_loop()
        client = asyncio.ensure_future(arbiter.handle_client(arbiter._loop.create_future(), "web worker"))
        await asyncio.sleep(0)
        arbiter._signal_handler(signal.SIGTERM, None)
        await asyncio.sleep(0.5)
        # Their connections stay, for the tasks that they may still finish.
        assert arbiter.handled == [signal.SIGTERM]
        client.cancel()

    asyncio.run(serve())


@pytest.mark.usefixtures("gunicorn")
@pytest.mark.parametrize("has_dirty_workers", [False, True])
def test_a_reload_says_what_it_does_not_bring(hooks: ModuleType, has_dirty_workers: bool) -> None:
    """Gunicorn leaves dirty workers with their old code."""
    warned: list[str] = []
    settings = SimpleNamespace(dirty_workers=2, dirty_apps=["jobs:Model"] if has_dirty_workers else [])
    hooks.on_reload(SimpleNamespace(cfg=settings, log=SimpleNamespace(warning=warned.append)))
    expected = ["A reload brings no new code of the dirty apps: restart the service"]
    assert warned == (expected if has_dirty_workers else [])


def test_each_instance_has_its_own_dirty_workers(hooks: ModuleType, runtime_directory: Path) -> None:
    """Where both see the same /tmp, a stand-in would end those of the live service."""
    server = SimpleNamespace()
    hooks.on_starting(server)
    assert server._get_dirty_pidfile_path() == f"{runtime_directory}/dirty.pid"
