# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import command_line, configuration

PYTHON = "/opt/shop/venv/bin/python"
GUNICORN = "/opt/shop/venv/bin/gunicorn"


class TestIsGunicorn:
    @pytest.mark.parametrize(
        "arguments",
        [
            [PYTHON, GUNICORN, "shop.wsgi"],
            ["/usr/bin/python3.11", "-I", "-X", "dev", "/usr/bin/gunicorn3", "shop.wsgi"],
            [PYTHON, "-m", "gunicorn", "shop.wsgi"],
            ["pypy3", "-m", "gunicorn.app.wsgiapp", "shop.wsgi"],
            [GUNICORN, "shop.wsgi"],
            ["gunicorn: master [shop.wsgi]"],
            ["gunicorn: worker [shop.wsgi:application]"],
        ],
    )
    def test_these_are(self, arguments: list[str]) -> None:
        """By their script, module or title."""
        assert command_line.is_gunicorn(arguments)

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            [""],
            ["grep", "gunicorn"],
            ["vim", "gunicorn.conf.py"],
            ["tail", "-f", "/var/log/shop/gunicorn.log"],
            ["sh", "-c", f"{GUNICORN} shop.wsgi"],
            [PYTHON, "/srv/gunicorn/manage.py"],
            [PYTHON, "manage.py", "gunicorn"],
            [PYTHON, "-m", "pip", "install", "gunicorn"],
            [PYTHON, "-c", "import gunicorn"],
            [PYTHON, "-m"],
            [PYTHON],
            ["python-gunicorn-exporter"],
            ["x gunicorn: master [shop]"],
        ],
    )
    def test_these_only_name_it(self, arguments: list[str]) -> None:
        """A file, an argument or a package of that name."""
        assert not command_line.is_gunicorn(arguments)

    @given(st.lists(st.text()))
    def test_no_arguments_stop_it(self, arguments: list[str]) -> None:
        """Any user can start a process with any arguments."""
        command_line.is_gunicorn(arguments)
        command_line.starts_gunicorn(arguments)
        command_line.mask(arguments)
        command_line.parse_options(arguments)
        configuration.configured(arguments, {}, None)


@pytest.mark.parametrize(
    ("command", "starts"),
    [
        ([GUNICORN, "shop.wsgi"], True),
        (["/bin/sh", "-c", f"exec {GUNICORN} shop.wsgi"], True),
        (["/usr/bin/env", "gunicorn", "shop.wsgi"], True),
        (["/opt/gunicorn/bin/celery", "-A", "shop"], False),
        (["/usr/bin/tail", "/var/log/gunicorn.log"], False),
        ([], False),
    ],
)
def test_commands_of_units(command: list[str], starts: bool) -> None:
    """Those that start Gunicorn, also by way of another program."""
    assert command_line.starts_gunicorn(command) == starts


class TestMask:
    @pytest.mark.parametrize(
        "secret", [["-e", "TOKEN=abc"], ["--env", "TOKEN=abc"], ["--env=TOKEN=abc"], ["-eTOKEN=abc"]]
    )
    def test_values_of_environment_variables_are_not_shown(self, secret: list[str]) -> None:
        """In each form that Gunicorn takes; the name stays."""
        masked = command_line.mask([GUNICORN, *secret, "--bind=[::1]:80", "shop.wsgi"])
        assert masked[-2:] == ["--bind=[::1]:80", "shop.wsgi"]
        assert "TOKEN=" in " ".join(masked)
        assert "abc" not in " ".join(masked)


class TestParseOptions:
    @pytest.mark.parametrize(
        ("arguments", "settings"),
        [
            (["shop.wsgi"], {"wsgi_app": "shop.wsgi"}),
            (["-w", "3", "shop:create_app('x')"], {"workers": "3", "wsgi_app": "shop:create_app('x')"}),
            (["-w3", "--threads=2", "-kgthread"], {"workers": "3", "threads": "2", "worker_class": "gthread"}),
            (
                ["--preload", "shop.wsgi", "-b", ":80", "--bind=[::1]:80"],
                {"wsgi_app": "shop.wsgi", "bind": [":80", "[::1]:80"]},
            ),
            (["--an-option-of-tomorrow", "value", "shop.wsgi"], {"wsgi_app": "shop.wsgi"}),
            (["--access-logformat", "%(D)s a b", "--log-file=-"], {"access_log_format": "%(D)s a b", "errorlog": "-"}),
            (["shop.wsgi", "-w"], {"wsgi_app": "shop.wsgi"}),
            (["-w", "1", "--workers", "2"], {"workers": "2"}),
        ],
    )
    def test_what_they_set(self, arguments: list[str], settings: dict[str, t.Any]) -> None:
        """Short, long, with and without an equals sign; what is repeated; an option that is not known."""
        assert command_line.parse_options(arguments) == settings

    def test_every_flag_of_gunicorn_is_known(self, sites: dict[str, Path]) -> None:
        """If it were taken for an option with a value, the application would be taken for that value."""
        code = (
            "import json; from gunicorn.config import KNOWN_SETTINGS; print(json.dumps([name for s in KNOWN_SETTINGS"
            " for name in s.cli or () if s.action in ('store_true', 'store_false', 'store_const')]))"
        )
        for site in sites.values():
            environment = {**os.environ, "PYTHONPATH": str(site)}
            printed = subprocess.run(
                [sys.executable, "-c", code], env=environment, check=True, capture_output=True
            ).stdout
            assert set(json.loads(printed)) - {"--proxy-protocol"} <= command_line._FLAGS
