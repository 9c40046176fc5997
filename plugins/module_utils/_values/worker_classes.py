# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gunicorn's worker classes: which names are taken, and how their workers share a CPU."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# The bundled classes that serve many requests in one process (eventlet up to Gunicorn 25).
ASYNC_CLASSES = ("asgi", "eventlet", "gevent", "gevent_pywsgi", "gevent_wsgi", "tornado")
WORKER_CLASSES = ("sync", "gthread") + ASYNC_CLASSES
_WITH_OWN_PARSER = ("egg:gunicorn#tornado", "gunicorn.workers.gtornado.", "uvicorn.workers.", "uvicorn_worker.")
_CLASS_PATH = re.compile(r"egg:\S+|[^\W\d]\w*(\.[^\W\d]\w*)+")


def check_worker_class(variable: str, value: object) -> str:
    """Return the short name or dotted path of a worker class, or raise InvalidValue."""
    if value in WORKER_CLASSES or (isinstance(value, str) and _CLASS_PATH.fullmatch(value)):
        return value
    raise InvalidValue(variable, value, f"one of {', '.join(WORKER_CLASSES)}, or the dotted path of a class")


def is_sync(worker_class: str) -> bool:
    """Whether it is the class sync, by the test of Gunicorn's own Config.worker_class."""
    return worker_class == "sync" or worker_class.endswith("SyncWorker")


def is_gthread(worker_class: str) -> bool:
    """Whether it is the class gthread."""
    return worker_class in ("gthread", "gunicorn.workers.gthread.ThreadWorker")


def is_async(worker_class: str) -> bool:
    """Whether its workers serve many requests in one thread."""
    # A class that we don't know is most often an event loop (uvicorn's, aiohttp's).
    return not (is_sync(worker_class) or is_gthread(worker_class))


def has_own_parser(worker_class: str) -> bool:
    """Whether its workers take requests apart themselves, so that Gunicorn's settings of protocols don't reach them."""
    return worker_class == "tornado" or worker_class.startswith(_WITH_OWN_PARSER)
