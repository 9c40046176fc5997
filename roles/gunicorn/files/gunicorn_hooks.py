"""Gunicorn's hooks: they try the application, say what runs and when it is ready, and count requests.

The template gunicorn.conf.py.j2 embeds this text and assigns the values of a deployment after it. Gunicorn takes each
global name that is one of its settings: the hooks have the names that it wants, and everything else begins with "_",
with a capital letter, or is a module.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import functools
import glob
import hashlib
import inspect
import io
import json
import logging
import mmap
import os
import signal
import sys
import threading
import time
from typing import Any, Callable, Iterator, NoReturn

# A host has no collection to import from: the template puts the texts of these modules in place of the lines.
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.asgi_application import AsgiApplication
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.counters_format import CountersFormat
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.health_answer import HealthAnswer

# Defaults: the template assigns the values of a deployment.
_APP = ""
_HEALTH_PATH = "/"
_HEALTH_HOST = "localhost"
_HEALTH_SCHEME = "http"  # by which visitors come
_HEALTH_STATUSES: list[int] = []  # if empty, HealthAnswer knows which ones are accepted
_LEFT_OUT = ""  # the directory of which _import_nothing_from was told
_USERS_HOOKS: dict[str, Any] = {}  # those in gunicorn_settings that have the name of one below

_LONGEST_REASON = 1000  # characters of what an exception says
_RUN = os.environ.get("RUNTIME_DIRECTORY")  # set by systemd or our launcher; without it nobody asks what runs
_MARK = "-".join(os.path.split(_RUN or ""))  # how the paths of root's marks for the service begin
# Read now, as the file may be replaced while this process runs.
with open(__file__, "rb") as _file:
    _SHA256 = hashlib.sha256(_file.read()).hexdigest()


class _Nothing:
    """Finds no module in a directory of sys.path."""

    @staticmethod
    def find_spec(_name: str, _target: object = None) -> None:
        """Find nothing."""


def _import_nothing_from(directory: str) -> None:
    """Leave out a directory that the service can write to, unless PYTHONPATH names it: for the end of this file.

    Gunicorn puts its working directory in front of the code, after it has loaded this file. A file that the application
    writes there would become a module at the next start.
    """
    global _LEFT_OUT
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if os.path.realpath(directory) not in map(os.path.realpath, filter(None, entries)):
        _LEFT_OUT = os.path.realpath(directory)
        for entry in (directory, _LEFT_OUT):
            sys.path_importer_cache[entry] = _Nothing()  # type: ignore[assignment]


def _forget_left_out() -> None:
    """Take the directory out of sys.path, which processes that the application starts may inherit."""
    if _LEFT_OUT:
        sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != _LEFT_OUT]


# They call an application as WSGI says, and would answer every request for another one with 500.
_WSGI_CLASSES = ("sync", "gthread", "eventlet", "gevent", "gevent_wsgi", "gevent_pywsgi", "tornado")


def _is_asgi(application: Any) -> bool:
    """Return whether an application is one for ASGI."""
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(application.__call__)


def _ask(application: Any) -> None:
    """Send the application one request in this process; raises RuntimeError if its answer is not accepted.

    If it leads to https, the application is asked again as by somebody who has followed.
    """
    _judge(functools.partial(_answer, application))


def _judge(ask: Callable[[str], tuple[HealthAnswer, _Causes]]) -> None:
    """Have the request sent as by a visitor who comes by a scheme; raises RuntimeError as `_ask` does."""
    answer, causes = ask(_HEALTH_SCHEME)
    if answer.wants_https(_HEALTH_STATUSES):
        answer, causes = ask("https")
    _accept(answer, causes)


async def _ask_asgi(application: AsgiApplication) -> None:
    """Do what `_ask` does, for an application for ASGI that has started up."""
    try:
        answer, causes = await _asgi_answer(application, _HEALTH_SCHEME)
        if answer.wants_https(_HEALTH_STATUSES):
            answer, causes = await _asgi_answer(application, "https")
    except TypeError as error:
        if _is_asgi(application.application):
            raise
        advice = "set gunicorn_worker_class to one for WSGI, such as 'sync'"
        raise RuntimeError(f"{_APP} is no ASGI application: {advice}") from error
    _accept(answer, causes)


def _accept(answer: HealthAnswer, causes: _Causes) -> None:
    """Raise RuntimeError with the causes if an answer is not accepted."""
    problem = answer.problem(_HEALTH_STATUSES)
    if not problem:
        return
    error = causes.errors[-1] if causes.errors else None
    if type(error).__name__ == "DisallowedHost":
        reason = f"ALLOWED_HOSTS lacks {_HEALTH_HOST!r}: set gunicorn_health_host to a name that is in it"
    elif error:
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = answer.advice() or causes.message or "see what it logged before this"
    raise RuntimeError(f"{_APP} {problem}: {reason[:_LONGEST_REASON]}") from error


def _answer(application: Any, scheme: str) -> tuple[HealthAnswer, _Causes]:
    """Return what the application answers to the request, and why it does."""
    path, _mark, query = _HEALTH_PATH.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": _HEALTH_PATH,  # Gunicorn's own
        "HTTP_HOST": _HEALTH_HOST,
        "HTTP_USER_AGENT": "gunicorn-health",
        "SERVER_NAME": _HEALTH_HOST,
        "SERVER_PORT": {"http": "80", "https": "443"}[scheme],
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scheme == "https":
        # As the web server in front says it, in which case Gunicorn sets the scheme
        environ["HTTP_X_FORWARDED_PROTO"] = "https"
    answers: list[tuple[str, list]] = []

    def start_response(status: str, headers: list, exc_info: Any = None) -> Any:
        answers.append((status, headers))
        return lambda data: None

    with _causes_noted() as causes:
        body = application(environ, start_response)
        try:
            for _part in body:
                pass
        finally:
            getattr(body, "close", lambda: None)()
    status, headers = answers[-1] if answers else ("0", [])
    location = [value for name, value in headers if name.lower() == "location"]
    return HealthAnswer(scheme, _HEALTH_HOST, _HEALTH_PATH, int(status.split()[0]), *location[:1]), causes


async def _asgi_answer(application: AsgiApplication, scheme: str) -> tuple[HealthAnswer, _Causes]:
    """Do what `_answer` does, for an application for ASGI."""
    # It may answer in other threads; no other request is under way.
    with _causes_noted(all_threads=True) as causes:
        status, headers = await application.get(scheme, _HEALTH_HOST, _HEALTH_PATH)
    location = [value for name, value in headers if name == "location"]
    return HealthAnswer(scheme, _HEALTH_HOST, _HEALTH_PATH, status, *location[:1]), causes


class _Causes:
    """Why an application answers as it does: the exceptions that its framework has caught, and its last message."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.message = ""


