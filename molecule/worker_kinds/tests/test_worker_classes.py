"""One application under each class of workers that Gunicorn 27 has, and Uvicorn's: nothing goes live untried.

The tests of a class find the service of the class before it, so that each change is one of the class and of the code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import service
from load_on_host import Load
from playbook_run import PlaybookRun
from waiting import wait_for
from web import get
from websocket_on_host import SERVICE_RESTART, open_websocket

SCENARIO = Path(__file__).parent.parent
DOCS = SCENARIO.parents[1] / "docs/worker_kinds.md"
# From 100 requests on that were alone in their process, gunicorn_service_info says what one costs.
ENOUGH = 120
URL = "http://127.0.0.1:8000"
LOG = "/var/log/kinds/gunicorn.log"
QUICK = ("v4=127.0.0.1:8000", "v6=[::1]:8000", "kept=127.0.0.1:8000,keepalive=2")
# One request in two seconds, so that a worker is left that answers the others
SLOW = ("slow=127.0.0.1:8000,path=/slow",)


class Kind(NamedTuple):
    """A class of workers with the application for it."""

    worker_class: str
    app: str

    def __str__(self) -> str:
        own = ", Tornado's own application" if self.app == "kinds:pages" else ""
        return f"`{self.worker_class}`{own}"


KINDS = (
    Kind("sync", "kinds:wsgi"),
    Kind("gthread", "kinds:wsgi"),
    Kind("gevent", "kinds:wsgi"),
    Kind("tornado", "kinds:wsgi"),
    Kind("tornado", "kinds:pages"),
    Kind("asgi", "kinds:asgi"),
    Kind("uvicorn_worker.UvicornWorker", "kinds:asgi"),
)
TORNADOS = "those on kept connections, those that take more than 1 s"
each_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: f"{kind.worker_class}-{kind.app[6:]}", scope="module"
)
# What the tests found, by class and column
TABLE: dict[Kind, dict[str, str]] = {kind: {} for kind in KINDS}


def deploy(host, kind: Kind, version: str) -> PlaybookRun:
    """Deploy a version of the code for a class."""
    host.check_output(f"printf {version} >/opt/kinds/version")
    variables = {
        "gunicorn_app": kind.app,
        "gunicorn_worker_class": kind.worker_class,
        "gunicorn_app_revision": version,
        "gunicorn_requirements": ["gunicorn[gevent,tornado]", "uvicorn-worker", "websockets"],
    }
    return PlaybookRun(SCENARIO / "site.yml", variables=variables)


def version(host) -> str:
    return get(host, f"{URL}/", "--max-time 10").split()[0]


def info(host) -> dict:
    (found,) = host.ansible("pyweb.gunicorn.gunicorn_service_info", "name=kinds sample=0.1", check=False, become=True)[
        "services"
    ]
    return found


@each_kind
def test_switched_under_load(host, kind):
    """The new class and the new code take over from the class before, and no request is lost: quick, kept or slow."""
    name = f"v{KINDS.index(kind)}"
    before = KINDS[max(0, KINDS.index(kind) - 1)]
    if kind is before:
        assert deploy(host, kind, "v").code == 0
    quick, slow = Load(host, f"quick-{name}", QUICK, "--rate=20"), Load(host, f"slow-{name}", SLOW, "--rate=0.5")
    run = deploy(host, kind, name)
    lost = [load.stop()["phases"][-1]["details"] for load in (quick, slow)]
    assert run.code == 0, run.output
    # Gunicorn's class for Tornado cuts requests at its end: that of its trial, and of its service in the next change.
    if "tornado" in (kind.worker_class, before.worker_class):
        lost = [[each for each in lost[0] if each["target"] != "kept"], []]
    assert lost == [[], []]
    assert version(host) == name
    TABLE[kind]["lost in a change"] = TORNADOS if kind.worker_class == "tornado" else "0"


@each_kind
def test_requests_are_counted(host, kind):
    """Each one, by each class."""
    before = info(host)["requests"]["count"]
    host.check_output(f"curl --silent --fail --output /dev/null '{URL}/[1-{ENOUGH}]'")
    found = info(host)
    assert found["requests"]["count"] - before == ENOUGH
    assert found["requests"]["latency"]["max"] > 0
    assert found["worker_class"] == kind.worker_class
    TABLE[kind]["requests counted"] = "yes"
    measured = found["requests"]["cpu_per_request"] is not None
    TABLE[kind]["measured for sizing"] = "CPU, waits, memory" if measured else "memory"


@each_kind
def test_broken_code_is_refused(host, kind):
    """The live workers have not noticed."""
    before = service.workers(host, "kinds")
    message = deploy(host, kind, "broken").error()
    assert "kinds was tried and does not work: " in message
    assert "LookupError: no such table" in message.splitlines()[0]
    assert service.workers(host, "kinds") == before
    if kind.app == "kinds:asgi":
        message = deploy(host, kind, "does-not-start").error()
        assert "kinds:asgi does not start up: its startup failed: ConnectionError: no database" in message
        assert service.workers(host, "kinds") == before
    TABLE[kind]["tried"] = "lifespan and a request" if kind.app == "kinds:asgi" else "a request"


@each_kind
def test_reload_brings_new_code(host, kind):
    """And a reload to broken code is refused, too."""
    before = service.workers(host, "kinds")
    host.check_output("echo broken > /opt/kinds/version")
    assert host.run("systemctl reload kinds").rc != 0
    assert service.workers(host, "kinds") == before
    host.check_output("echo reloaded > /opt/kinds/version && systemctl reload kinds")
    # Uvicorn's workers end after those that follow them are ready.
    wait_for(lambda: not service.workers(host, "kinds") & before)
    assert {version(host) for _number in range(4)} == {"reloaded"}
    TABLE[kind]["reload brings new code"] = "yes"


@each_kind
def test_rotation_reaches_the_workers(host, kind):
    """None of them writes on into the log that was moved away."""
    host.check_output("logrotate --force /etc/logrotate.d/gunicorn-kinds")
    pids = " ".join(map(str, service.workers(host, "kinds")))

    def old_logs() -> str:
        return host.run(f"for pid in {pids}; do ls -l /proc/$pid/fd; done | grep '{LOG}[.]'").stdout

    wait_for(lambda: old_logs() == "")
    TABLE[kind]["log rotation"] = "yes"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.app == "kinds:asgi"], ids=lambda kind: kind[0])
def test_a_websocket_is_closed_at_a_change(host, kind):
    """With the code that says that the service restarts, at once and not after the graceful timeout."""
    assert deploy(host, kind, f"w{KINDS.index(kind)}").code == 0
    told = open_websocket(host, str(KINDS.index(kind)), "ws://localhost:8000/ws")
    wait_for(lambda: "hello" in told.content_string)
    assert deploy(host, kind, f"x{KINDS.index(kind)}").code == 0
    wait_for(lambda: SERVICE_RESTART in told.content_string, 10)


def test_the_table_in_the_docs_is_true():
    """Row for row."""
    columns = [
        "tried",
        "lost in a change",
        "requests counted",
        "measured for sizing",
        "reload brings new code",
        "log rotation",
    ]
    lines = [f"| class | {' | '.join(columns)} |"]
    lines += [f"| {kind} | {' | '.join(found[column] for column in columns)} |" for kind, found in TABLE.items()]
    print("\n".join(lines))
    docs = [re.sub(" +", " ", line) for line in DOCS.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line not in docs] == []
