# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a release into its directory, complete or not at all.

It is made in ``.ID.new``, which the run that follows a killed one removes. The note is written before the directory
gets its name: a note without a directory counts for nothing, and neither does a directory without a note.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories as host_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import host_files, notes, unpack
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import look as release_look
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import repository as release_repository
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.git import Git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.look import Found
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.repository import NoSuchCommit, Repository
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.wanted import Wanted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# What was on its way, and what was to be removed
_LEFT = re.compile(rf"\.{notes.ID.pattern}\.(?:new|removed)")
_DEPTH_MAX = 10  # of submodules


def bring(asked: Wanted, runner: Runner, descriptors: list[int]) -> dict[str, Any]:
    """Have the release that is wanted; returns what the module returns.

    `descriptors` are those that the runner's commands inherit. InvalidValue and ReleaseError, if it can't be brought:
    then there is no more of it than before.
    """
    found = release_look.look(asked, runner)
    if found.note:
        return {"changed": False, **release_look.result(asked, found)}
    if found.packages:
        raise ReleaseError(f"the host lacks {' and '.join(found.packages)}")
    gid = accounts.group_id(asked.group)
    if gid < 0:
        raise ReleaseError(f"the host has no group {asked.group}")
    os.makedirs(asked.directory, mode=0o755, exist_ok=True)
    remove_leftovers(asked.directory)
    work = os.path.join(asked.directory, f".{found.id}.new")
    maker = _Maker(asked, found, work, gid, runner, descriptors)
    try:
        os.mkdir(work, 0o700)
        note = _put(asked, found, maker.make())
    finally:
        host_directories.remove(work)
    result = release_look.result(asked, found._replace(note=note))
    return {"changed": True, **result, "warnings": maker.warnings}


def remove_leftovers(directory: str) -> None:
    """Remove what a killed run has left on its way."""
    for name in sorted(os.listdir(directory)):
        if _LEFT.fullmatch(name):
            host_directories.remove(os.path.join(directory, name))


def _put(asked: Wanted, found: Found, made: str) -> Note:
    """Give the directory that was made its name."""
    path = notes.path_of(asked.directory, found.id)
    source = release_look.source_for_people(asked, found.identity)
    definitions = [step.as_dict() for step in asked.steps]
    note = Note(found.id, path, source, brought=time.time(), definitions=definitions)
    directories.sync(made)
    if os.path.lexists(path):
        # It has no note, as when its removal was killed.
        os.rename(path, os.path.join(asked.directory, f".{found.id}.removed"))
    notes.write(asked.directory, note)
    os.rename(made, path)
    remove_leftovers(asked.directory)
    return note


class _Maker:
    """Makes the directory of a release."""

    def __init__(
        self, asked: Wanted, found: Found, work: str, gid: int, runner: Runner, descriptors: list[int]
    ) -> None:
        self._asked = asked
        self._identity = found.identity
        self._gid = gid
        self._runner = runner
        self._repository = Repository(asked.directory, descriptors)
        self._tree = os.path.join(work, "tree")
        self._archive = os.path.join(work, "archive")
        self.warnings: list[str] = []

    def make(self) -> str:
        """Make it, and return its path."""
        os.mkdir(self._tree, 0o700)
        kinds = {"git": self._clone, "requirement": self._add, "archive": self._unpack, "checkout": self._unpack}
        try:
            top = kinds[self._asked.source.kind]()
            unpack.settle(top, self._gid)
        except ReleaseError as error:
            if self._asked.source.kind != "git":
                raise ReleaseError(f"{self._asked.source.shown}: {error}") from None
            raise
        return top

    def _clone(self) -> str:
        source = self._asked.source
        git = Git(self._runner, self._asked.login, source.location)
        try:
            self._write(git, self._identity, source.path, "", 0)
        except NoSuchCommit as error:
            if not release_source.FULL_COMMIT.match(source.version):
                raise
            variable = f"{release_source.VARIABLE}['version']"
            raise InvalidValue(variable, source.version, f"another commit: {error}") from None
        self._repository.forget_old(git)
        return unpack.inside(self._tree, source.path)

    def _write(self, git: Git, commit: str, path: str, under: str, depth: int) -> None:
        """Write the files of a commit, and those of its submodules, if they are wanted."""
        self._repository.write(git, commit, path, self._archive)
        self._tell_pointers(unpack.unpack(self._archive, self._tree, self._gid, under))
        os.unlink(self._archive)
        modules = self._repository.submodules(git, commit, path)
        if modules and not self._asked.source.submodules:
            names = ", ".join(values_text.shown(module.path, 60) for module in modules[:3])
            more = f" and {len(modules) - 3} more" if len(modules) > 3 else ""
            self.warnings.append(
                f"Submodules of {git.shown} are left out: {names}{more}. "
                f"{release_source.VARIABLE}['submodules']: true brings them."
            )
            return
        if depth > _DEPTH_MAX:
            raise ReleaseError(f"{git.shown} has submodules in more than {_DEPTH_MAX} levels")
        for module in modules:
            inner = release_repository.git_of(module, git)
            self._write(inner, module.commit, "", f"{under}/{module.path}" if under else module.path, depth + 1)

    def _unpack(self) -> str:
        source = self._asked.source
        file = source.location if source.is_on_host else self._asked.file
        if not file:
            raise ReleaseError("it was not brought to the host")
        found = host_files.copy(file, self._archive)
        if source.kind == "archive" and found != self._identity:
            raise ReleaseError(f"it has changed meanwhile: its SHA-256 is {found}, and was {self._identity}")
        self._tell_pointers(unpack.unpack(self._archive, self._tree, self._gid))
        # What git has packed has no name at its top.
        top = unpack.root_of(self._tree) if source.kind == "archive" else self._tree
        inside = unpack.inside(top, source.path)
        if not inside:
            expected = f"a directory in {source.shown}, which has none of this name"
            raise InvalidValue(f"{release_source.VARIABLE}['path']", source.path, expected)
        return inside

    def _add(self) -> str:
        """The virtual environment is all there is of it, and the file from which that is made."""
        location = self._asked.source.location
        if self._asked.source.is_on_host:
            target = os.path.join(self._tree, os.path.basename(location))
            found = host_files.copy(location, target)
            if found != self._identity:
                raise ReleaseError(f"it has changed meanwhile: its SHA-256 is {found}, and was {self._identity}")
            os.chown(target, os.geteuid(), self._gid)
            os.chmod(target, unpack.FILE_MODE)
        return self._tree

    def _tell_pointers(self, names: list[str]) -> None:
        if names:
            more = f" and {len(names) - 1} more files" if len(names) > 1 else ""
            self.warnings.append(
                f"Git LFS has the content of {values_text.shown(names[0])}{more}, which is not fetched. "
                f"Release an archive that has it."
            )