@contextlib.contextmanager
def _causes_noted(all_threads: bool = False) -> Iterator[_Causes]:
    """Note meanwhile why the application answers as it does: some frameworks log it only where they are told to.

    Django and Flask send a signal for each exception that they turn into an answer. They and others log it, or another
    reason for an answer, by the standard library.
    """
    causes = _Causes()

    def note(*_arguments: object, **_named: object) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            causes.errors.append(error)

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread != thread and not all_threads:
                return
            if record.exc_info and record.exc_info[1]:
                causes.errors.append(record.exc_info[1])
            causes.message = record.getMessage()

        def handleError(self, record: logging.LogRecord) -> None:
            """Be silent on a message that can't be made: the application's own handlers say so."""

    thread = threading.get_ident()
    handler = Noting(logging.WARNING)
    modules = (sys.modules.get(name) for name in ("django.core.signals", "flask.signals"))
    signals = [module.got_request_exception for module in modules if hasattr(module, "got_request_exception")]
    connected = []
    logging.getLogger().addHandler(handler)
    try:
        for signal in signals:
            with contextlib.suppress(Exception):  # an old Flask has signals only with another package
                signal.connect(note)
                connected.append(signal)
        yield causes
    finally:
        logging.getLogger().removeHandler(handler)
        for signal in connected:
            signal.disconnect(note)


def _try_application(directory: str) -> None:
    """Load the application in this directory, as a worker does, and send it one request: the file run as a program."""
    from gunicorn.util import import_app

    os.chdir(directory)
    if os.getcwd() != _LEFT_OUT:
        sys.path.insert(0, os.getcwd())
    application = import_app(_APP)
    if _is_tornados(application):
        _ask_tornados(application)
    elif _is_asgi(application):
        import asyncio

        asyncio.run(_try_asgi(AsgiApplication(application)))
    else:
        _ask(application)


async def _try_asgi(application: AsgiApplication) -> None:
    """Start an application for ASGI up, send it one request, and shut it down."""
    await _start(application)
    await _ask_asgi(application)
    await application.end()


async def _start(application: AsgiApplication) -> None:
    try:
        await application.start()
    except RuntimeError as error:
        raise RuntimeError(f"{_APP} does not start up: {str(error)[:_LONGEST_REASON]}") from error.__cause__


def _users_hook(name: str, *arguments: Any) -> None:
    """Call the user's hook of this name after or before ours, if gunicorn_settings has one."""
    if name in _USERS_HOOKS:
        _find_hook(name)(*arguments)


@functools.lru_cache(maxsize=None)
def _find_hook(name: str) -> Any:
    """Return the user's hook, which may be given as a dotted path, as Gunicorn itself finds it."""
    from gunicorn.config import make_settings

    setting = make_settings()[name]
    setting.set(_USERS_HOOKS[name])
    return setting.get()


def _publish() -> None:
    """Write what runs to running.json: the role compares it with what is wanted."""
    import gunicorn

    running = {
        "pid": os.getpid(),
        "argv": sys.argv,
        "prefix": sys.prefix,
        "gunicorn_version": gunicorn.__version__,
        "configuration_sha256": _SHA256,
    }
    if _RUN:
        with open(f"{_RUN}/running.json.new", "w") as file:
            json.dump(running, file)
        os.replace(f"{_RUN}/running.json.new", f"{_RUN}/running.json")


