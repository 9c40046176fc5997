# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How what runs differs from what is wanted, whichever manager runs it."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Protocol

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile, text_hash
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running


class ProcessSpec(Protocol):
    """What a process that runs can be compared with, whoever started it."""

    configuration: WantedFile
    argv: tuple[str, ...]
    workers: int
    venv_directory: str
    gunicorn_version: str
    configuration_hash: str
    secrets_hash: str


class Decision(NamedTuple):
    """What to do, and why; without reasons there is nothing to do."""

    reasons: list[str]
    switch: bool  # start what is wanted: the process is gone, or another one


def fill_in(text: str, name: str, value: str) -> str:
    """Replace a template's last `@NAME@`: what users wrote stands before it."""
    before, mark, after = text.rpartition(f"@{name}@")
    return before + value + after if mark else text


def digest(*texts: str) -> str:
    """A hash over texts that can't be mistaken for that of others which join to the same."""
    return hashlib.sha256(
        "".join(f"{len(text)}:{text}" for text in texts).encode("utf-8", "surrogateescape")
    ).hexdigest()


def unlike(path: str) -> str:
    """The reason that a file is."""
    return f"{path} is not as configured"


def mismatches(wanted: ProcessSpec, running: Running) -> list[str]:
    """How what runs differs from what is wanted; the names of the differences, and values that are no secrets."""
    compared = [
        ("Gunicorn's version", running.gunicorn_version, wanted.gunicorn_version),
        ("the virtual environment", running.prefix, wanted.venv_directory),
        ("the number of workers", running.workers, wanted.workers),
    ]
    found = [f"{name} is {is_now or 'unknown'}, not {shall}" for name, is_now, shall in compared if is_now != shall]
    if running.argv != wanted.argv:
        found.append(_argv_mismatch(running.argv, wanted.argv))
    if not found and running.configuration_sha256 != text_hash(wanted.configuration.content or ""):
        found.append("what runs was started with another gunicorn.conf.py")
    if not found and running.configuration != wanted.configuration_hash:
        found.append("what runs was started with another configuration")
    if not running.holds_sockets:
        found.append("what runs has opened its sockets itself")
    if running.secrets != wanted.secrets_hash:
        found.append("what runs was started with other secrets")
    return found


def _argv_mismatch(is_now: tuple[str, ...], shall: tuple[str, ...]) -> str:
    more = " ".join(part for part in is_now if part not in shall)
    less = " ".join(part for part in shall if part not in is_now)
    return f"the command line has {more or 'nothing'} in place of {less or 'nothing'}"
