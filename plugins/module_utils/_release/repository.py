# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was fetched from repositories, kept beside the releases: the next release fetches only what is new.

It is one bare repository for all URLs, since git names what it holds by its content. It has no remotes, and so no URL
that could hold a secret, and no hooks. Each commit that was fetched has a reference of its own, without its history
where the server gives it so.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories as host_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import git as release_git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.git import Git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.git_failures import GitError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

NAME = ".repository"
_KEPT_COMMITS = 50
_LOCK_TIMEOUT = 600.0  # seconds
_FETCHED = "refs/fetched"
# What a git that was killed leaves, and what stops the next one
_LEFT = re.compile(r".*\.lock\Z|gc\.pid\Z|tmp_.*")


def lock_name(directory: str) -> str:
    """The name of the lock on a repository's directory."""
    return f"release-{hashlib.sha256(os.path.realpath(directory).encode()).hexdigest()[:16]}"


class NoSuchCommit(ReleaseError):
    """A repository does not have a commit, or does not give it."""


class Submodule(NamedTuple):
    """A submodule, as a commit has it."""

    path: str
    commit: str
    url: str


class Repository:
    """The repository in a directory of releases."""

    def __init__(self, releases: str, descriptors: list[int]) -> None:
        """`descriptors` are those that commands inherit: a git that outlives this process keeps others out."""
        self.directory = os.path.join(releases, NAME)
        self._descriptors = descriptors

    def write(self, git: Git, commit: str, path: str, target: str) -> None:
        """Write the files of a commit, or of a directory in it, into a tar.

        What is missing is fetched. InvalidValue if there is no such directory; ReleaseError if the remote does not have
        the commit, or does not answer.
        """
        self._take_lock()
        try:
            self._prepare(git, commit)
            self._write(git, commit, path, target)
        except ReleaseError:
            # What is kept may be damaged, as by a disk that was full. Else the remote is at fault.
            if self._is_whole(git):
                raise
            self.remove()
            self._prepare(git, commit)
            self._write(git, commit, path, target)

    def submodules(self, git: Git, commit: str, path: str) -> list[Submodule]:
        """The submodules in a directory of a commit that was written."""
        # Each line is "MODE TYPE COMMIT<tab>PATH".
        listed = self._run(git, ["ls-tree", "-r", "-z", commit, *([path] if path else [])]).split("\0")
        found = [line.partition("\t") for line in listed if line.startswith("160000 commit ")]
        urls = self._urls(git, commit) if found else {}
        return [Submodule(name, head.split()[2], urls.get(name, "")) for head, _tab, name in found]

    def forget_old(self, git: Git) -> None:
        """Forget the oldest commits, and what only they needed."""
        listed = self._run(git, ["for-each-ref", "--sort=-creatordate", "--format=%(refname)", _FETCHED])
        for reference in listed.splitlines()[_KEPT_COMMITS:]:
            self._run(git, ["update-ref", "-d", reference])
        self._run(git, ["-c", "gc.auto=2000", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet", "--prune=now"])

    def remove(self) -> None:
        """Remove all that was fetched."""
        host_directories.remove(self.directory)

    def _take_lock(self) -> None:
        if not self._descriptors:
            self._descriptors.append(lock.take(lock_name(self.directory), _LOCK_TIMEOUT))

    def _prepare(self, git: Git, commit: str) -> None:
        formats = ["--object-format=sha256"] if len(commit) == 64 else []
        # Made last: a git that was killed may have left less than a repository.
        mark = os.path.join(self.directory, f"gunicorn-{len(commit)}")
        if not os.path.exists(mark):
            self.remove()
            os.mkdir(self.directory, 0o700)
            git.run(["init", "--quiet", "--bare", "--template=", *formats, self.directory])
            os.close(os.open(mark, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        for folder, _names, files in os.walk(self.directory):
            for name in files:
                if _LEFT.match(name):
                    os.unlink(os.path.join(folder, name))

    def _write(self, git: Git, commit: str, path: str, target: str) -> None:
        if not self._has(git, f"{_FETCHED}/{commit}"):
            self._fetch(git, commit)
        if path and not self._run(git, ["ls-tree", "-d", commit, path]).startswith("040000 tree "):
            expected = f"a directory in {git.shown}: commit {commit[:12]} has none of this name"
            raise InvalidValue(f"{release_source.VARIABLE}['path']", path, expected)
        self._run(git, ["archive", "--format=tar", f"--output={target}", commit, *([path] if path else [])])

    def _fetch(self, git: Git, commit: str) -> None:
        reference = f"{_FETCHED}/{commit}"
        try:
            self._fetch_refs(git, ["--depth=1", git.url, f"+{commit}:{reference}"])
        except GitError as error:
            if "not our ref" in error.said:
                raise NoSuchCommit(f"{git.shown} has no commit {commit}") from None
            # Some servers give only what a branch or a tag has at its end, or nothing without its history.
            if not re.search(r"unadvertised object|shallow", error.said):
                raise
            seen = f"refs/seen/{hashlib.sha256(git.url.encode()).hexdigest()[:16]}"
            self._fetch_refs(git, ["--prune", git.url, f"+refs/heads/*:{seen}/heads/*", f"+refs/tags/*:{seen}/tags/*"])
            if not self._has(git, commit):
                raise NoSuchCommit(f"{git.shown} has no commit {commit}, or does not give it") from None
            self._run(git, ["update-ref", reference, commit])

    def _fetch_refs(self, git: Git, arguments: list[str]) -> None:
        self._run(git, ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *arguments])

    def _has(self, git: Git, name: str) -> bool:
        try:
            return self._run(git, ["cat-file", "-t", name]).strip() == "commit"
        except GitError:
            return False

    def _is_whole(self, git: Git) -> bool:
        """Whether what was fetched before can be read."""
        try:
            self._run(git, ["fsck", "--connectivity-only", "--no-dangling"])
        except GitError:
            return False
        return True

    def _urls(self, git: Git, commit: str) -> dict[str, str]:
        """The URLs of the submodules in .gitmodules, by their paths."""
        asked = ["config", f"--blob={commit}:.gitmodules", "--null", "--get-regexp", r"^submodule\..*\.(path|url)$"]
        try:
            items = self._run(git, asked).split("\0")
        except GitError:
            return {}
        values = dict(item.split("\n", 1) for item in items if "\n" in item)
        paths = {key[: -len(".path")]: value for key, value in values.items() if key.endswith(".path")}
        return {path: values.get(f"{key}.url", "") for key, path in paths.items()}

    def _run(self, git: Git, arguments: list[str]) -> str:
        return git.run([f"--git-dir={self.directory}", *arguments], release_git.FETCH_TIMEOUT)


def git_of(module: Submodule, git: Git) -> Git:
    """git for the repository of a submodule; ReleaseError or InvalidValue for one that must not be fetched."""
    shown = values_text.shown(module.path)
    url = absolute_url(git.url, module.url)
    if not url:
        raise ReleaseError(f"the submodule {shown} of {git.shown} has no URL in .gitmodules")
    release_source.check_git_url(f"{release_source.VARIABLE}['submodules'] ({shown})", url, is_pinned=True)
    inner = git.at(url)
    if release_git.is_local(url) and not release_git.is_local(git.url):
        raise ReleaseError(f"the submodule {shown} of {git.shown} is in a directory of the host, {inner.shown}")
    return inner


def absolute_url(parent: str, url: str) -> str:
    """The URL of a submodule, which may be relative to that of the repository, as git reads it."""
    base = parent.rstrip("/")
    while url.startswith(("./", "../")):
        step, _slash, url = url.partition("/")
        if step == "..":
            # git@example.com:shop.git has only the host before it.
            separator = "/" if "/" in base else ":"
            base = base.rpartition(separator)[0] + (":" if separator == ":" else "")
        if not url.startswith(("./", "../")):
            return f"{base}{'' if base.endswith(':') else '/'}{url}"
    return url