def on_starting(server: Any) -> None:
    """Prepare the master, which has loaded the configuration and starts no worker yet."""
    _forget_left_out()
    if _RUN:
        # Gunicorn's own is in /tmp, by the application's name: a stand-in would end the live service's dirty workers.
        server._get_dirty_pidfile_path = lambda: f"{_RUN}/dirty.pid"
    _users_hook("on_starting", server)


def when_ready(server: Any) -> None:
    """Say what runs, once the master listens."""
    _publish()
    _users_hook("when_ready", server)


def on_reload(server: Any) -> None:
    """Say what runs, which a reload may have changed."""
    _forget_left_out()
    _publish()
    if _has_dirty_workers(server.cfg):
        server.log.warning("A reload brings no new code of the dirty apps: restart the service")
    _users_hook("on_reload", server)


def _replaces_another() -> bool:
    """Return whether the service was ready before this worker started: then a failure must not end the others."""
    return bool(_RUN) and os.path.exists(f"{_RUN}/ready")


_LEAVES = "A new worker leaves the work to the others: %s"


def _leave(worker: Any, problem: str) -> NoReturn:
    """End this worker alone, and let the master start another one.

    Gunicorn ends all workers if one exits with the code for a failed start. It replaces one that exits with 1 at once,
    so this waits for a second.
    """
    worker.log.exception(_LEAVES, problem)
    time.sleep(1)
    sys.exit(1)


class _Limit(int):
    """After how many requests a worker ends: not while code was refused that a new worker would load."""

    next: int

    def __new__(cls, value: int) -> _Limit:
        """Make one, with the number of requests at which it is looked at next."""
        limit = super().__new__(cls, value)
        limit.next = int(value)
        return limit

    def __le__(self, requests: int) -> bool:
        """Return whether it is reached: all classes of workers ask `requests >= limit`, which Python turns round."""
        if requests >= self.next and os.path.exists(f"{_MARK}.refused"):
            # Later workers then don't end all at once.
            self.next = requests + int(self)
        return requests >= self.next

    def __add__(self, jitter: int) -> _Limit:
        """Return a limit again, also where Uvicorn adds its own jitter."""
        return _Limit(int(self) + jitter)


_turn: io.IOBase | None = None  # the lock, in the worker that loads first


def _is_untried() -> bool:
    """Return whether this start is a trial, or the first one of what it starts, as root's mark says."""
    return bool(_RUN) and (str(_RUN).endswith("-standin") or os.path.exists(f"{_MARK}.untried"))


