# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a failed change is told: the application's own error, and the last lines of its logs."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError

_LINES = 25
# A traceback and the error that ends it.
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)", re.MULTILINE)
# How Gunicorn says that a worker, which said more, did not start.
_FOLLOW_UP = "gunicorn.errors.HaltServer"


class Failed(Exception):
    """A step failed; the caller knows what to put back."""


def deploy_error(what: str, failure: Exception, now: str, said: dict[str, str]) -> DeployError:
    """The error that ends a change: what failed and why, what is live now, and what was said meanwhile, by source."""
    return DeployError(f"{what}: {_summary(failure, said)}. {now}.\n{_quoted(said)}")


def _summary(failure: Exception, said: dict[str, str]) -> str:
    """The application's own error if there is one, or else what the step said."""
    errors = [found[1].strip() for text in said.values() for found in _tracebacks(text)[-1:]]
    return errors[0] if errors else str(failure)


def _quoted(said: dict[str, str]) -> str:
    """The last traceback of each source, or its last lines."""
    return "\n".join(f"{title}:\n{_excerpt(text)}" for title, text in said.items() if text.strip())


def _excerpt(text: str) -> str:
    found = _tracebacks(text)
    part = found[-1].group() if found else text
    return "\n".join(part.rstrip().splitlines()[-_LINES:])


def _tracebacks(text: str) -> list[re.Match]:
    return [found for found in _TRACEBACK.finditer(text) if not found[1].startswith(_FOLLOW_UP)]
