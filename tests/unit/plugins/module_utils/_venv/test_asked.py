# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import asked


class TestGunicorn:
    @pytest.mark.parametrize(
        ("version", "requirement"),
        [
            ("newest", "gunicorn>=23.0.0"),
            ("27.0.1", "gunicorn>=23.0.0,==27.0.1"),
            (">= 25.3, < 28", "gunicorn>=23.0.0,>=25.3,<28"),
            ("==27.*", "gunicorn>=23.0.0,==27.*"),
        ],
    )
    def test_the_requirement(self, version: str, requirement: str) -> None:
        """The floor is always a part of it: older versions let requests be smuggled."""
        assert asked.gunicorn_requirement(version) == requirement

    @pytest.mark.parametrize(
        ("worker_class", "settings", "extras"),
        [
            ("sync", {}, ""),
            ("gthread", {"http_protocols": "h1", "http_parser": "auto"}, ""),
            ("asgi", {}, ""),
            ("uvicorn_worker.UvicornWorker", {}, ""),
            ("gevent", {}, "[gevent]"),
            ("gevent_wsgi", {}, "[gevent]"),
            ("gevent_pywsgi", {}, "[gevent]"),
            ("egg:gunicorn#gevent", {}, "[gevent]"),
            ("gunicorn.workers.ggevent.GeventWorker", {}, "[gevent]"),
            ("gunicorn.workers.ggevent.GeventPyWSGIWorker", {}, "[gevent]"),
            ("project.workers.gevent", {}, ""),
            ("eventlet", {}, "[eventlet]"),
            ("tornado", {}, "[tornado]"),
            ("sync", {"http_protocols": "H2, h1"}, "[http2]"),
            ("gevent", {"http_protocols": "h2", "http_parser": "fast"}, "[fast,gevent,http2]"),
            ("sync", {"http_protocols": None, "http_parser": []}, ""),
        ],
    )
    def test_extras(self, worker_class: str, settings: dict, extras: str) -> None:
        """A worker class or a setting alone is enough to get what it needs."""
        requirement = asked.gunicorn_requirement("==27.*", worker_class, settings)
        assert requirement == f"gunicorn{extras}>=23.0.0,==27.*"


class TestCheck:
    def test_both_kinds(self, tmp_path: Path) -> None:
        """A list is taken as it is, and a string is the path of a file."""
        assert asked.check(["Django", " x # y"]) == (["Django", " x # y"], "")
        assert asked.check("/opt/../r.txt") == ([], "/r.txt")
        for nothing in (None, "", []):
            assert asked.check(nothing) == ([], "")

    @pytest.mark.parametrize("given", [5, True, {"a": 1}, ["a", 5], [None], [["a"]]])
    def test_what_is_neither_is_refused(self, given: object) -> None:
        """Ansible can't check the type of an option that takes both."""
        with pytest.raises(InvalidValue) as caught:
            asked.check(given)  # type: ignore[arg-type]
        assert str(caught.value).startswith(f"gunicorn_requirements: {given!r} can't be used: expected a list")
