"""An application for ASGI, started up, asked and shut down as by a server."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.asgi_application import AsgiApplication


def application(
    startup: dict | None = None, status: int = 200, headers: list | None = None, seen: list | None = None
) -> Callable:
    """An application that answers `startup` to its lifespan, notes what it gets, and answers requests with a status."""
    seen = [] if seen is None else seen

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        seen.append(scope)
        if scope["type"] == "lifespan":
            seen.append(await receive())
            if startup is None:
                raise ValueError("only http here")
            scope["state"]["pool"] = 3
            await send(startup)
            seen.append(await receive())
            await send({"type": "lifespan.shutdown.complete"})
            return
        seen.append(await receive())
        await send({"type": "http.response.start", "status": status, "headers": headers or []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body"})
        seen.append(await receive())

    return called


COMPLETE = {"type": "lifespan.startup.complete"}


def whole(tried: AsgiApplication, path: str = "/up?a=b%20c", scheme: str = "http") -> tuple:
    """What the application answers in the whole of its life."""

    async def live() -> tuple:
        await tried.start()
        answer = await tried.get(scheme, "www.example.com", path)
        await asyncio.sleep(0)
        await tried.end()
        return answer

    return asyncio.run(live())


def test_a_whole_life() -> None:
    """It gets what a server says, in this order; requests have its state; and it hears that it was answered."""
    seen: list[Any] = []
    headers = [(b"Location", b"/login")]
    assert whole(AsgiApplication(application(COMPLETE, 302, headers, seen))) == (302, [("location", "/login")])
    lifespan, startup, request, body, gone, shutdown = seen
    assert (lifespan["type"], startup["type"], shutdown["type"]) == (
        "lifespan",
        "lifespan.startup",
        "lifespan.shutdown",
    )
    assert (request["method"], request["path"], request["raw_path"]) == ("GET", "/up", b"/up")
    assert request["query_string"] == b"a=b%20c"
    assert dict(request["headers"]) == {b"host": b"www.example.com", b"user-agent": b"gunicorn-health"}
    assert (request["scheme"], request["server"], request["state"]) == ("http", ("www.example.com", 80), {"pool": 3})
    assert body == {"type": "http.request", "body": b"", "more_body": False}
    assert gone == {"type": "http.disconnect"}


def test_a_path_is_decoded_as_servers_do() -> None:
    seen: list[Any] = []
    whole(AsgiApplication(application(COMPLETE, seen=seen)), "/caf%C3%A9")
    assert (seen[2]["path"], seen[2]["raw_path"]) == ("/café", b"/caf%C3%A9")


def test_https_is_told_in_both_ways() -> None:
    seen: list[Any] = []
    whole(AsgiApplication(application(COMPLETE, seen=seen)), scheme="https")
    assert (seen[2]["scheme"], seen[2]["server"][1]) == ("https", 443)
    assert dict(seen[2]["headers"])[b"x-forwarded-proto"] == b"https"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Traceback (most recent call last):\n  x\nOperationalError: no server\n", "OperationalError: no server"),
        ("", "it does not say why"),
    ],
)
@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_a_startup_that_fails(lifespan: str, message: str, words: str) -> None:
    """Its own last line says why."""
    failed = {"type": "lifespan.startup.failed", "message": message}
    with pytest.raises(RuntimeError) as caught:
        whole(AsgiApplication(application(failed), lifespan))
    assert str(caught.value) == f"its startup failed: {words}"


def test_a_lifespan_that_ends_with_its_word() -> None:
    """The word counts, although nobody is there any more."""

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no server"})

    with pytest.raises(RuntimeError, match="its startup failed: no server"):
        whole(AsgiApplication(called))


def test_a_lifespan_that_goes_on_after_its_end() -> None:
    """It is cancelled, as by a server."""
    ended: list[bool] = []

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "http":
            await application(COMPLETE)(scope, receive, send)
            return
        try:
            for word in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{word}.complete"})
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)

    async def live() -> None:
        tried = AsgiApplication(called)
        await tried.start()
        await tried.end()
        await asyncio.sleep(0)
        assert ended == [True]

    asyncio.run(live())


def test_a_request_has_a_state_of_its_own() -> None:
    """What it puts in there, others do not find."""

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "http":
            scope["state"]["user"] = "first"
        await application(COMPLETE)(scope, receive, send)

    tried = AsgiApplication(called)
    whole(tried)
    assert tried.state == {"pool": 3}


def test_a_visitor_stays_until_the_answer_has_ended() -> None:
    """Frameworks listen meanwhile whether the visitor goes, and then do not answer to the end."""

    async def called(scope: dict, receive: Callable, send: Callable) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(0.05)
        assert not gone.done()
        await send({"type": "http.response.body"})
        await gone

    assert whole(AsgiApplication(called, "off")) == (200, [])


def test_an_application_without_a_lifespan() -> None:
    """As Django: it raises, or just returns. That is no fault, unless it must have one."""

    async def silent(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "lifespan":
            await application()(scope, receive, send)

    for called in (application(), silent):
        assert whole(AsgiApplication(called))[0] == 200
    with pytest.raises(RuntimeError, match="it has no lifespan: ValueError: only http here"):
        whole(AsgiApplication(application(), "on"))
    with pytest.raises(RuntimeError, match="it has no lifespan$"):
        whole(AsgiApplication(silent, "on"))


def test_a_lifespan_that_is_off() -> None:
    seen: list[Any] = []
    assert whole(AsgiApplication(application(COMPLETE, seen=seen), "off"))[0] == 200
    assert seen[0]["type"] == "http"


def test_a_request_that_raises() -> None:
    """Before its answer, it is the caller's; what it does after its answer does not matter."""

    async def failing(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["path"] == "/late":
            await application()(scope, receive, send)
        raise LookupError("no such table")

    with pytest.raises(LookupError, match="no such table"):
        whole(AsgiApplication(failing, "off"), "/")
    assert whole(AsgiApplication(failing, "off"), "/late")[0] == 200


def test_no_answer_at_all() -> None:
    async def nothing(scope: dict, receive: Callable, send: Callable) -> None:
        pass

    assert whole(AsgiApplication(nothing, "off")) == (0, [])


def test_a_long_task_after_the_answer_is_not_waited_for() -> None:
    async def long(scope: dict, receive: Callable, send: Callable) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        await asyncio.Event().wait()

    assert whole(AsgiApplication(long, "off")) == (200, [])
