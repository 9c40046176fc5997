# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import netrc
import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.logins import Logins


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("--index-url=https://u:harmless@h.example:8443/simple", "--index-url=https://h.example:8443/simple"),
        ("a @ git+https://u:harmless@h/a.git@v1", "a @ git+https://h/a.git@v1"),
        ("git+https://token@h/a.git", "git+https://h/a.git"),
        # What no netrc can hold, or is meant otherwise
        ("https://token@h/", "https://token@h/"),
        ("https://u:with%20space@h/", "https://u:with%20space@h/"),
        ("https://u:${PASSWORD}@h/", "https://u:${PASSWORD}@h/"),
        ("git+ssh://git@h/a.git", "git+ssh://git@h/a.git"),
        ("--proxy=u:harmless@h:3128", "--proxy=u:harmless@h:3128"),
        ("Django~=5.2", "Django~=5.2"),
    ],
)
def test_what_is_left_of_a_text(text: str, left: str) -> None:
    """A login that can be handed in a file is taken out, and no other."""
    assert Logins().without(text) == left


def test_two_logins_of_one_host() -> None:
    """A file has one for each host, so that the other one stays in its URL."""
    known = Logins()
    texts = ["https://u:one@h/a", "https://u:two@h/b", "https://u:one@h/c", "https://u:two@other/"]
    assert [known.without(text) for text in texts] == [
        "https://h/a",
        "https://u:two@h/b",
        "https://h/c",
        "https://other/",
    ]


def test_the_netrc(tmp_path: Path) -> None:
    """Root alone can read it; it has the logins, and those that would have been used before."""
    (tmp_path / "given").write_text("machine other login them password theirs\nmachine h login old password old\n")
    known = Logins()
    known.without("https://u:harm%40less:x@h:8443/")
    given = {"NETRC": str(tmp_path / "given"), "A": "b"}
    environment = known.environment(str(tmp_path), given)
    assert environment == {"A": "b", "NETRC": f"{tmp_path}/netrc"}
    assert os.stat(environment["NETRC"]).st_mode & 0o777 == 0o600
    found = netrc.netrc(environment["NETRC"])
    assert (found.authenticators("h"), found.authenticators("other")) == (
        ("u", "", "harm@less:x"),
        ("them", "", "theirs"),
    )
    assert Logins().environment(str(tmp_path), {"A": "b"}) == {"A": "b"}


def test_git_gets_its_logins(tmp_path: Path) -> None:
    """git itself finds them, also a token without a password, and what was configured before stays."""
    known = Logins()
    for text in ("git+https://u:harm%2Fless@h:8443/a.git", "git+https://token@other/b.git"):
        known.without(text)
    given = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"}
    environment = known.environment(str(tmp_path), given)
    assert os.stat(tmp_path / "git-credentials").st_mode & 0o777 == 0o600

    def git(*words: str, said: str = "") -> str:
        return subprocess.run(
            ["git", *words],
            env={"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", **environment},
            input=said,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert git("config", "a.b") == "c\n"
    found = git("credential", "fill", said="protocol=https\nhost=h:8443\n\n").splitlines()
    assert found[2:] == ["username=u", "password=harm/less"]
    found = git("credential", "fill", said="protocol=https\nhost=other\n\n").splitlines()
    assert found[2:] == ["username=token", "password="]
