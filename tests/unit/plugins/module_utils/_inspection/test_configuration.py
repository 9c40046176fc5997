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

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.configuration import Configured

PYTHON = "/opt/shop/venv/bin/python"
GUNICORN = "/opt/shop/venv/bin/gunicorn"


class TestParseFile:
    @pytest.mark.parametrize(
        ("text", "settings"),
        [
            (b"", {}),
            (
                b"workers = 3\nthreads: int = 2\nbind = ['a:1']\nother = 4\n",
                {"workers": 3, "threads": 2, "bind": ["a:1"]},
            ),
            (b"workers = 3\nworkers = 4\n", {"workers": 4}),
            (b"import os\nworkers = os.cpu_count() * 2 + 1\n", {"workers": None}),
            (b"workers = 3\nif True:\n    workers = 4\n", {"workers": None}),
            (b"for threads in range(4): pass\n", {"threads": None}),
            (b"def f():\n    workers = 4\n", {}),
            (b"accesslog = '-'\nerrorlog = '/var/log/x.log'\n", {"accesslog": "-", "errorlog": "/var/log/x.log"}),
            (b"# -*- coding: latin-1 -*-\nworkers = 3  # \xe4\n", {"workers": 3}),
        ],
    )
    def test_what_it_assigns(self, text: bytes, settings: dict[str, t.Any]) -> None:
        """Literals count; what is computed, or assigned under a condition, is not known."""
        assert configuration.parse_file(text) == settings

    def test_all_names_of_another_module_may_be_settings(self) -> None:
        """So nothing is known any more."""
        assert configuration.parse_file(b"workers = 3\nfrom site_settings import *\n") == dict.fromkeys(
            configuration.DEFAULTS
        )

    def test_it_is_not_run(self, tmp_path: Path) -> None:
        """Whatever the file says."""
        trace = tmp_path / "trace"
        configuration.parse_file(f"open({str(trace)!r}, 'w')\nworkers = exit(1)\n".encode())
        assert not trace.exists()

    @pytest.mark.parametrize(
        "text",
        [
            b"workers = ",
            b"\0",
            b"\xff",
            b"(" * 60000,
            b"-" * 60000 + b"1",
            b"a" + b".a" * 30000,
            b"x = " + b"[" * 90 + b"]" * 90 + b"*" * 2,
        ],
        ids=["unfinished", "nul", "bytes", "brackets", "signs", "attributes", "nested"],
    )
    def test_what_is_no_python_is_not_known(self, text: bytes) -> None:
        """Nor is a file that is too much for the parser."""
        assert configuration.parse_file(text) in (None, {})

    @given(st.binary())
    def test_no_bytes_stop_it(self, text: bytes) -> None:
        """Neither does anything else."""
        configuration.parse_file(text)


def test_the_defaults_are_gunicorns(sites: dict[str, Path]) -> None:
    """Those of every version, apart from what an environment variable sets."""
    names = [name for name in configuration.DEFAULTS if name not in ("control_socket", "dirty_apps", "dirty_workers")]
    code = f"import json; from gunicorn.config import Config; c = Config(); print(json.dumps([c.settings[n].default for n in {names}]))"
    for site in sites.values():
        environment = {key: value for key, value in os.environ.items() if key not in ("WEB_CONCURRENCY", "PORT")}
        environment["PYTHONPATH"] = str(site)
        printed = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout
        assert json.loads(printed) == [configuration.DEFAULTS[name] for name in names]


