"""One application for each kind of worker. The file `version`, beside this one, says which code it is."""

import asyncio
import os
import time
from pathlib import Path

import tornado.web

VERSION = (Path(__file__).parent / "version").read_text().strip()
# A request to /slow takes so many seconds, in parts.
SLOW = 1.5


def answer():
    return f"{VERSION} {os.getpid()}\n"


def wsgi(environ, start_response):
    """For sync, gthread, gevent and tornado."""
    if VERSION == "broken":
        raise LookupError("no such table")
    if environ["PATH_INFO"] == "/slow":
        time.sleep(SLOW)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer().encode()]


async def asgi(scope, receive, send):
    """For asgi and Uvicorn's class. With a lifespan, a stream at /slow, and a websocket that repeats what it hears."""
    if scope["type"] == "lifespan":
        await receive()
        if VERSION == "does-not-start":
            await send({"type": "lifespan.startup.failed", "message": "ConnectionError: no database"})
            return
        # Nobody may be served before the end of this.
        await asyncio.sleep(0.5)
        scope["state"]["started"] = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await repeat(receive, send)
    else:
        await respond(scope, send)


async def repeat(receive, send):
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})


async def respond(scope, send):
    if VERSION == "broken":
        raise LookupError("no such table")
    status = 200 if scope["state"].get("started") else 503
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/slow":
        for _part in range(5):
            await asyncio.sleep(SLOW / 5)
            await send({"type": "http.response.body", "body": b".", "more_body": True})
    await send({"type": "http.response.body", "body": answer().encode()})


class Page(tornado.web.RequestHandler):
    async def get(self):
        if VERSION == "broken":
            raise LookupError("no such table")
        if self.request.path == "/slow":
            await asyncio.sleep(SLOW)
        self.write(answer())


# For tornado
pages = tornado.web.Application([("/.*", Page)])
