# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release is wanted, and whether it is there. Nothing is changed."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import git as release_git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import host_files, notes, wanted, way_back
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import steps as release_steps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.git import Git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.steps import Step
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.wanted import Wanted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class Found(NamedTuple):
    """A release that is wanted, as far as the host can tell. Without git, it may have no ID."""

    id: str
    identity: str  # a commit, or the SHA-256 of what it is made of
    note: Note | None
    live: Live
    packages: list[str]  # that the host lacks to bring it


def look(asked: Wanted, runner: Runner) -> Found:
    """Find the release that is wanted; raises InvalidValue and ReleaseError."""
    _check_directory(asked)
    live = notes.read_live(asked.directory)
    if asked.source.kind == "kept":
        note = way_back.find(asked.directory, asked.source.location, release_source.VARIABLE)
        return Found(note.id, note.source.get("identity", ""), note, live, [])
    is_git = asked.source.kind == "git"
    packages = release_git.lacking(asked.source.location) if is_git else []
    identity = _identity(asked, runner, packages)
    if not identity:
        return Found("", "", None, live, packages)
    name = wanted.id_of(asked, identity)
    note = notes.find(asked.directory, name)
    if note and note.source.get("identity", identity) != identity:
        raise ReleaseError(f"{note.path} has the same ID and is made of something else, {note.source['identity']}")
    return Found(name, identity, note, live, [] if note else packages)


def result(asked: Wanted, found: Found) -> dict[str, Any]:
    """What the module returns."""
    note = found.note
    path = notes.path_of(asked.directory, found.id) if found.id else ""
    return {
        "id": found.id,
        "path": path,
        "known": bool(found.id),
        "there": note is not None,
        "identity": found.identity,
        "live": found.live.id,
        "venv": _venv(note) if note else {},
        "steps": _steps(asked, found),
        "source": note.source if note else source_for_people(asked, found.identity),
        "requirement": requirement_of(asked, found),
        "packages": found.packages,
    }


def source_for_people(asked: Wanted, identity: str) -> dict[str, Any]:
    """Where a release is from, for its note: without secrets."""
    source = asked.source
    given = {"version": source.version, "path": source.path, "submodules": source.submodules}
    return {source.kind: source.shown, **{key: value for key, value in given.items() if value}, "identity": identity}


def requirement_of(asked: Wanted, found: Found) -> str:
    """What the virtual environment needs of the release; a wheel is in the release once that is there."""
    source = found.note.source if found.note else source_for_people(asked, found.identity)
    text = source.get("requirement", "")
    if not text.startswith("/") or not found.note:
        return text
    return f"{found.note.path}/{text.rpartition('/')[2]}"


def _steps(asked: Wanted, found: Found) -> list[dict[str, Any]]:
    if asked.source.kind != "kept":
        done = found.note.steps if found.note else {}
        pending = release_steps.pending(asked.steps, done, switching=found.id != found.live.id)
        return [{**step.as_dict(), "pending": step in pending} for step in asked.steps]
    # What was done stays done. On the way back, only what asks for it follows.
    steps = _definitions(found.note)
    is_left = found.id != found.live.id or found.live.steps_left
    return [{**step.as_dict(), "pending": step.on_roll_back and is_left} for step in steps]


def _venv(note: Note) -> dict[str, Any]:
    """The venv with which the release was live, or the one that was built for it."""
    if note.venv or not note.candidate:
        return note.venv
    return {"directory": note.candidate}


def _definitions(note: Note | None) -> list[Step]:
    return [release_steps.from_dict(item) for item in note.definitions] if note else []


def _check_directory(asked: Wanted) -> None:
    """Nobody else may put something in the place of a release."""
    account = accounts.service_account(asked.user, asked.group)
    host_files.check_trust("gunicorn_releases_directory", asked.directory, account)


def _identity(asked: Wanted, runner: Runner, packages: list[str]) -> str:
    """The commit, or the SHA-256 of what the release is made of; "" if the host lacks what finds it."""
    source = asked.source
    variable = f"{release_source.VARIABLE}[{source.kind!r}]"
    account = accounts.service_account(asked.user, asked.group)
    if source.kind == "git":
        if source.is_on_host:
            path = source.location[len("file://") :] if source.location.startswith("file:") else source.location
            host_files.check_trust(variable, path, account, source.location)
        is_commit = release_source.FULL_COMMIT.match(source.version)
        return "" if packages and not is_commit else Git(runner, asked.login, source.location).commit_of(source.version)
    if source.kind == "requirement" and not source.is_on_host:
        return hashlib.sha256(source.location.encode()).hexdigest()
    if source.is_on_host:
        found = host_files.hash_of(variable, source.location, account)
        check_sha256(asked, found)
        return found
    # On the network, it has been given; on the controller, the action has found it.
    return source.sha256 if source.is_url else asked.identity


def check_sha256(asked: Wanted, found: str) -> None:
    """Raise InvalidValue if an archive is another one than the given checksum is of."""
    if asked.source.sha256 and found != asked.source.sha256:
        expected = f"that of {asked.source.shown}, which is sha256:{found}"
        variable = f"{release_source.VARIABLE}['checksum']"
        raise InvalidValue(variable, f"sha256:{asked.source.sha256}", expected)
