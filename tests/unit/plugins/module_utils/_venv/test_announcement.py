# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from venvs import want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import announcement

PYPI = "PyPI"


@pytest.fixture(autouse=True)
def no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine's own environment and uv's configuration do not count."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith(("PIP_INDEX", "UV_")):
            monkeypatch.delenv(name)


def said(path: Path = Path("/opt/mysite/venv"), is_new: bool = True, places: bool = False, **changes: object) -> str:
    return announcement.sentence(want(path, **changes), is_new, places)


class TestWhat:
    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({}, "Gunicorn"),
            ({"version": "27.0.1"}, "Gunicorn 27.0.1"),
            ({"requirements": ["Django<6", "psycopg"]}, "Gunicorn, Django<6, psycopg"),
            ({"requirements": ["a"] * 6}, "Gunicorn and the 6 requirements of gunicorn_requirements"),
            (
                {"requirements": ["a"] * 6, "requirements_file": "/opt/r.txt"},
                "Gunicorn and the requirements in /opt/r.txt",
            ),
            ({"requirements": ["a @ https://me:secret@h/a.whl"]}, "Gunicorn, a @ https://me:********@h/a.whl"),
        ],
    )
    def test_the_requirements(self, changes: dict, what: str) -> None:
        """A long list is not shown, and a password never."""
        assert said(**changes).startswith(f"pip installs {what} into a new virtual environment for /opt/mysite/venv, ")

    def test_where(self, tmp_path: Path) -> None:
        """Beside the one that is there, or in the user's own."""
        assert f" into a new virtual environment beside {tmp_path}, " in said(tmp_path)
        assert f" into {tmp_path}, " in said(tmp_path, is_new=False)


class TestSource:
    @pytest.mark.parametrize(
        ("changes", "source"),
        [
            ({}, PYPI),
            ({"pip_extra_args": ["--pre", "--index-url=https://me:secret@a/simple"]}, "https://me:********@a/simple"),
            ({"pip_extra_args": ["-i", "https://a/simple"]}, "https://a/simple"),
            ({"pip_extra_args": ["-i"]}, PYPI),
            (
                {"pip_extra_args": ["--no-index", "--find-links=/w"]},
                "where gunicorn_pip_extra_args say, and no index",
            ),
            (
                {"environment": {"PIP_INDEX_URL": "https://secret"}},
                "the index in gunicorn_pip_environment['PIP_INDEX_URL']",
            ),
            (
                {"environment": {"PIP_CONFIG_FILE": "/a"}},
                "the index of the file in gunicorn_pip_environment['PIP_CONFIG_FILE']",
            ),
            ({"places": True}, f"{PYPI} and where the requirements say"),
            ({"installer": "uv"}, PYPI),
            (
                {"installer": "uv", "environment": {"UV_INDEX_URL": "https://secret"}},
                "the index in gunicorn_pip_environment['UV_INDEX_URL']",
            ),
        ],
    )
    def test_what_the_variables_say(self, changes: dict, source: str) -> None:
        """The URL, or the variable that has it, since its value may be secret."""
        sentence = said(**changes)
        assert sentence.endswith(f", from {source}. This can take minutes.")
        assert "secret" not in sentence

    def test_what_the_host_says(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Environment, and configuration of pip and uv."""
        monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path))
        monkeypatch.delenv("PIP_CONFIG_FILE")
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        for tool, text in (("pip/pip.conf", "[global]\nindex-url = https://me:secret@c/simple\n"), ("uv/uv.toml", "")):
            (tmp_path / ".config" / tool).parent.mkdir(parents=True)
            (tmp_path / ".config" / tool).write_text(text)
        assert ", from https://me:********@c/simple. " in said()
        assert f", from the index of {tmp_path}/.config/uv/uv.toml. " in said(installer="uv")
        monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@d/simple")
        assert ", from https://me:********@d/simple. " in said()