def _wait_for_turn(worker: Any) -> None:
    """Let the first worker load the application alone, and the others after it is ready.

    An application may set up its data while it loads, and workers that do so at the same time disturb each other. The
    lock ends with its process: after one that was killed, another worker is the first one.
    """
    global _turn
    # Not closed here, which would end the lock.
    lock = open(f"{_RUN}/first", "w")  # noqa: SIM115
    with _ended_by_sigterm():
        while not glob.glob(f"{_RUN}/worker-*"):
            with contextlib.suppress(OSError):  # another one has it
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _turn = lock
            # After a failure, Gunicorn ends all workers.
            if _turn and not os.path.exists(f"{_RUN}/failed"):
                return
            if not worker.alive or os.getppid() != worker.ppid:
                sys.exit(0)
            time.sleep(0.05)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a worker that waits: one for ASGI would hear of it in its loop alone, which does not run yet.

    It must not call `worker.notify` while it waits: from the first call on, Gunicorn kills a worker that is silent for
    `timeout`, such as one that then loads the application. Before that, it kills none.
    """
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_others_from_it() -> None:
    """Have the other workers of a start wait for their end in silence, after one that has failed."""
    if _RUN:
        open(f"{_RUN}/failed", "w").close()


@contextlib.contextmanager
def _said_if_ended(worker: Any, problem: Callable[[], str]) -> Iterator[None]:
    """Have a worker that SIGTERM reaches meanwhile say what is wrong: a start that hangs is ended by it in the end.

    Nothing else says what hung. What SIGTERM does is not changed.
    """
    if not _RUN or _replaces_another():
        yield
        return
    began = time.monotonic()

    def say(number: int, _frame: object) -> None:
        signal.signal(number, before)
        _say_unfinished(worker, problem(), time.monotonic() - began)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, say)
    try:
        yield
    finally:
        # Not one that the application has set
        if signal.getsignal(signal.SIGTERM) is say:
            signal.signal(signal.SIGTERM, before)


def _say_unfinished(worker: Any, problem: str, seconds: float) -> None:
    """Log what did not come to an end, unless the start is ended since something else failed, which has said why."""
    if not problem or any(os.path.exists(f"{_RUN}/{note}") for note in ("failed", "dirty-failed")):
        return
    try:
        raise RuntimeError(f"{problem} within {seconds:.0f} s, after which this start was ended") from None
    except RuntimeError:
        worker.log.exception("Exception in worker process")


def post_fork(server: Any, worker: Any) -> None:
    """Keep the service up if its code has stopped loading since the service was started."""
    worker.older = list(server.WORKERS)
    worker.max_requests = _Limit(worker.max_requests)
    if hasattr(worker, "config"):  # Uvicorn's class has copied it
        worker.config.limit_max_requests = worker.max_requests
    load = worker.load_wsgi

    def load_or_leave() -> None:
        if _is_untried() and not _replaces_another():
            _wait_for_turn(worker)
        try:
            with _said_if_ended(worker, lambda: f"{_APP} does not load"):
                load()
        except (Exception, SystemExit) as error:
            if _replaces_another():
                _leave(worker, f"{_APP} does not load")
            _keep_others_from_it()
            if isinstance(error, SystemExit):
                # Gunicorn would take it for an ordinary end of a worker, and start the next one for ever.
                raise RuntimeError(f"{_APP} ends the process while it loads") from error
            raise

    worker.load_wsgi = load_or_leave
    _users_hook("post_fork", server, worker)


def post_worker_init(worker: Any) -> None:
    """Let a worker accept connections once the application works in it, and say so: start and reload wait for all."""
    _users_hook("post_worker_init", worker)
    server = _asgi_server(worker)
    try:
        _try_certificate(worker.cfg)
        # The request may need one.
        _wait_for_dirty_workers(worker)
        if server:
            server.serve(_TriedApplication(worker, server))
            return
        with _said_if_ended(worker, _no_answer):
            _ask_by_wsgi(worker)
    except Exception:
        if not _replaces_another():
            _keep_others_from_it()
            raise
        if _has_older(worker):
            _leave(worker, _FAILED_REQUEST % _HEALTH_PATH)
        worker.log.exception(_NONE_LEFT, _HEALTH_PATH)
    if _RUN:
        global _counters
        _counters = _count(worker)
        if _counters and _is_of(worker, _TORNADOS):
            _count_in_application(worker, _counters)
        _say_ready(worker)


def _no_answer() -> str:
    return f"{_APP} does not answer the request for {_HEALTH_PATH}"


_FAILED_REQUEST = "the request for %s failed"
_NONE_LEFT = "The request for %s failed, and no other worker is left"


def _has_older(worker: Any) -> bool:
    """Return whether another worker is left that has worked."""
    return any(os.path.exists(f"{_RUN}/worker-{pid}") for pid in worker.older)


def _ask_by_wsgi(worker: Any) -> None:
    """Send the application of a class for WSGI, or of one that we don't know, a request."""
    if _is_tornados(worker.wsgi):
        if not _is_of(worker, _TORNADOS):
            raise RuntimeError(f"{_APP} is an application of Tornado: set gunicorn_worker_class to 'tornado'")
        _ask_tornados(worker.wsgi)
    elif not _is_asgi(worker.wsgi):
        _ask(worker.wsgi)
    elif worker.cfg.worker_class_str in _WSGI_CLASSES:
        advice = "set gunicorn_worker_class to 'asgi' or to a class such as 'uvicorn_worker.UvicornWorker'"
        raise RuntimeError(f"{_APP} is an ASGI application: {advice}")
    else:
        import asyncio

        # What it then does in the loop of its worker, nobody knows.
        asyncio.run(_try_asgi(AsgiApplication(worker.wsgi)))


_TORNADOS = "gunicorn.workers.gtornado"


def _is_of(worker: Any, module: str) -> bool:
    """Return whether a worker's class is one of a module, or made of it."""
    return any(kind.__module__ == module for kind in type(worker).__mro__)


def _is_tornados(application: Any) -> bool:
    """Return whether an application is one for Tornado's server, which Gunicorn's class for it serves too."""
    kinds = {"tornado.web": "Application", "tornado.wsgi": "WSGIContainer"}
    known = [getattr(sys.modules[module], name) for module, name in kinds.items() if module in sys.modules]
    return isinstance(application, tuple(known))


def _ask_tornados(application: Any) -> None:
    """Do what `_ask` does, for an application for Tornado's server: over a pair of sockets, in the worker's loop."""
    from tornado.ioloop import IOLoop

    def ask(scheme: str) -> tuple[HealthAnswer, _Causes]:
        with _causes_noted() as causes:
            text = IOLoop.current().run_sync(lambda: _tornados_answer(application, scheme))
        head, *lines = text.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
        headers = [line.partition(":") for line in lines]
        location = [value.strip() for name, _colon, value in headers if name.lower() == "location"]
        return HealthAnswer(scheme, _HEALTH_HOST, _HEALTH_PATH, int(head.split()[1]), *location[:1]), causes

    _judge(ask)


