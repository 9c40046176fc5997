# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the web server waits for Gunicorn, and how long it keeps an idle connection to it."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Gunicorn's own defaults, see its settings timeout, graceful_timeout and keepalive
_TIMEOUT = _GRACEFUL_TIMEOUT = 30
_KEEPALIVE = 2
# Where Gunicorn never gives up, the web server must not either.
_NEVER = 86400


def response_timeout(given: str, settings: dict) -> int:
    """Seconds that the web server waits for an answer.

    Gunicorn must give up first: it ends the worker and says why. A request may wait for graceful_timeout, until
    another one is finished, before its own timeout begins.
    """
    if given != "auto":
        if not re.match(r"[1-9][0-9]{0,6}\Z", given):
            raise InvalidValue("proxy_timeout", given, "auto or a number of seconds")
        return int(given)
    timeout = _whole(settings, "timeout", _TIMEOUT)
    return timeout + _whole(settings, "graceful_timeout", _GRACEFUL_TIMEOUT) if timeout else _NEVER


def upstream_keepalive(worker_class: str, settings: dict) -> int:
    """Seconds for which an idle connection to Gunicorn is kept, 0 for none.

    The web server must close it first: else it may send a request while Gunicorn closes the connection.
    """
    worker_classes.check_worker_class("proxy_gunicorn['worker_class']", worker_class)
    if worker_classes.is_sync(worker_class):
        return 0
    return max(_whole(settings, "keepalive", _KEEPALIVE) - 1, 0)


def _whole(settings: dict, name: str, default: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidValue(f"proxy_gunicorn['settings']['{name}']", value, "a whole number of seconds")
    return value
