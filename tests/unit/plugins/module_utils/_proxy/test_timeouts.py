# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import timeouts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.mark.parametrize(
    ("given", "settings", "seconds"),
    [
        ("auto", {}, 60),
        ("auto", {"timeout": 120}, 150),
        ("auto", {"timeout": "120", "graceful_timeout": 10}, 130),
        ("auto", {"timeout": 0}, 86400),
        ("45", {"timeout": 120}, 45),
    ],
)
def test_gunicorn_is_the_first_to_give_up(given: str, settings: dict, seconds: int) -> None:
    """Unless the user wants it otherwise."""
    assert timeouts.response_timeout(given, settings) == seconds


@pytest.mark.parametrize(
    ("worker_class", "settings", "seconds"),
    [
        ("sync", {"keepalive": 75}, 0),
        ("gunicorn.workers.sync.SyncWorker", {}, 0),
        ("gthread", {}, 1),
        ("gthread", {"keepalive": 75}, 74),
        ("gevent", {"keepalive": 1}, 0),
        ("gthread", {"keepalive": 0}, 0),
    ],
)
def test_idle_connections_are_closed_before_gunicorn_does(worker_class: str, settings: dict, seconds: int) -> None:
    """And never kept where the worker class does not."""
    assert timeouts.upstream_keepalive(worker_class, settings) == seconds


@pytest.mark.parametrize("given", ["soon", "0", "60s; deny all"])
def test_a_timeout_that_can_not_be_used(given: str) -> None:
    """It would end up in the server's configuration."""
    with pytest.raises(InvalidValue) as caught:
        timeouts.response_timeout(given, {})
    assert str(caught.value) == f"proxy_timeout: {given!r} can't be used: expected auto or a number of seconds"


@pytest.mark.parametrize(
    ("name", "value"), [("timeout", "long"), ("timeout", True), ("graceful_timeout", -1), ("keepalive", 1.5)]
)
def test_a_setting_that_is_no_number_of_seconds(name: str, value: object) -> None:
    """The error names the setting of Gunicorn."""

    def read(settings: dict) -> tuple[int, int]:
        return timeouts.response_timeout("auto", settings), timeouts.upstream_keepalive("gthread", settings)

    with pytest.raises(InvalidValue) as caught:
        read({name: value})
    named = f"proxy_gunicorn['settings']['{name}']: {value!r}"
    assert str(caught.value) == f"{named} can't be used: expected a whole number of seconds"


def test_an_unknown_worker_class() -> None:
    """Whether it keeps connections can't be known."""
    with pytest.raises(InvalidValue, match=r"proxy_gunicorn\['worker_class'\]: 'no such' can't be used"):
        timeouts.upstream_keepalive("no such", {})
