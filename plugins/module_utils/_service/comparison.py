# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How what runs differs from what is wanted, whichever manager runs it."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import text_hash
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.running import Running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text


class Decision(NamedTuple):
    """What to do, and why. Without reasons there is nothing to do."""

    reasons: list[str]
    switch: bool  # start what is wanted: no process runs, or another one than is wanted


def fill_in(text: str, name: str, value: str) -> str:
    """Replace the last `@NAME@` of a template: what users wrote is before it."""
    before, mark, after = text.rpartition(f"@{name}@")
    return before + value + after if mark else text


def digest(*texts: str) -> str:
    """A hash over texts, which is another one for other texts that join to the same."""
    return hashlib.sha256(
        "".join(f"{len(text)}:{text}" for text in texts).encode("utf-8", "surrogateescape")
    ).hexdigest()


def unlike(path: str) -> str:
    """The reason to act that a differing file is."""
    return f"{path} is not as configured"


def command_problems(wanted: ServiceSpec, has_command: bool, sudoers: str | None) -> list[str]:
    """What is not as wanted of the command that runs commands of the project, as before a collection that has it."""
    found = [] if has_command else [f"the command {names.run_command(wanted.name)} is missing"]
    return found + ([unlike(wanted.sudoers.path)] if sudoers != wanted.sudoers.content else [])


# Reasons to act that root's mark of a refused change is: code in place may be the refused one
REFUSED = "a change was refused, and its code may still be in place: that must be tried"
REFUSED_BEFORE = "the mark of a change that was refused is left"


def has_new_venv(wanted: ServiceSpec, venv_directory: str) -> bool:
    """Whether the virtual environment is another one, or was changed in place."""
    return bool(wanted.venv_backup) or venv_directory != wanted.venv_directory


def logs_to_reopen(lost: dict[str, bool]) -> list[str]:
    """The reasons to have a service open its logs anew, which needs no new process."""
    return [f"the service writes into a file that is no more at {path}" for path in lost if all(lost.values())]


def logs_out_of_reach(lost: dict[str, bool]) -> list[str]:
    """The reasons to start a service anew since it can't open its logs."""
    return [f"the service can't open {path} again: its directory was removed" for path in lost if not lost[path]]


def mismatches(wanted: ServiceSpec, running: Running) -> list[str]:
    """How what runs differs from what is wanted: a sentence for each difference, without secrets."""
    compared = [
        ("Gunicorn's version", running.gunicorn_version, wanted.gunicorn_version),
        ("the virtual environment", running.prefix, wanted.venv_directory),
        ("the number of workers", running.workers, wanted.workers),
    ]
    found = [
        f"{name} is {values_text.shown(str(is_now)) or 'unknown'}, not {must_be}"
        for name, is_now, must_be in compared
        if is_now != must_be
    ]
    if running.argv != wanted.argv:
        found.append(_argv_mismatch(running.argv, wanted.argv))
    if not found and running.configuration_sha256 != text_hash(wanted.configuration.content or ""):
        found.append("what runs was started with another gunicorn.conf.py")
    if not found and running.configuration != wanted.configuration_hash:
        found.append("what runs was started with another configuration")
    if not running.holds_sockets:
        found.append("what runs has opened its sockets itself")
    if running.sockets > len(wanted.binds):
        # systemd closes an address that is gone from a unit. The service goes on listening.
        found.append("what runs listens on more addresses than are configured")
    if running.secrets != wanted.secrets_hash:
        found.append("what runs was started with other secrets")
    return found


def _argv_mismatch(running: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    more = " ".join(part for part in running if part not in wanted)
    less = " ".join(part for part in wanted if part not in running)
    return f"the command line has {values_text.shown(more) or 'nothing'} in place of {less or 'nothing'}"