async def _tornados_answer(application: Any, scheme: str) -> bytes:
    import socket

    from tornado.httpserver import HTTPServer
    from tornado.iostream import IOStream

    near, far = map(IOStream, socket.socketpair())
    HTTPServer(application).handle_stream(far, ("127.0.0.1", 0))
    lines = [f"GET {_HEALTH_PATH} HTTP/1.1", f"Host: {_HEALTH_HOST}", "User-Agent: gunicorn-health"]
    lines += ["X-Forwarded-Proto: https"] if scheme == "https" else []
    await near.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    return await near.read_until_close()


def _count_in_application(worker: Any, counters: _Counters) -> None:
    """Have an application count its requests: Gunicorn's class for Tornado calls no hook for them."""
    application = worker.wsgi
    if hasattr(application, "log_request"):  # Tornado's own
        log = application.log_request

        def log_request(handler: Any) -> None:
            alone, start, account = counters.begin()
            counters.end((alone, start - int(handler.request.request_time() * 1e9), account))
            log(handler)

        application.log_request = log_request
    elif hasattr(application, "wsgi_application"):
        application.wsgi_application = _counted(application.wsgi_application, counters)
    else:
        worker.wsgi = _counted(application, counters)


def _counted(application: Any, counters: _Counters) -> Any:
    """Return a WSGI application that counts the requests of another one."""

    def counted(environ: dict, start_response: Any) -> Iterator[bytes]:
        begun, body = counters.begin(), None
        try:
            body = application(environ, start_response)
            yield from body
        finally:
            getattr(body, "close", lambda: None)()
            counters.end(begun)

    return counted


class _GunicornsAsgi:
    """How Gunicorn's own class for ASGI gets its application."""

    def __init__(self, worker: Any) -> None:
        self.worker, self.application, self.lifespan = worker, worker.asgi, worker.cfg.asgi_lifespan

    def serve(self, application: _TriedApplication) -> None:
        """Have the worker serve an application, which accepts connections once its lifespan has started up."""
        self.worker.asgi = application
        self.worker.cfg.set("asgi_lifespan", "on")
        self.worker.run = functools.partial(_run_or_leave, self.worker, application, self.worker.run)


_BOOT_ERROR = 3  # Gunicorn ends all workers if one exits with it


def _run_or_leave(worker: Any, application: _TriedApplication, run: Callable[[], None]) -> None:
    """Run a worker of Gunicorn's class, which gives up after 30 s on an application that is still being tried."""
    try:
        run()
    except SystemExit as ended:
        if ended.code != _BOOT_ERROR or not application.trying:
            raise
        try:
            raise RuntimeError(f"{application.trying} within 30 s, which is what the class asgi gives it") from None
        except RuntimeError:
            if _replaces_another():
                _leave(worker, application.trying)
            _keep_others_from_it()
            worker.log.exception("Exception in worker process")
        raise


class _UvicornsAsgi:
    """How Uvicorn's classes get theirs."""

    def __init__(self, worker: Any) -> None:
        self.worker, self.application, self.lifespan = worker, worker.wsgi, worker.config.lifespan

    def serve(self, application: Any) -> None:
        """Have the worker serve an application, which accepts connections once its lifespan has started up."""
        self.worker.wsgi = application
        self.worker.config.lifespan, self.worker.config.interface = "on", "asgi3"


def _asgi_server(worker: Any) -> _GunicornsAsgi | _UvicornsAsgi | None:
    """Return the server of a worker that speaks ASGI, if we know its kind."""
    if hasattr(worker, "asgi"):
        return _GunicornsAsgi(worker)
    if getattr(getattr(worker, "config", None), "interface", "wsgi") != "wsgi":
        return _UvicornsAsgi(worker)
    return None


