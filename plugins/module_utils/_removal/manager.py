# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a removal asks of systemd or supervisor, and what their two files share."""

from __future__ import annotations

import os
from typing import Iterable, NamedTuple, Protocol

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class RemovalError(Exception):
    """Something could not be removed; the message says what, and what is left to do."""


class Found(NamedTuple):
    """What a manager has of the service."""

    stop: tuple[str, ...]
    disable: tuple[str, ...]
    addresses: tuple[str, ...]  # paths of the service's unix sockets
    active: bool  # whether it listens on them now
    files: tuple[str, ...]  # the role's, to be removed first
    definitions: tuple[str, ...]  # what defines the service, and what an interrupted change left: to be removed last
    foreign: tuple[str, ...]  # what is there, but was not made by the role
    logs: tuple[str, ...] = ()  # of the service's companions


class Manager(Protocol):
    """systemd or supervisor, for one service."""

    replaced: tuple[str, ...]  # definitions of which the role may have replaced one that a person made
    log_directory: str  # where it logs for the service; empty if that is in the journal

    @property
    def own_units(self) -> tuple[str, ...]:
        """The units of systemd whose processes are the service's, or run it."""

    def own_processes(self) -> set[int]:
        """The ids of the service's processes that are in no unit of their own."""

    def read(self) -> Found:
        """Look what there is; raises InvalidValue if the role did not make it."""

    def stop(self, found: Found) -> None:
        """Stop the service, so that nothing starts it again; raises RemovalError."""

    def forget(self, found: Found, removed: tuple[str, ...]) -> None:
        """Have the manager notice that these paths are removed; raises RemovalError."""


def refusal(service: str, what: str) -> InvalidValue:
    """The error for a service that the role did not make."""
    expected = f"a service that the role made: {what} was not. Remove it yourself, or let the role adopt it first"
    return InvalidValue("gunicorn_service_name", service, expected)


def is_foreign(path: str) -> bool:
    """Whether there is a file that the role did not make."""
    return os.path.lexists(path) and not names.is_ours(files.read(path))


def left_beside(paths: Iterable[str]) -> list[str]:
    """The paths at which an interrupted change may have left other versions of files."""
    return [files.beside(path, prefix) for path in paths for prefix in (files.CANDIDATE, files.PREVIOUS)]


def command(runner: Runner, *words: str) -> None:
    """Run a command; raises RemovalError with the command's own words."""
    code, output, errors = runner.run(list(words))
    if code:
        raise RemovalError(" ".join((errors or output).split()) or f"{' '.join(words)} failed")
