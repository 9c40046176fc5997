# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a failed change is told: the application's own error, and the last lines of its logs."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.change import Failed

_LINES = 25


# A traceback and the error that ends it.
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)", re.MULTILINE)
# How Gunicorn says that a worker, which said more, did not start.
_FOLLOW_UP = "gunicorn.errors.HaltServer"


def _tracebacks(text: str) -> list[re.Match]:
    return [found for found in _TRACEBACK.finditer(text) if not found[1].startswith(_FOLLOW_UP)]


def summary(failure: Failed, said: dict[str, str]) -> str:
    """The application's own error where there is one, else what the step said."""
    errors = [found[1].strip() for text in said.values() for found in _tracebacks(text)[-1:]]
    return errors[0] if errors else str(failure)


def quoted(said: dict[str, str]) -> str:
    """The last traceback of each, or its last lines."""
    return "\n".join(f"{title}:\n{_excerpt(text)}" for title, text in said.items() if text.strip())


def _excerpt(text: str) -> str:
    found = _tracebacks(text)
    part = found[-1].group() if found else text
    return "\n".join(part.rstrip().splitlines()[-_LINES:])