class _TriedApplication:
    """An ASGI application as its server gets it: tried while it starts up, in the loop that serves it, and counted.

    Its server accepts connections once it says that it has started up. No hook of Gunicorn's comes so late.
    """

    def __init__(self, worker: Any, server: _GunicornsAsgi | _UvicornsAsgi) -> None:
        self._worker = worker
        self._tried = AsgiApplication(server.application, server.lifespan)
        self._closes = isinstance(server, _GunicornsAsgi)  # Uvicorn closes websockets itself
        self._counters: _Counters | None = None
        self._ending: Any = None  # a future that is done when the worker is to end
        self.trying = f"{_APP} does not start up"  # what is wrong if it takes too long; empty once it was judged

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Do what an ASGI application does."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http" and self._counters:
            await self._count(self._counters, scope, receive, send)
        elif scope["type"] == "websocket" and self._ending:
            await self._converse(scope, receive, send)
        else:
            await self._tried.application(scope, receive, send)

    async def _live(self, scope: dict, receive: Any, send: Any) -> None:
        """Go through the lifespan, with the trial in it."""
        self._tried.state = scope.get("state", {})
        await receive()
        with _said_if_ended(self._worker, lambda: self.trying):
            works = await self._try(send)
        if not works:
            return
        self.trying = ""
        if _RUN:
            self._counters = _count(self._worker)
            _say_ready(self._worker)
        if self._closes:
            self._watch()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._tried.end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _try(self, send: Any) -> bool:
        """Start the application up and send it a request; return whether its worker is to serve."""
        try:
            await _start(self._tried)
        except Exception as error:
            if _replaces_another():
                await self._leave(f"{_APP} does not start up")
            await self._fail(error, send)
            return False
        self.trying = _no_answer()
        try:
            await _ask_asgi(self._tried)
        except Exception as error:
            if not _replaces_another():
                await self._tried.end()
                await self._fail(error, send)
                return False
            if _has_older(self._worker):
                await self._leave(_FAILED_REQUEST % _HEALTH_PATH)
            self._worker.log.exception(_NONE_LEFT, _HEALTH_PATH)
        return True

    async def _fail(self, error: Exception, send: Any) -> None:
        """Say why this first worker does not work: its server ends it, and the master with it."""
        self.trying = ""
        _keep_others_from_it()
        self._worker.log.exception("Exception in worker process")
        await send({"type": "lifespan.startup.failed", "message": str(error)})

    async def _leave(self, problem: str) -> None:
        """Do what `_leave` does. The server would take an exception for an application without a lifespan."""
        import asyncio

        self.trying = ""
        self._worker.log.exception(_LEAVES, problem)
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_soon(sys.exit, 1)
        await asyncio.Event().wait()

    async def _count(self, counters: _Counters, scope: dict, receive: Any, send: Any) -> None:
        """Have a request counted, which lasts until its answer has ended."""
        begun: tuple | None = counters.begin()

        def end() -> None:
            nonlocal begun
            if begun:
                counters.end(begun)
                begun = None

        async def send_and_end(message: dict) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                end()

        try:
            await self._tried.application(scope, receive, send_and_end)
        finally:
            end()

    def _watch(self) -> None:
        """Note soon when the worker is to end, for its websockets."""
        import asyncio

        loop = asyncio.get_running_loop()
        self._ending = loop.create_future()

        def look() -> None:
            if not self._worker.alive:
                self._ending.set_result(None)
            else:
                loop.call_later(0.5, look)

        look()

    async def _converse(self, scope: dict, receive: Any, send: Any) -> None:
        """Close a websocket when the worker is to end, as a service that restarts does: its client then comes again.

        Gunicorn would wait for it until graceful_timeout is over, and drop the connection.
        """
        import asyncio

        heard: Any = None

        async def hear() -> dict:
            nonlocal heard
            heard = heard or asyncio.ensure_future(receive())
            await asyncio.wait({heard, self._ending}, return_when=asyncio.FIRST_COMPLETED)
            if not heard.done():
                return {"type": "websocket.disconnect", "code": 1012, "reason": "Service Restart"}
            message, heard = heard.result(), None
            return message

        async def say(message: dict) -> None:
            # After its end, nothing can be said any more.
            if not self._ending.done():
                await send(message)

        async def close() -> None:
            await asyncio.wait({self._ending})
            await send({"type": "websocket.close", "code": 1012, "reason": "Service Restart"})

        closing = asyncio.ensure_future(close())
        try:
            await self._tried.application(scope, hear, say)
        finally:
            if not self._ending.done():
                closing.cancel()
            if heard:
                heard.cancel()


def _try_certificate(cfg: Any) -> None:
    """Load the certificate as for a connection; raises RuntimeError. Gunicorn itself would only refuse each visitor."""
    if not cfg.is_ssl:
        return
    from gunicorn import sock

    try:
        sock.ssl_context(cfg)
    except (OSError, ValueError) as error:  # ssl.SSLError is one of the first
        raise RuntimeError(f"TLS with the certificate {cfg.certfile} does not work: {error}") from error


def _say_ready(worker: Any) -> None:
    """Note that this worker is ready, and that the service is once all its workers are."""
    open(f"{_RUN}/worker-{os.getpid()}", "w").close()
    if _count_alive("worker") >= worker.cfg.workers:
        open(f"{_RUN}/ready", "w").close()


def _count_alive(kind: str) -> int:
    """Return how many processes have noted that they are ready, and are still there."""
    alive = 0
    for note in glob.glob(f"{_RUN}/{kind}-[0-9]*"):
        if os.path.exists("/proc/" + note.rpartition("-")[2]):
            alive += 1
        else:
            with contextlib.suppress(OSError):  # another worker was quicker
                os.unlink(note)
    return alive


# Dirty workers: a process of its own starts them, and gives them the tasks that web workers wait for.


def _has_dirty_workers(cfg: Any) -> bool:
    """Return whether Gunicorn, which may be too old to know them, starts dirty workers."""
    return bool(getattr(cfg, "dirty_workers", 0) and getattr(cfg, "dirty_apps", None))


