# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures of a change, told to a person.

The application writes what is quoted: it is cut, cannot control a terminal, and is shown without secrets.
"""

from __future__ import annotations

import re
from typing import Iterable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text

# Bytes at the end of each source that are read at most
LONGEST = 4 << 20
_LINES = 25
# A traceback and the error that ends it.
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)", re.MULTILINE)
# How Gunicorn says that a worker, which said more, did not start.
_FOLLOW_UP = "gunicorn.errors.HaltServer"
# What Python writes between two tracebacks of which the second one follows from the first one
_FOLLOWS = re.compile(r"\n(?:.*\n)*?\nThe above exception was the direct cause of the following exception:\n\n")


class Failed(Exception):
    """A step failed; the caller knows what to put back."""


class CompanionFailed(Failed):
    """A companion does not work; `said` is what it said, by the source of that."""

    checked = False  # whether it came up, and its check failed

    def __init__(self, companion: str, reason: str, said: dict[str, str], status: int = 0) -> None:
        super().__init__(reason)
        self.companion = companion
        self.said = said
        self.status = status  # of its process


def deploy_error(
    what: str, failure: Exception, now: str, said: dict[str, str], secrets: Iterable[str] = ()
) -> DeployError:
    """The error that ends a change: what failed and why, what is live now, and what was said meanwhile, by source.

    The secrets are masked in all of it.
    """
    secrets = tuple(secrets)
    # Of a companion that goes on, a traceback in the log may be of any task.
    own = "" if getattr(failure, "checked", False) else own_error(said)
    reason = fit(own or str(failure), secrets)
    quoted = "\n".join(f"{title}:\n{fit(excerpt(text), secrets)}" for title, text in said.items() if text.strip())
    return DeployError(f"{what}: {reason}. {now}.\n{quoted}")


def fit(text: str, secrets: Iterable[str]) -> str:
    """The text as it can be shown."""
    return "\n".join(map(values_text.shown, values_text.masked(text, secrets).split("\n")))


def own_error(said: dict[str, str]) -> str:
    """The application's own error, if it has said one."""
    errors = [found[1].strip() for text in said.values() for found in _tracebacks(text)[-1:]]
    return errors[0] if errors else ""


def excerpt(text: str) -> str:
    """The last traceback of a text, after the one that it follows from, or its last lines."""
    found = _tracebacks(text)
    if not found:
        return _last_lines(text)
    last = found[-1]
    if len(found) > 1 and _FOLLOWS.fullmatch(text, found[-2].end(), last.start()):
        return f"{_last_lines(found[-2].group())}\n\n{_last_lines(last.group())}"
    return _last_lines(last.group())


def _last_lines(text: str) -> str:
    return "\n".join(text.rstrip().split("\n")[-_LINES:])


def _tracebacks(text: str) -> list[re.Match]:
    return [found for found in _TRACEBACK.finditer(text) if not found[1].startswith(_FOLLOW_UP)]
