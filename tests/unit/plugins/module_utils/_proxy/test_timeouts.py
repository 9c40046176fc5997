# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import timeouts


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
