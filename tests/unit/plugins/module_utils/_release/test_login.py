# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import login as release_login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.login import Login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

KNOWN = "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def make_key(folder: Path, *options: str) -> str:
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, *options], check=True)
    return path.read_text()


def test_nothing_is_given() -> None:
    """A public repository needs nothing."""
    assert release_login.parse({}) == release_login.parse(None) == release_login.parse({"key": None}) == Login()


def test_a_key_gets_the_end_of_its_last_line(tmp_path: Path) -> None:
    """Ansible's lookup takes it away, and an editor may have put carriage returns."""
    key = make_key(tmp_path)
    assert release_login.parse({"key": key.rstrip()}).key == key
    assert release_login.parse({"key": key.replace("\n", "\r\n")}).key == key


@pytest.mark.parametrize("options", [("-N", "canary"), ("-N", "canary", "-m", "PEM", "-t", "rsa")])
def test_a_key_with_a_passphrase(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Nobody is there to type it."""
    with pytest.raises(InvalidValue, match=r"login\['key'\]: 'VALUE_NOT_SHOWN' .* without a passphrase"):
        release_login.parse({"key": make_key(tmp_path, *options)})


def test_known_hosts_are_lines() -> None:
    """Comments go; hashed names, several names, markers and comments at the end stay."""
    lines = [KNOWN, f"|1|a=|b= {KNOWN.partition(' ')[2]} comment", f"@cert-authority *.example.com {KNOWN[16:]}"]
    assert release_login.parse({"known_hosts": "# x\n\n" + "\r\n".join(lines)}).known_hosts == "\n".join(lines) + "\n"


def test_a_token_needs_no_user() -> None:
    """Those who give out tokens take any name."""
    assert release_login.parse({"password": "canary"}) == Login(user="git", password="canary")


@pytest.mark.parametrize(
    "value",
    [
        "canary",
        ["canary"],
        {"token": "canary"},
        {"key": "/home/canary/.ssh/id_ed25519"},
        {"key": f"ssh-ed25519 {KNOWN.split()[2]} canary"},
        {"key": ["canary"]},
        {"known_hosts": "canary"},
        {"known_hosts": "# canary"},
        {"known_hosts": f"{KNOWN}\ncanary"},
        {"user": "canary"},
        {"user": "canary\nhost=evil.example.com", "password": "x"},
        {"password": "canary\nurl=https://evil.example.com"},
        {"password": "canary\0"},
        {"password": 7},
    ],
)
def test_no_error_shows_a_secret(value: object) -> None:
    """The error names the part of the variable, and what was expected."""
    with pytest.raises(InvalidValue, match="^gunicorn_release_login.* can't be used: expected ") as error:
        release_login.parse(value)
    assert "canary" not in str(error.value)
