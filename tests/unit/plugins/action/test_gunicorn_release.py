# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import repositories
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.pyweb.gunicorn.plugins.action import gunicorn_release
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import login as release_login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

ROOT = Path(__file__).parents[4]
BAD_INPUT = yaml.safe_load((ROOT / "tests" / "fixtures" / "bad_input.yml").read_text(encoding="utf-8"))["releases"]
URL = "https://example.com/a.tgz?token=canary"
SHA256 = hashlib.sha256(b"x").hexdigest()


class Action(gunicorn_release.ActionModule):
    """The action, with a host that has no release and remembers what it was given."""

    def __init__(self, source: object, check_mode: bool = False, **arguments: object) -> None:
        given = {"source": source, "directory": "/opt/shop/releases", "user": "shop", **arguments}
        self._task = SimpleNamespace(args=given, check_mode=check_mode)
        self._loader = DataLoader()
        shell = SimpleNamespace(tmpdir="", join_path=os.path.join)
        self._connection = SimpleNamespace(_shell=shell)
        self.there = False
        self.calls: list[tuple[str, dict, bool]] = []
        self.brought: list[bytes] = []
        self.failure: dict = {}

    def _execute_module(self, module_name: str, module_args: dict, task_vars: dict) -> dict:
        name = module_name.rpartition(".")[2]
        self.calls.append((name, module_args, self._task.check_mode))
        if name == "get_url":
            return {"failed": True, **self.failure} if self.failure else {}
        return {"there": self.there, "changed": not self.there}

    def _find_needle(self, dirname: str, needle: str) -> str:
        return self._loader.path_dwim(needle)

    def _make_tmp_path(self, remote_user: str | None = None) -> str:
        self._connection._shell.tmpdir = "/tmp/on-the-host"
        return "/tmp/on-the-host"

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        self.brought.append(Path(local_path).read_bytes())
        return remote_path

    def _fixup_perms2(self, remote_paths: Any, remote_user: str | None = None, execute: bool = True) -> None:
        pass

    @property
    def names(self) -> list[str]:
        return [f"{name}{' --check' if is_check else ''}" for name, _arguments, is_check in self.calls]


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_a_repository_is_the_hosts_business() -> None:
    """One call, which looks and brings."""
    action = Action({"git": "https://git.example.com/shop.git"})
    action._run({})
    assert action.names == ["gunicorn_release"]


@pytest.mark.parametrize("kind", ["checkout", "archive"])
def test_what_the_controller_has(tmp_path: Path, kind: str) -> None:
    """It is brought only if the look says that the release is missing."""
    commit = repositories.make_repository(tmp_path / "shop")
    (tmp_path / "a.tgz").write_bytes(b"x")
    source = {"checkout": str(tmp_path / "shop")} if kind == "checkout" else {"archive": str(tmp_path / "a.tgz")}
    identity = commit if kind == "checkout" else SHA256
    looked = Action(source, check_mode=True)
    looked._run({})
    there = Action(source)
    there.there = True
    there._run({})
    for action in (looked, there):
        assert action.names == ["gunicorn_release --check"]
        assert (action.calls[0][1]["identity"], action.brought) == (identity, [])
    action = Action(source)
    action._run({})
    assert action.names == ["gunicorn_release --check", "gunicorn_release"]
    assert action.calls[1][1]["file"] == "/tmp/on-the-host/release"
    assert len(action.brought) == 1
    assert action._task.check_mode is False