def _wait_for_dirty_workers(worker: Any) -> None:
    """Let a web worker of a service that starts wait for all dirty workers; raises RuntimeError if one fails.

    Gunicorn itself would start one after the other for ever, and answer requests that need them with errors.
    """
    if not _RUN or not _has_dirty_workers(worker.cfg) or _replaces_another():
        return
    apps = ", ".join(worker.cfg.dirty_apps)
    with _ended_by_sigterm(), _said_if_ended(worker, lambda: f"{apps} of dirty_apps does not start"):
        while True:
            with contextlib.suppress(OSError, ValueError), open(f"{_RUN}/dirty-wanted") as file:
                if _count_alive("dirty") >= int(file.read()):
                    return
            with contextlib.suppress(FileNotFoundError), open(f"{_RUN}/dirty-failed") as file:
                raise RuntimeError(file.read())
            if not worker.alive or os.getppid() != worker.ppid:
                sys.exit(0)
            time.sleep(0.05)


def _say_dirty_failed(apps: list[str], problem: str) -> None:
    """Tell the web workers of a service that starts, which then fail."""
    if _RUN and not _replaces_another() and not os.path.exists(f"{_RUN}/dirty-failed"):
        with open(f"{_RUN}/dirty-failed.new", "w") as file:
            file.write(f"{', '.join(apps)} of dirty_apps does not start: {problem}"[:_LONGEST_REASON])
        os.replace(f"{_RUN}/dirty-failed.new", f"{_RUN}/dirty-failed")


def on_dirty_starting(arbiter: Any) -> None:
    """Prepare the process that starts the dirty workers."""
    if _RUN:
        # An app may be for a part of them. The first version with dirty workers knows no parts.
        specs = getattr(arbiter, "app_specs", {}).values()
        counts = [spec["worker_count"] for spec in specs]
        wanted = arbiter.num_workers if None in [*counts, *([] if counts else [None])] else max(counts)
        with open(f"{_RUN}/dirty-wanted.new", "w") as file:
            file.write(str(min(wanted, arbiter.num_workers)))
        os.replace(f"{_RUN}/dirty-wanted.new", f"{_RUN}/dirty-wanted")
    _pace_dirty_workers()
    _guard_signals(arbiter)
    _users_hook("on_dirty_starting", arbiter)


_dirty_has_failed = False  # in the process that starts dirty workers: the last one that ended was not ready


def _pace_dirty_workers() -> None:
    """Have a dirty worker say why it fails, and the next one begin a second later: Gunicorn starts it at once."""
    from gunicorn.dirty.worker import DirtyWorker

    load = DirtyWorker.load_apps

    def load_or_say(worker: Any) -> None:
        if _dirty_has_failed:
            time.sleep(1)
        try:
            load(worker)
        except (Exception, SystemExit) as error:
            _say_dirty_failed(worker.app_paths, f"{type(error).__name__}: {error}")
            raise
        # Gunicorn forgets that it was told so meanwhile, and kills it after dirty_graceful_timeout.
        if not worker.alive:
            sys.exit(0)

    DirtyWorker.load_apps = load_or_say


def _guard_signals(arbiter: Any) -> None:
    """Pass USR1 on, which Gunicorn does not, and end the dirty workers only when the web workers have ended.

    Gunicorn ends both at the same time, and requests that wait for a task get 500.
    """
    import asyncio

    handle_client, handle_signal = arbiter.handle_client, arbiter._signal_handler
    clients: set[Any] = set()
    ending: list[Any] = []

    async def handle_counted(reader: Any, writer: Any) -> None:
        clients.add(writer)
        try:
            await handle_client(reader, writer)
        finally:
            clients.discard(writer)

    async def end_after_clients() -> None:
        # The master kills it after graceful_timeout.
        deadline = time.monotonic() + arbiter.cfg.graceful_timeout - 1
        while clients and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        if not clients:
            # From Python 3.12 on, a dirty worker waits until these are closed, and Gunicorn kills it before it does.
            for _reader, writer in getattr(arbiter, "worker_connections", {}).values():
                writer.close()
        handle_signal(signal.SIGTERM, None)

    def begin_to_end() -> None:
        ending.append(asyncio.ensure_future(end_after_clients()))

    def handle(number: int, frame: Any) -> None:
        if os.getpid() != arbiter.pid:
            # A dirty worker that has just begun, and has no handler of its own yet
            if number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
                os._exit(0)
            return
        if number == signal.SIGTERM and arbiter._loop and not ending:
            arbiter._loop.call_soon_threadsafe(begin_to_end)
            return
        handle_signal(number, frame)
        if number == signal.SIGUSR1:
            for pid in list(arbiter.workers):
                with contextlib.suppress(OSError):  # it has just ended
                    os.kill(pid, signal.SIGUSR1)

    arbiter.handle_client, arbiter._signal_handler = handle_counted, handle


def dirty_worker_init(worker: Any) -> None:
    """Say that a dirty worker has loaded its apps."""
    _users_hook("dirty_worker_init", worker)
    if _RUN:
        open(f"{_RUN}/dirty-{os.getpid()}", "w").close()


def dirty_worker_exit(arbiter: Any, worker: Any) -> None:
    """Note a dirty worker that has ended before it was ready, such as by the kernel."""
    global _dirty_has_failed
    _dirty_has_failed = bool(_RUN) and not os.path.exists(f"{_RUN}/dirty-{worker.pid}")
    if _dirty_has_failed and arbiter.alive:
        _say_dirty_failed(worker.app_paths, "its worker ended while it started")
    _users_hook("dirty_worker_exit", arbiter, worker)


