"""Requests that a test host sends to itself with curl; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import json


def get(host, url: str, *options: str) -> str:
    """Return a page; fail if there is none."""
    command = "curl --silent --show-error --fail --globoff --max-time 20"
    return host.check_output(" ".join([command, *options, "%s"]), url)


def get_json(host, url: str, *options: str):
    """Return the value of a page in JSON."""
    return json.loads(get(host, url, *options))


def answers(host, url: str, *options: str) -> bool:
    """Return whether there is a page."""
    return host.run(" ".join(["curl --silent --fail --globoff", *options, "%s"]), url).rc == 0