class TestConfigured:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> str:
        (tmp_path / "gunicorn.conf.py").write_text("workers = 3\nthreads = 2\nbind = '127.0.0.1:1'\n", encoding="utf-8")
        return str(tmp_path)

    def test_gunicorns_own_order(self, directory: str) -> None:
        """The file wins over WEB_CONCURRENCY, and the command line over everything."""
        environment = {"WEB_CONCURRENCY": "9", "GUNICORN_CMD_ARGS": "--threads=4 --workers=5"}
        assert configuration.configured([GUNICORN], {"WEB_CONCURRENCY": "9"}, directory).workers == 3
        assert configuration.configured([GUNICORN], environment, directory).workers == 5
        found = configuration.configured([GUNICORN, "-w", "7", "shop.wsgi"], environment, directory)
        assert (found.workers, found.threads, found.binds) == (7, 4, ("127.0.0.1:1",))

    def test_gunicorn_agrees(self, directory: str, sites: dict[str, Path]) -> None:
        """The newest one reads the same settings."""
        arguments = ["-w", "7", "--access-logfile=-", "shop.wsgi"]
        code = (
            "import json; from gunicorn.app.wsgiapp import WSGIApplication; c = WSGIApplication().cfg; print(json.dumps("
            "[c.workers, c.threads, c.worker_class_str, c.settings['bind'].get(), c.accesslog, c.access_log_format, c.errorlog]))"
        )
        for site in sites.values():
            printed = subprocess.run(
                [sys.executable, "-c", code, *arguments],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "GUNICORN_CMD_ARGS": "--threads=4"},
                cwd=directory,
                check=True,
                capture_output=True,
            ).stdout
            found = configuration.configured([GUNICORN, *arguments], {"GUNICORN_CMD_ARGS": "--threads=4"}, directory)
            assert found.binds is not None
            own = [found.workers, found.threads, found.worker_class, list(found.binds), found.accesslog]
            assert [*own, found.access_log_format, found.errorlog] == json.loads(printed)

    def test_without_a_file_the_defaults_hold(self, tmp_path: Path) -> None:
        """Nothing else sets them."""
        found = configuration.configured([PYTHON, "-m", "gunicorn", "shop.wsgi"], {}, str(tmp_path))
        assert found == Configured(
            "shop.wsgi",
            1,
            1,
            "sync",
            ("127.0.0.1:8000",),
            None,
            configuration.DEFAULTS["access_log_format"],
            "-",
            "gunicorn.ctl",
            0,
            True,
        )

    def test_a_file_that_can_not_be_read_leaves_them_open(self, tmp_path: Path) -> None:
        """A link, a module, a directory that is not known: only the command line tells."""
        (tmp_path / "link.py").symlink_to("/etc/passwd")
        for path, directory in (("link.py", str(tmp_path)), ("python:shop.settings", str(tmp_path)), ("x.py", None)):
            found = configuration.configured([GUNICORN, "-c", path, "-w", "2", "shop.wsgi"], {}, directory)
            assert (found.workers, found.threads, found.errorlog, found.complete) == (2, None, None, False)

    @pytest.mark.parametrize(
        ("directory", "path"), [("/srv/shop", "/srv/shop/log/a.log"), (None, None)], ids=["known", "not known"]
    )
    def test_a_log_in_the_working_directory(self, directory: str | None, path: str | None) -> None:
        """Its path is absolute."""
        found = configuration.configured([GUNICORN, "--access-logfile=log/a.log", "--log-file=-"], {}, directory)
        assert (found.accesslog, found.errorlog) == (path, "-")

    def test_a_title_tells_the_application_alone(self) -> None:
        """It is in the place of the command line."""
        found = configuration.configured(["gunicorn: master [shop.wsgi]"], {}, "/")
        assert (found.application, found.workers, found.complete) == ("shop.wsgi", None, False)

    @pytest.mark.parametrize(
        "line", ["workers = 'lots'", "workers = True", "workers = -1", "workers = 10**9", "bind = {}", "errorlog = 3"]
    )
    def test_values_of_another_type_are_not_known(self, tmp_path: Path, line: str) -> None:
        """They come from a file that not only root may write."""
        (tmp_path / "gunicorn.conf.py").write_text(line, encoding="utf-8")
        found = configuration.configured([GUNICORN], {}, str(tmp_path))
        assert None in (found.workers, found.binds, found.errorlog)

    def test_hostile_text_comes_out_as_plain_text(self, tmp_path: Path) -> None:
        """Half characters can't be written as UTF-8."""
        (tmp_path / "gunicorn.conf.py").write_text(
            "errorlog = '\\ud800'\nbind = '\\ud800'\nworker_class = '\\udfff'\n", encoding="utf-8"
        )
        found = configuration.configured([GUNICORN], {}, str(tmp_path))
        json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("dirty_workers = 3", 0),
        ("dirty_apps = ['jobs:Model']", 0),
        ("dirty_apps = ['jobs:Model']\ndirty_workers = 3", 3),
        ("dirty_apps = apps()\ndirty_workers = 3", 3),
        ("dirty_apps = ['jobs:Model']\ndirty_workers = count()", None),
    ],
)
def test_dirty_workers(tmp_path: Path, text: str, count: int | None) -> None:
    """Gunicorn starts them for apps alone."""
    (tmp_path / "gunicorn.conf.py").write_text(text)
    found = configuration.configured([PYTHON, "-m", "gunicorn", "shop.wsgi"], {}, str(tmp_path))
    assert found.dirty_workers == count
    line = [PYTHON, "-m", "gunicorn", "--dirty-app=a:B", "--dirty-workers", "2", "shop.wsgi"]
    assert configuration.configured(line, {}, str(tmp_path)).dirty_workers == 2


def test_the_hooks_of_the_roles_own_file_are_not_read() -> None:
    """They assign no setting, and are many; another file is read as a whole, whatever it says."""
    header = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.\n"
    line = "\n# The values of this deployment\n"
    assert configuration.parse_file(f"{header}threads = 2{line}threads = 3\n".encode()) == {"threads": 3}
    assert configuration.parse_file(f"{header}not python{line}workers = 3\n".encode()) == {"workers": 3}
    assert configuration.parse_file(f"{header}threads = 2\n".encode()) == {"threads": 2}
    assert configuration.parse_file(f"workers = 2{line}threads = 3\n".encode()) == {"workers": 2, "threads": 3}
