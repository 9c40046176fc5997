# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Git repositories for unit tests, and a host that runs git as the module does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.git import Git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.login import Login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

# Whatever the user of the tests has configured
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_NAME": "Ann" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "ann@example.com" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2026-01-02T03:04:05Z" for who in ("AUTHOR", "COMMITTER")},
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; what it prints."""
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_repository(folder: Path, **files: str) -> str:
    """Make a repository with one commit on the branch main; returns the commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return commit(folder, {"manage.py": "print(1)\n", **files})


def commit(folder: Path, files: dict[str, str]) -> str:
    """Commit files; returns the commit."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Change")
    return git(folder, "rev-parse", "HEAD")


class Host:
    """Runs commands as the module does, and remembers them."""

    def __init__(self, **environment: str) -> None:
        self.environment = {**ENVIRONMENT, **environment}
        self.commands: list[list[str]] = []
        self.descriptors: list[int] = []

    def run(
        self, command: list[str], environ_update: dict | None = None, pass_fds: tuple[int, ...] = ()
    ) -> tuple[int, str, str]:
        """Run one command to its end."""
        self.commands.append(command)
        environment = {**self.environment, **(environ_update or {})}
        done = subprocess.run(
            command, env=environment, cwd="/", check=False, capture_output=True, text=True, pass_fds=pass_fds
        )
        return done.returncode, done.stdout, done.stderr

    @property
    def runner(self) -> Runner:
        """What the module runs commands with."""
        return Runner(self.run, pass_fds=self.descriptors)

    def git(self, url: object, login: Login = Login()) -> Git:  # noqa: B008 - it is not changed
        """git for the repository at a URL, or in a folder."""
        return Git(self.runner, login, str(url))

    def asked(self, word: str) -> list[list[str]]:
        """The commands that had this word."""
        return [command for command in self.commands if word in command]
