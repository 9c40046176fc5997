# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import subprocess
import threading
from pathlib import Path
from typing import Iterator

import pytest
import repositories

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import git as release_git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.git import Git
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.login import Login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

COMMIT = "3f2a9c1d4e5b60718293a4b5c6d7e8f901234567"
KNOWN = "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    repositories.make_repository(tmp_path / "origin")
    return tmp_path / "origin"


def test_a_version_is_a_commit(origin: Path) -> None:
    """A branch, the default one, a tag of both kinds and a full name of a reference."""
    first = repositories.git(origin, "rev-parse", "HEAD")
    repositories.git(origin, "tag", "v1")
    repositories.git(origin, "tag", "--annotate", "--message=x", "v2")
    repositories.git(origin, "update-ref", "refs/pull/7/head", first)
    second = repositories.commit(origin, {"x": "1"})
    repositories.git(origin, "branch", "feature/main")
    host = repositories.Host()
    wanted = {"": second, "HEAD": second, "main": second, "feature/main": second, "v1": first, "v2": first}
    wanted.update({"refs/heads/main": second, "refs/tags/v2": first, "refs/pull/7/head": first})
    assert {version: host.git(origin).commit_of(version) for version in wanted} == wanted
    assert len(host.commands) == len(wanted)


def test_a_full_commit_needs_no_look(origin: Path) -> None:
    """It is its own identity."""
    host = repositories.Host()
    assert host.git(origin).commit_of(COMMIT) == COMMIT
    assert host.commands == []


def test_versions_that_are_not_there(origin: Path) -> None:
    """The error names the version and the repository; a short commit gets a hint of its own."""
    git = repositories.Host().git(origin)
    with pytest.raises(InvalidValue, match=r"\['version'\]: 'gone' .* expected a branch or a tag of .*/origin$"):
        git.commit_of("gone")
    with pytest.raises(InvalidValue, match="or all 40 digits of a commit$"):
        git.commit_of("3f2a9c1")
    repositories.git(origin, "branch", "both", "HEAD")
    repositories.commit(origin, {"x": "1"})
    repositories.git(origin, "tag", "both")
    with pytest.raises(InvalidValue, match="refs/heads/both or refs/tags/both: .* has a branch and a tag"):
        git.commit_of("both")


def test_an_empty_repository(tmp_path: Path) -> None:
    """It has no default branch."""
    (tmp_path / "empty").mkdir()
    repositories.git(tmp_path / "empty", "init", "--quiet")
    with pytest.raises(ReleaseError, match="has no default branch, as if it were empty$"):
        repositories.Host().git(tmp_path / "empty").commit_of("")


def test_what_the_host_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """git only recommends the certificates, and ssh."""
    monkeypatch.setattr(release_git.shutil, "which", lambda _name: None)
    monkeypatch.setattr(release_git, "_CA_BUNDLE", "/nonexistent")
    assert release_git.lacking("https://git.example.com/a.git") == ["git", "ca-certificates"]
    assert release_git.lacking("git@example.com:a.git") == ["git", "openssh-client"]
    assert release_git.lacking("ssh://git@example.com/a.git") == ["git", "openssh-client"]
    assert release_git.lacking("http://localhost/a.git") == ["git"]
    assert release_git.lacking("/srv/a.git") == ["git"]


