"""An application that has slow tasks done by dirty workers, where there are some."""

import os


def application(environ, start_response):
    """Say who has answered, and what a visitor has come by."""
    _root, action, *arguments = environ["PATH_INFO"].split("/")
    if action in ("wait", "log"):
        from gunicorn.dirty import get_dirty_client

        said = get_dirty_client(timeout=60).execute("jobs:Tasks", action, *map(float, arguments))
    else:
        said = f"{environ['wsgi.url_scheme']} {environ['SERVER_PROTOCOL']} {environ['REMOTE_ADDR']} {os.getpid()}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{said}\n".encode()]
