# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which host does the steps that are done once, and what the others know of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _once

PATH = "/opt/shop/releases/3f2a"


def variables(path: str = PATH, pending: bool = True, done: list[str] | None = None) -> dict[str, Any]:
    """Those of a host that deploys a release with two steps."""
    steps = [
        {"name": "migrate", "when": "migrate", "once": True, "pending": pending},
        {"name": "cache", "when": "migrate", "once": False, "pending": pending},
        {"name": "tell", "when": "after", "once": True, "pending": pending},
    ]
    found = {"__gunicorn_release_result": {"path": path, "steps": steps}}
    return found if done is None else {**found, "__gunicorn_once_done": {f"{PATH} migrate": done}}


def ask(host: str, **hosts: dict[str, Any]) -> dict[str, Any]:
    """What a host is told."""
    return _once.once_steps(hosts, list(hosts), host, "migrate")


def test_the_first_host_does_them() -> None:
    """The others wait until it has."""
    first = ask("a", a=variables(), b=variables())
    assert (first["mine"], first["waits"], first["steps"]) == (True, False, ["migrate"])
    assert ask("b", a=variables(), b=variables()) == {
        "steps": ["migrate"],
        "first": "a",
        "mine": False,
        "waits": True,
        "done": False,
    }
    assert ask("b", a=variables(done=["migrate"]), b=variables())["done"]


def test_they_may_have_been_done_by_an_earlier_run() -> None:
    """Then the first host has nothing left to do."""
    assert ask("b", a=variables(pending=False), b=variables())["done"]
    nothing = ask("b", a=variables(), b=variables(pending=False))
    assert not nothing["waits"]
    assert not nothing["mine"]


def test_hosts_that_deploy_something_else_do_nothing_for_others() -> None:
    """Another project, another release, or none: as one that could not be reached."""
    other = variables("/opt/blog/releases/3f2a", done=["migrate"])
    found = ask("c", a={}, b=other, c=variables(), d=variables())
    assert (found["first"], found["mine"]) == ("c", True)


def test_what_was_done_for_another_release_does_not_count() -> None:
    """The same host may deploy two projects in one play."""
    done = {**variables(), "__gunicorn_once_done": {"/opt/blog/releases/3f2a migrate": ["migrate"]}}
    assert not ask("b", a=done, b=variables())["done"]