def test_a_callers_repository_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible may be run by a hook of git, which has set where its repository is."""
    monkeypatch.setenv("GIT_DIR", "/srv/other.git")
    monkeypatch.setenv("GIT_SSL_CAINFO", "/etc/ca.pem")
    release_git.forget_callers_repository()
    assert "GIT_DIR" not in os.environ
    assert os.environ["GIT_SSL_CAINFO"] == "/etc/ca.pem"


def test_the_key_is_a_file_only_while_git_runs(tmp_path: Path) -> None:
    """ssh reads it by a path that ends with the command, and so does the list of known hosts."""
    seen: dict[str, str] = {}

    def run(command: list[str], environ_update: dict) -> tuple[int, str, str]:
        words = environ_update["GIT_SSH_COMMAND"].split()
        paths = {"key": words[words.index("-i") + 1]}
        paths["hosts"] = next(word.partition("=")[2] for word in words if word.startswith("-oUserKnownHostsFile="))
        for name, path in paths.items():
            # A child of this process, as ssh is
            seen[name] = subprocess.run(["cat", path], check=True, capture_output=True, text=True).stdout
            seen[f"mode of {name}"] = subprocess.run(
                ["stat", "-Lc", "%a", path], check=True, capture_output=True, text=True
            ).stdout.strip()
            seen[f"path of {name}"] = path
        assert "canary" not in " ".join(command)
        return 0, "", ""

    Git(Runner(run), Login(key="canary\n", known_hosts=KNOWN), "git@example.com:a.git").run(["ls-remote"])
    assert (seen["key"], seen["hosts"], seen["mode of key"]) == ("canary\n", KNOWN, "600")
    assert not any(os.path.exists(seen[f"path of {name}"]) for name in ("key", "hosts"))


class _Web(http.server.SimpleHTTPRequestHandler):
    """A repository for git's dumb protocol, for whom knows the password."""

    seen: list[str | None] = []
    redirect = ""

    def do_GET(self) -> None:
        given = self.headers["Authorization"]
        self.seen.append(given)
        if self.redirect:
            self.send_response(302)
            self.send_header("Location", self.redirect + self.path)
            self.end_headers()
        elif given != "Basic " + base64.b64encode(b"ann:canary").decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path, redirect: str = "") -> Iterator[tuple[str, list]]:
    """The URL of a server of a folder, and the logins that it has seen."""
    handler = type("Web", (_Web,), {"redirect": redirect, "seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: handler(*given, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.seen
    finally:
        server.shutdown()
        server.server_close()


def test_a_password_opens_a_repository(origin: Path, tmp_path: Path) -> None:
    """It is on no command line, and no helper of the host gets it to keep."""
    repositories.git(tmp_path, "clone", "--quiet", "--bare", str(origin), "web.git")
    repositories.git(tmp_path / "web.git", "update-server-info")
    kept = tmp_path / "kept"
    configured = tmp_path / "gitconfig"
    configured.write_text(f"[credential]\n\thelper = store --file={kept}\n")
    host = repositories.Host(GIT_CONFIG_GLOBAL=str(configured))
    with served(tmp_path) as (url, _seen):
        login = Login(user="ann", password="canary")
        assert host.git(f"{url}/web.git", login).commit_of("main") == repositories.git(origin, "rev-parse", "main")
    assert "canary" not in str(host.commands)
    assert not kept.exists()


@pytest.mark.parametrize(
    ("login", "message"),
    [
        (Login(), r"^http://127\S+/web.git asks for a login, or does not exist. Give user and password"),
        (
            Login(user="ann", password="canary2"),
            "^127.0.0.1 refuses the user and the password in gunicorn_release_login",
        ),
    ],
)
def test_a_password_that_is_missing_or_wrong(tmp_path: Path, login: Login, message: str) -> None:
    """git does not ask a terminal, and the error says what to give."""
    with served(tmp_path) as (url, _seen), pytest.raises(ReleaseError, match=message) as error:
        repositories.Host().git(f"{url}/web.git", login).commit_of("main")
    assert "canary" not in str(error.value)


def test_another_host_does_not_get_the_password(tmp_path: Path) -> None:
    """Neither by a redirection, nor for a submodule."""
    login = Login(user="ann", password="canary")
    with served(tmp_path) as (other, seen):
        redirect = other.replace("127.0.0.1", "localhost")
        with served(tmp_path, redirect) as (url, _seen), pytest.raises(ReleaseError):
            repositories.Host().git(f"{url}/web.git", login).commit_of("main")
        assert seen
        assert not any(seen)


def test_a_remote_that_does_not_answer(origin: Path) -> None:
    """A run ends, and says whom it waited for."""
    git = repositories.Host().git(origin)
    with pytest.raises(ReleaseError, match=r"/origin does not answer within 1 s$"):
        git.run(["-c", "alias.wait=!sleep 5", "wait"], timeout=1)


def test_transports_that_run_commands(tmp_path: Path) -> None:
    """Also if the host's configuration makes such a URL of a good one."""
    configured = tmp_path / "gitconfig"
    configured.write_text(f'[url "ext::touch {tmp_path}/pwned "]\n\tinsteadOf = https://git.example.com/\n')
    host = repositories.Host(GIT_CONFIG_GLOBAL=str(configured))
    with pytest.raises(ReleaseError, match="leads to a protocol that is neither https nor ssh"):
        host.git("https://git.example.com/a.git").commit_of("main")
    assert not (tmp_path / "pwned").exists()
