"""A Pyramid application, as Pyramid's cookiecutter lays one out."""

import os
import sys

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.router import Router


def home(request: Request) -> dict:
    """What the application sees of its configuration and of its server."""
    gevent = "gevent.monkey" in sys.modules and sys.modules["gevent.monkey"].is_module_patched("socket")
    return {"title": request.registry.settings["pages.title"], "gevent": gevent, "pid": os.getpid()}


def main(global_config: dict, **settings: str) -> Router:
    """Return the application; production.ini names this function."""
    with Configurator(settings=settings) as config:
        config.add_route("home", "/")
        config.add_view(home, route_name="home", renderer="json")
        return config.make_wsgi_app()
