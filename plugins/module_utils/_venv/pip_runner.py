# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs pip: the interpreter of a virtual environment runs this file's source, with pip's arguments on stdin.

Every local user can read command lines, so pip's arguments are not on one.
"""

from __future__ import annotations

import json
import runpy
import sys
from typing import Callable

# With this argument, pip ends as soon as it rejects a version, and does not look for older ones.
FIRST_CHOICE = "first-choice"


class Rejected(Exception):
    """pip has found a conflict, and would try another version."""


class Watch:
    """Raises `Rejected` when what pip's resolver reports shows that it gave up a version.

    A version that was chosen, and is replaced since a later requirement asks for another one, is none of these.
    """

    def __init__(self) -> None:
        self._tried: dict = {}
        self._pinned: set = set()

    def adding_requirement(self, requirement: object = None, parent: object = None) -> None:
        """A version needs something. pip 23.0 does not report a rejection, but the next version shows it."""
        name, version = getattr(parent, "name", None), getattr(parent, "version", None)
        if name is None:
            return
        before = self._tried.get(name, version)
        if before != version and (name, before) not in self._pinned:
            raise Rejected(f"{name} {before}")
        self._tried[name] = version

    def pinning(self, candidate: object = None) -> None:
        """A version was chosen."""
        self._pinned.add((getattr(candidate, "name", None), getattr(candidate, "version", None)))

    def rejecting_candidate(self, criterion: object = None, candidate: object = None) -> None:
        """What a version needs conflicts with the rest, says pip from 23.1 on."""
        raise Rejected(str(candidate))

    def resolving_conflicts(self, causes: object = None) -> None:
        """No version of a package fits, and pip goes back to another package."""
        raise Rejected("conflict")


def end_at_first_rejection() -> None:
    """Make pip's resolver end, with an error, where it would try another version.

    A pip that does not report these events just looks for older versions, as it does by itself.
    """
    try:
        from pip._internal.resolution.resolvelib.reporter import PipReporter
    except ImportError:
        return
    watch = Watch()
    for name in ("adding_requirement", "pinning", "rejecting_candidate", "resolving_conflicts"):
        # Set on the class, which other modules of pip may have imported by name.
        setattr(PipReporter, name, _without_self(getattr(watch, name)))


def _without_self(method: Callable) -> Callable:
    return lambda _self, *arguments, **named: method(*arguments, **named)


if __name__ == "__main__":
    options, sys.argv = sys.argv[1:], json.load(sys.stdin)
    if FIRST_CHOICE in options:
        end_at_first_rejection()
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