def test_an_archive_at_a_url() -> None:
    """The host fetches it; neither the token in its URL nor the login is where it could be seen."""
    action = Action(
        {"archive": URL, "checksum": f"sha256:{SHA256}"}, login=encoded({"user": "ann", "password": "canary2"})
    )
    action._run({})
    assert action.names == ["gunicorn_release --check", "get_url", "gunicorn_release"]
    _name, fetched, _check = action.calls[1]
    assert (fetched["url"], fetched["checksum"], fetched["decompress"]) == (URL, f"sha256:{SHA256}", False)
    assert (fetched["url_username"], fetched["url_password"]) == ("ann", "canary2")
    assert fetched["unredirected_headers"] == ["Authorization"]
    for number in (0, 2):
        shown = {name: value for name, value in action.calls[number][1].items() if name != "login"}
        assert "canary" not in str(shown)
        assert json.loads(base64.b64decode(action.calls[number][1]["login"]))["url"] == URL


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            {"msg": "Request failed", "response": "HTTP Error 404: Not Found", "status_code": 404},
            "fetched (HTTP Error 404",
        ),
        ({"msg": "Request failed", "status_code": 401}, "refuses what is in gunicorn_release_login (HTTP 401)"),
        ({"msg": f"Connection failure: {URL}: canary2\x1b[31m"}, "can't be fetched (Connection failure: https://"),
    ],
)
def test_an_archive_that_can_not_be_fetched(failure: dict, said: str) -> None:
    """The error says why, without what opens it."""
    action = Action({"archive": URL, "checksum": f"sha256:{SHA256}"}, login=encoded({"password": "canary2"}))
    action.failure = failure
    result = action._run({})
    assert result["failed"]
    assert said in result["msg"]
    assert "canary" not in result["msg"]
    assert result["msg"].isprintable()
    assert action.names[-1] == "get_url"


def test_an_archive_with_another_hash() -> None:
    """The checksum is to blame, and the error has the right one."""
    action = Action({"archive": URL, "checksum": f"sha256:{'a' * 64}"})
    action.failure = {"msg": f"The checksum for /tmp/x did not match {'a' * 64}; it was {SHA256}."}
    with pytest.raises(InvalidValue, match=rf"\['checksum'\]: 'sha256:aaa.*which is sha256:{SHA256}$") as error:
        action._run({})
    assert "canary" not in str(error.value)


def test_a_token_in_a_url_is_kept_out_of_get_urls_output() -> None:
    """It hides the value of its password wherever that is, and sends it only with a user."""
    action = Action({"archive": URL, "checksum": f"sha256:{SHA256}"})
    action._run({})
    fetched = action.calls[1][1]
    assert (fetched["url_password"], "url_username" in fetched) == ("token=canary", False)


@pytest.mark.parametrize(
    "row", [row for row in BAD_INPUT if not row.get("host")], ids=lambda row: ascii(row["value"])[:60]
)
def test_bad_input_does_not_reach_the_host(row: dict) -> None:
    """The error names the part of the variable, its value and what was expected."""
    given = {**row.get("also", {}), row["variable"]: row["value"]}
    action = Action(given["gunicorn_release"], login=encoded(given.get("gunicorn_release_login", {})))
    with pytest.raises(InvalidValue) as error:
        action._run({})
    named, shown = row.get("names", row["variable"]), row.get("shows", row["value"])
    assert str(error.value).startswith(f"{named}: {shown!r} can't be used: expected ")
    assert "canary" not in str(error.value)
    assert action.calls == []


def test_values_of_ansibles_own_types_become_plain() -> None:
    """A value from a vault is none of JSON's types."""

    class Vaulted:
        def __str__(self) -> str:
            return "https://git.example.com/a.git"

    value = {"git": Vaulted(), "submodules": True, "path": None, "steps": ("check", 1)}
    assert gunicorn_release.plain(value) == {
        "git": "https://git.example.com/a.git",
        "submodules": True,
        "path": None,
        "steps": ["check", 1],
    }


def test_the_docs_and_the_parsers_know_the_same_keys() -> None:
    """What the page shows can be written."""
    page = (ROOT / "docs" / "releases.md").read_text(encoding="utf-8")
    shown = [line.split("`")[1] for line in page.splitlines() if line.startswith("| ") and "`{" in line]
    assert len(shown) == 7
    for text in shown:
        release_source.parse(
            yaml.safe_load(text.replace("sha256:...", f"sha256:{SHA256}").replace("{{ playbook_dir }}", "/x"))
        )
    assert release_login.parse({"user": "deploy", "password": "x"}).user == "deploy"
