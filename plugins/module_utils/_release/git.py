# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git on the host, with what opens a repository.

Not ansible.builtin.git: it can't look at a remote without a clone, wants the key and the known hosts in files that
stay, writes a password to its command line and into the clone's configuration, and leaves the code in a clone.

The key and the known hosts are in memory, and ssh gets them by this process's descriptors: however this process ends,
they are gone. A password is in the environment of git, from which a credential helper takes it, for its own host only.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from typing import Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import git_failures
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.login import Login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

LOOK_TIMEOUT = 60  # seconds
FETCH_TIMEOUT = 3600
_TIMED_OUT = (124, 137)  # of timeout(1)
_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
# What a caller's repository has set, as in one of git's hooks: see git rev-parse --local-env-vars
_LOCAL_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "GIT_QUARANTINE_PATH",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CURL_VERBOSE",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
)
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "LANGUAGE": "C",
    # Not what a redirection, a submodule or a configured alias of a URL could name
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:file",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_SSH_VARIANT": "ssh",
    # Its files would be fetched from elsewhere; the release says that they are missing.
    "GIT_LFS_SKIP_SMUDGE": "1",
}
_SSH = (
    "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oUpdateHostKeys=no -oConnectTimeout=20 -oServerAliveInterval=15 "
    "-oForwardAgent=no -oForwardX11=no -oPermitLocalCommand=no -oClearAllForwardings=yes"
)
_CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "gc.auto": "0",  # it would go on in the background
    "maintenance.auto": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
    "advice.detachedHead": "false",
}
_HELPER = (
    """!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' """
    '"$GUNICORN_RELEASE_USER" "$GUNICORN_RELEASE_PASSWORD"; }; f'
)
_SHORT_COMMIT = re.compile(r"[0-9a-f]{4,63}\Z")


def lacking(url: str) -> list[str]:
    """The packages that the host needs to fetch from a URL, and does not have."""
    is_web = url.startswith(("https://", "http://"))
    found = ["git"] if not shutil.which("git") else []
    if url.startswith("https://") and not os.path.exists(_CA_BUNDLE):
        found.append("ca-certificates")  # git only recommends it
    if not is_web and not is_local(url) and not shutil.which("ssh"):
        found.append("openssh-client")
    return found


def forget_callers_repository() -> None:
    """Remove from this process's environment what would lead git to another repository, or have it tell too much."""
    for name in _LOCAL_VARIABLES:
        os.environ.pop(name, None)


class Git:
    """git, with a login for the repository at a URL."""

    def __init__(self, runner: Runner, login: Login, url: str) -> None:
        self._runner = runner
        self.login = login
        self.url = url

    def at(self, url: str) -> Git:
        """git for another repository, such as that of a submodule."""
        return Git(self._runner, self.login, url)

    @property
    def shown(self) -> str:
        """The URL as it may be shown."""
        return urls.without_passwords(self.url)

    def run(self, arguments: list[str], timeout: int = LOOK_TIMEOUT) -> str:
        """Run git; returns what it prints. ReleaseError says what is wrong, without secrets."""
        with self._environment() as environment:
            command = ["timeout", "--kill-after=10", str(timeout), "git", *self._configuration(), *arguments]
            code, output, errors = self._runner.run(command, environ_update=environment)
        if code in _TIMED_OUT:
            raise ReleaseError(f"{self.shown} does not answer within {timeout} s")
        if code:
            raise git_failures.error_of(errors, self.url, self.login)
        return output

    def commit_of(self, version: str) -> str:
        """The commit that a version means now; one look at the repository, and none for a commit."""
        if release_source.FULL_COMMIT.match(version):
            return version
        name = version or "HEAD"
        is_whole = name == "HEAD" or name.startswith("refs/")
        names = [name] if is_whole else [f"refs/heads/{name}", f"refs/tags/{name}"]
        # What an annotated tag is of has this suffix.
        found = self._listed([*names, *(f"{one}^{{}}" for one in names)])
        commits = {one: found.get(f"{one}^{{}}", found.get(one, "")) for one in names if one in found}
        if not commits:
            raise self._no_such_version(version)
        if len(set(commits.values())) > 1:
            expected = f"refs/heads/{name} or refs/tags/{name}: {self.shown} has a branch and a tag of this name"
            raise InvalidValue(f"{release_source.VARIABLE}['version']", version, expected)
        return next(iter(commits.values()))

    def _listed(self, names: list[str]) -> dict[str, str]:
        lines = self.run(["ls-remote", "--quiet", self.url, *names]).splitlines()
        # A pattern also matches the end of another name.
        fields = (line.split("\t") for line in lines if "\t" in line)
        return {name: commit for commit, name in fields if release_source.FULL_COMMIT.match(commit)}

    def _no_such_version(self, version: str) -> Exception:
        if not version:
            return ReleaseError(f"{self.shown} has no default branch, as if it were empty")
        expected = f"a branch or a tag of {self.shown}"
        if _SHORT_COMMIT.match(version):
            expected += ", or all 40 digits of a commit"
        return InvalidValue(f"{release_source.VARIABLE}['version']", version, expected)

    def _configuration(self) -> list[str]:
        items = dict(_CONFIGURATION)
        if self.login.password:
            place = re.match(r"https?://[^/]+", self.url)
            # The host's own helpers are left out: one of them could keep the password.
            items["credential.helper"] = ""
            if place:
                items[f"credential.{place[0]}.helper"] = _HELPER
        return [word for name, value in items.items() for word in ("-c", f"{name}={value}")]

    @contextlib.contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        with contextlib.ExitStack() as stack:
            ssh = [_SSH]
            if self.login.key:
                key = stack.enter_context(_in_memory("key", self.login.key))
                ssh.append(f"-oIdentitiesOnly=yes -oIdentityAgent=none -oControlPath=none -i {shlex.quote(key)}")
            if self.login.known_hosts:
                hosts = stack.enter_context(_in_memory("known_hosts", self.login.known_hosts))
                ssh.append(f"-oUserKnownHostsFile={shlex.quote(hosts)} -oGlobalKnownHostsFile=/dev/null")
            environment = {**_ENVIRONMENT, "GIT_SSH_COMMAND": " ".join(ssh)}
            if self.login.password:
                environment["GUNICORN_RELEASE_USER"] = self.login.user
                environment["GUNICORN_RELEASE_PASSWORD"] = self.login.password
            yield environment


@contextlib.contextmanager
def _in_memory(name: str, text: str) -> Iterator[str]:
    """A file that is on no disk, and that only root, and only while this process lives, can read by its path."""
    descriptor = os.memfd_create(name)
    try:
        # ssh refuses a key that others could read.
        os.fchmod(descriptor, 0o600)
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def is_local(url: str) -> bool:
    """Whether a repository is in a directory of the host."""
    return url.startswith(("/", "file:"))
