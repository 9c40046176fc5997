# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller has of a release: the hash of an archive, and what is committed in a checkout."""

from __future__ import annotations

import hashlib
import os
import subprocess

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.source import VARIABLE, Source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_SHOWN = 3


def sha256_of(path: str, source: Source) -> str:
    """The SHA-256 of an archive; raises InvalidValue if it can't be read, or is another one than is wanted."""
    digest = hashlib.sha256()
    try:
        if not os.path.isfile(path):
            raise OSError(0, "there is none")
        with open(path, "rb") as file:
            for part in iter(lambda: file.read(1024 * 1024), b""):
                digest.update(part)
    except OSError as error:
        expected = f"a file on the controller ({error.strerror}); one on the host needs remote_src: true"
        raise InvalidValue(f"{VARIABLE}['archive']", source.location, expected) from None
    if source.sha256 and digest.hexdigest() != source.sha256:
        expected = f"that of {path}, which is sha256:{digest.hexdigest()}"
        raise InvalidValue(f"{VARIABLE}['checksum']", f"sha256:{source.sha256}", expected)
    return digest.hexdigest()


class Checkout:
    """A checkout on the controller, as a source names it."""

    def __init__(self, directory: str, source: Source) -> None:
        """Raises InvalidValue if there is no such commit, or no such directory in it."""
        self._directory = directory
        self._source = source
        # The directory itself may be in a repository.
        within = self._git("checkout", source.location, "rev-parse", "--show-prefix").strip()
        self.path = (within + source.path).rstrip("/")
        named = ("version", source.version, "rev-parse", "--verify", "--quiet", f"{source.version}^{{commit}}")
        self.commit = self._git(*named).strip()
        if self.path and self._entry(self.path) != "tree":
            name, value = ("path", source.path) if source.path else ("checkout", source.location)
            raise self._invalid(name, value, f"a directory that commit {self.commit[:12]} has")

    def warnings(self) -> list[str]:
        """What of it is not in the release, though somebody may expect it."""
        found = []
        # Of another version than the one that is checked out, nobody expects it.
        if self._git("version", "HEAD", "rev-parse", "HEAD").strip() == self.commit:
            changed = self._git("checkout", self._source.location, "status", "--porcelain", "-z", "--", ".").split("\0")
            names = [line[3:] for line in changed if len(line) > 3 and line[2] == " "]
            found += [self._left_out("uncommitted changes", names)] if names else []
        arguments = ["ls-tree", "-r", "-z", "--full-tree", self.commit, *([self.path] if self.path else [])]
        listed = self._git("checkout", self._source.location, *arguments).split("\0")
        modules = [line.partition("\t")[2] for line in listed if line.startswith("160000 ")]
        return found + ([self._left_out("submodules", modules)] if modules else [])

    def write(self, target: str) -> None:
        """Write what is committed into a tar."""
        top = self._git("checkout", self._source.location, "rev-parse", "--show-toplevel").strip() or self._directory
        arguments = ["archive", "--format=tar", f"--output={target}", self.commit, *([self.path] if self.path else [])]
        self._git("checkout", self._source.location, *arguments, directory=top)

    def _entry(self, path: str) -> str:
        found = self._git("path", path, "ls-tree", "-d", "--full-tree", self.commit, path).split()
        return found[1] if found else ""

    def _left_out(self, what: str, names: list[str]) -> str:
        named = ", ".join(values_text.shown(name, 60) for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{VARIABLE}['checkout']: {what} in {self._source.location} are left out: {named}{more}"

    def _git(self, name: str, value: str, *arguments: str, directory: str = "") -> str:
        """What git prints; raises InvalidValue for the part of the variable that is to blame."""
        # Without what a hook of git, from which Ansible may be run, has set
        kept = {key: text for key, text in os.environ.items() if not key.startswith("GIT_") or "CONFIG" in key}
        command = ["git", "-C", directory or self._directory, *arguments]
        environment = {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            done = subprocess.run(
                command, env=environment, check=False, capture_output=True, text=True, errors="surrogateescape"
            )
        except FileNotFoundError:
            raise self._invalid("checkout", self._source.location, "git on the controller, which has none") from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["git finds no such commit"]
            expected = {
                "version": f"a branch, a tag or a commit of the repository in {self._source.location}",
                "path": "a directory in it",
            }.get(name, "a directory on the controller, in which a git repository is checked out")
            raise self._invalid(name, value, f"{expected} ({values_text.shown(lines[0])})")
        return done.stdout

    def _invalid(self, name: str, value: str, expected: str) -> InvalidValue:
        return InvalidValue(f"{VARIABLE}[{name!r}]", value, expected)
