# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ASGI application, driven as a server drives it: gunicorn.conf.py tries one so before it is served."""

# The template of gunicorn.conf.py embeds this text in the middle of that file. So there is no `from __future__` here,
# which must be at the beginning of a file, no import that other workers would pay for, and a single name that is none
# of Gunicorn's settings.


class AsgiApplication:
    """An ASGI application (a callable of three) with its lifespan, which goes on from `start` to `end`.

    All of it runs in one event loop: a worker's own, if the application is served there afterwards.
    """

    def __init__(self, application, lifespan="auto"):
        """Take `lifespan` as in Gunicorn's asgi_lifespan: auto (the application may have none), on (it must) or off."""
        self.application = application
        self._lifespan = lifespan
        self.state = {}  # what its requests find in scope["state"]
        self._task = None  # in which the lifespan goes on

    async def start(self):
        """Start the application up; raises RuntimeError with its own words if it fails."""
        import asyncio

        if self._lifespan == "off":
            return
        self._inbox, self._outbox = asyncio.Queue(), asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.ensure_future(self._run(scope))
        message = await self._say("lifespan.startup")
        if message is None:
            # It speaks of requests alone.
            error = self._task.exception()
            self._task = None
            if self._lifespan == "on":
                raise RuntimeError(f"it has no lifespan{f': {type(error).__name__}: {error}' if error else ''}")
        elif message["type"] != "lifespan.startup.complete":
            self._task.cancel()
            self._task = None
            # Some frameworks put a whole traceback in there.
            words = message.get("message", "").strip().splitlines() or ["it does not say why"]
            raise RuntimeError(f"its startup failed: {words[-1].strip()}")

    async def _run(self, scope):
        # An application may be a callable that returns a coroutine, and no coroutine function.
        await self.application(scope, self._inbox.get, self._outbox.put)

    async def _say(self, what):
        """Send the lifespan a message; return its answer, or None if it ends without one."""
        import asyncio

        await self._inbox.put({"type": what})
        answer = asyncio.ensure_future(self._outbox.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._outbox.qsize() or answer.done():
            return await answer
        answer.cancel()
        return None

    async def end(self):
        """Shut the application down; what it says against that does not matter any more."""
        if self._task and not self._task.done():
            await self._say("lifespan.shutdown")
            self._task.cancel()

    async def get(self, scheme, host, path):
        """Send one GET request, `path` with its query; return the status and the headers (pairs of lower-case strings).

        Raises what the application raises before its answer has ended.
        """
        import asyncio
        import urllib.parse

        name, _mark, query = path.partition("?")
        headers = [(b"host", host.encode()), (b"user-agent", b"gunicorn-health")]
        if scheme == "https":
            # As the web server in front says it, in which case servers set the scheme
            headers.append((b"x-forwarded-proto", b"https"))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": scheme,
            "path": urllib.parse.unquote(name),
            "raw_path": name.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 0),
            "server": (host, {"http": 80, "https": 443}[scheme]),
            "state": self.state.copy(),
        }
        asked = [{"type": "http.request", "body": b"", "more_body": False}]
        ended = asyncio.Event()
        starts = []

        async def receive():
            if asked:
                return asked.pop()
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.start":
                starts.append(message)
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                ended.set()

        async def run():
            await self.application(scope, receive, send)

        # What it does after its answer is its own affair.
        working, answered = asyncio.ensure_future(run()), asyncio.ensure_future(ended.wait())
        await asyncio.wait({working, answered}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.is_set():
            answered.cancel()
            working.result()
        if not starts:
            return 0, []
        start = starts[-1]
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start.get("headers", ())
        ]
        return start["status"], headers