_AT = {word: place for place, word in enumerate(CountersFormat.WORDS)}


class _Counters:
    """What the requests of this worker cost, in a file that pyweb.gunicorn.gunicorn_service_info reads.

    CPU time and waits are counted only for requests that were alone in the process, since one beside others waits for
    them, too. Time spent ready to run, but without a CPU, is counted apart: it is no waiting of the application.
    """

    def __init__(self, accounts_for_threads: bool) -> None:
        with open(f"{_RUN}/requests-{os.getpid()}", "w+b", buffering=0) as file:
            # Written, since a page that a full disk has no room for would end the process at its first use.
            file.write(bytes(CountersFormat.SIZE))
            self.words = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
        self.words[_AT["version"]], self.words[_AT["since"]] = CountersFormat.VERSION, int(time.time())
        self.lock = threading.Lock()
        self.running = self.begun = 0
        # Greenlets share a thread: the kernel's account of it is not theirs. Some kernels have none.
        accounted = accounts_for_threads and os.path.exists("/proc/thread-self/schedstat")
        self.accounts = threading.local() if accounted else None

    def cpu_and_delay(self) -> tuple[int, int]:
        """Return for how many nanoseconds this thread has run, and for how many it was ready to but had no CPU."""
        accounts: Any = self.accounts
        if not hasattr(accounts, "file"):
            # Closed with the thread that it is of.
            accounts.file = open("/proc/thread-self/schedstat", "rb", buffering=0)  # noqa: SIM115
        cpu, delay, _slices = os.pread(accounts.file.fileno(), 64, 0).split()
        return int(cpu), int(delay)

    def begin(self) -> tuple:
        """Note that a request begins; returns what `end` needs of it."""
        with self.lock:
            self.running += 1
            self.begun += 1
            alone = self.begun if self.running == 1 and self.accounts else None
        return alone, time.monotonic_ns(), self.cpu_and_delay() if alone else None

    def end(self, begun: tuple) -> None:
        """Count a request that ends."""
        alone, start, account = begun
        took = time.monotonic_ns() - start
        now = self.cpu_and_delay() if alone else (0, 0)
        words = self.words
        with self.lock:
            self.running -= 1
            words[_AT["requests"]] += 1
            words[_AT["time"]] += took
            words[_AT["longest"]] = max(words[_AT["longest"]], took)
            words[len(_AT) + CountersFormat.bucket_of(took)] += 1
            # Otherwise another one has begun meanwhile.
            if alone == self.begun:
                words[_AT["alone"]] += 1
                words[_AT["alone_time"]] += took
                words[_AT["alone_cpu"]] += now[0] - account[0]
                words[_AT["alone_delay"]] += now[1] - account[1]

    @staticmethod
    def keep(pid: int) -> None:
        """Add the counts of a worker that has ended to the file of all that ended before."""
        path, kept = f"{_RUN}/requests-{pid}", f"{_RUN}/requests-0"
        if not os.path.exists(path):
            return
        with open(path, "rb") as file:
            words = array.array("Q", file.read())
        os.unlink(path)
        if os.path.exists(kept):
            with open(kept, "rb") as file:
                before = array.array("Q", file.read())
            since = min(words[_AT["since"]], before[_AT["since"]])
            longest = max(words[_AT["longest"]], before[_AT["longest"]])
            words = array.array("Q", map(sum, zip(words, before)))
            words[_AT["version"]], words[_AT["since"]], words[_AT["longest"]] = CountersFormat.VERSION, since, longest
        with open(f"{kept}.new", "wb") as file:
            words.tofile(file)
        os.replace(f"{kept}.new", kept)


def _count(worker: Any) -> _Counters | None:
    """Return what counts the requests of this worker from now on. Without room on the disk, it works without."""
    try:
        return _Counters(worker.cfg.worker_class_str in ("sync", "gthread"))
    except OSError:
        worker.log.exception("The requests of this worker are not counted")
        return None


_counters: _Counters | None = None  # for the hooks around a request


def pre_request(worker: Any, req: Any) -> None:
    """Count a request from its beginning; those of a class for ASGI are counted by `_TriedApplication`."""
    if _counters:
        req.begun_for_counters = _counters.begin()
    _users_hook("pre_request", worker, req)


def post_request(worker: Any, req: Any, environ: dict, resp: Any) -> None:
    """Count a request at its end, if its beginning was."""
    if _counters and hasattr(req, "begun_for_counters"):
        _counters.end(req.begun_for_counters)
    _users_hook("post_request", worker, req, environ, resp)


def child_exit(server: Any, worker: Any) -> None:
    """Keep the counts of a worker that has ended; the master must not end with it if that fails."""
    if _RUN:
        try:
            _Counters.keep(worker.pid)
        except (OSError, ValueError, LookupError):
            server.log.exception("What worker %s counted is lost", worker.pid)
    _users_hook("child_exit", server, worker)
