# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements, uv
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirement


def test_the_arguments_of_uv() -> None:
    """uv gets from its environment what has a password, and the rest as it was."""
    arguments = ["--no-index", "-i", "https://u:a@h/", "--extra-index-url=https://u:b@h/", "--find-links", "/srv"]
    shown, environment = uv.split_arguments([*arguments, "--extra-index-url", "https://token@h/"])
    assert shown == ["--no-index", "--find-links", "/srv"]
    assert environment == {
        "UV_INDEX_URL": "https://u:a@h/",
        "UV_EXTRA_INDEX_URL": "https://u:b@h/ https://token@h/",
    }


@pytest.mark.parametrize("argument", ["--allow-insecure-host=u:harmless@h", "a @ https://u:harmless@h/a.whl"])
def test_an_argument_that_uv_takes_nowhere_else(argument: str) -> None:
    """It is refused without its password."""
    with pytest.raises(InvalidValue, match="gunicorn_pip_extra_args: .*gunicorn_pip_environment") as caught:
        uv.split_arguments([argument])
    assert "harmless" not in str(caught.value)


def test_files_that_say_where_uv_installs(tmp_path: Path) -> None:
    """uv looks for them in the folder where it is run, and in all above it."""
    (tmp_path / "shop/more").mkdir(parents=True)
    (tmp_path / "uv.toml").touch()
    (tmp_path / "shop/pyproject.toml").symlink_to("gone")
    found = uv.configurations(str(tmp_path / "shop/more"))
    assert [path for path in found if path.startswith(str(tmp_path))] == [
        f"{tmp_path}/shop/pyproject.toml",
        f"{tmp_path}/uv.toml",
    ]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"kind": "directory"}, ["--refresh-package=shop"]),
        ({"kind": "repository", "is_fixed": False}, ["--refresh-package=shop"]),
        ({"kind": "url", "is_fixed": False}, ["--refresh-package=shop"]),
        ({"kind": "directory", "name": ""}, ["--refresh"]),
        ({"kind": "file"}, []),
        ({"kind": "repository"}, []),
        ({"kind": "directory", "applies": False}, []),
        ({}, []),
    ],
)
def test_what_the_cache_must_not_answer(changes: dict, options: list[str]) -> None:
    """uv would install a directory's old code from there: it compares only the files that describe the project."""
    item = Requirement("", "", "shop", "", "", True, False, False, False, False, "", "", True)
    found = requirements.NONE._replace(items=[item._replace(**changes)])
    assert uv.refreshes(found, is_offline=False) == options
    assert uv.refreshes(found, is_offline=True) == (["--no-cache"] if options else [])


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an argument, as a variable of the task, or as one of root's."""
    monkeypatch.delenv("UV_OFFLINE", raising=False)
    assert uv.is_offline(["--offline"], {})
    assert uv.is_offline([], {"UV_OFFLINE": "true"})
    assert not uv.is_offline([], {"UV_OFFLINE": "0"})
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert uv.is_offline([], {})
