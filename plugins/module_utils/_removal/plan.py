# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a removal takes away, and what it refuses to."""

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
    """What a manager of services has of the service."""

    stop: tuple[str, ...]
    disable: tuple[str, ...]
    addresses: tuple[str, ...]  # paths of unix sockets that the service listened on
    active: bool  # whether it still does
    files: tuple[str, ...]  # the role's, to remove first
    definitions: tuple[str, ...]  # what makes it a service, and what a change left: to remove last
    foreign: tuple[str, ...]  # what is there, and is not the role's


class Manager(Protocol):
    """What runs services on a host: systemd or supervisor."""

    replaced: tuple[str, ...]  # definitions that a person may have made before the role made its own
    log_directory: str  # its own for the service, or an empty string

    def read(self) -> Found:
        """Look what there is; raises InvalidValue where it is not the role's."""

    def stop(self, plan: RemovalPlan) -> None:
        """End the service, and let nothing start it again; raises RemovalError."""

    def forget(self, plan: RemovalPlan) -> None:
        """Know nothing of it any more, now that its files are gone; raises RemovalError."""


class RemovalPlan(NamedTuple):
    """What there is to do. Paths are removed in their order, directories with what is in them."""

    stop: tuple[str, ...]
    disable: tuple[str, ...]
    keep: tuple[str, ...]  # predecessors of a change that was interrupted, which are not the role's
    paths: tuple[str, ...]
    user: str
    group: str
    left: tuple[str, ...]  # sentences: what is there on purpose

    @property
    def changes(self) -> list[str]:
        """Everything that goes, or stops."""
        accounts = [f"user {self.user}"] * bool(self.user) + [f"group {self.group}"] * bool(self.group)
        return [*self.stop, *self.paths, *accounts]


# What the managers share


def refusal(service: str, what: str) -> InvalidValue:
    """The error for a service that somebody else made."""
    expected = f"a service that the role made: {what} was not. Remove it yourself, or let the role adopt it first"
    return InvalidValue("gunicorn_service_name", service, expected)


def is_other(path: str) -> bool:
    """Whether there is a file, and it is not the role's."""
    return os.path.lexists(path) and not names.is_ours(files.read(path))


def aside(paths: Iterable[str]) -> list[str]:
    """What an interrupted change may have left beside files."""
    return [files.beside(path, prefix) for path in paths for prefix in (files.CANDIDATE, files.PREVIOUS)]


def command(runner: Runner, *words: str) -> None:
    """Run a command; raises RemovalError with its own words."""
    code, output, errors = runner.run(list(words))
    if code:
        raise RemovalError(" ".join((errors or output).split()) or f"{' '.join(words)} failed")
