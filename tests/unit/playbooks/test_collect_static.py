# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of the site playbook that collects the static files, with the real Django."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

PROGRAM = Path(__file__).parents[3] / "playbooks/files/collect_static.py"
NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def collect(tmp_path: Path) -> Callable[[], subprocess.CompletedProcess]:
    """Collect the files of a project with one source."""
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme/site.css").write_text("body {}\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code/settings.py").write_text(
        "import os\nSECRET_KEY = os.environ['KEY']\nINSTALLED_APPS = ['django.contrib.staticfiles']\n"
        f"STATIC_URL = '/static/'\nSTATICFILES_DIRS = ['{tmp_path}/theme']\nSTATIC_ROOT = '{tmp_path}/static'\n"
    )
    given = json.dumps({"user": "nobody", "environment": {"KEY": "harmless"}})
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "code"), "DJANGO_SETTINGS_MODULE": "settings"}
    command = [sys.executable, "-c", PROGRAM.read_text(encoding="utf-8")]
    return lambda: subprocess.run(
        command, input=given, env=environment, cwd="/", capture_output=True, text=True, check=False
    )


def test_files_of_root_are_collected(tmp_path: Path, collect: Callable) -> None:
    """With the settings' secrets, and in the words that the playbook looks for."""
    done = collect()
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith("1 static file copied")
    assert (tmp_path / "static/site.css").read_text() == "body {}\n"
    assert collect().stdout.strip().startswith("0 static files copied")


def test_a_link_of_the_user_is_not_followed(tmp_path: Path, collect: Callable) -> None:
    """In a directory that the user can write to, the link could lead to a file that only root can read."""
    (tmp_path / "marker").write_text("harmless\n")
    (tmp_path / "theme/shown.txt").symlink_to(tmp_path / "marker")
    os.chown(tmp_path / "theme", NOBODY, NOBODY)
    done = collect()
    assert done.returncode == 1
    assert f"'{tmp_path}/theme' can't be used: expected files and directories that the user nobody" in done.stderr
    assert not (tmp_path / "static").exists()


@pytest.mark.parametrize(
    ("owner", "group", "mode"), [(NOBODY, 0, 0o755), (0, NOBODY, 0o775), (0, 0, 0o777)], ids=["owner", "group", "all"]
)
@pytest.mark.parametrize("name", ["theme", "theme/site.css", "static"])
def test_what_the_user_can_change_is_refused(
    tmp_path: Path, collect: Callable, name: str, owner: int, group: int, mode: int
) -> None:
    """A source, one of its files, or the place where root writes; nothing is collected."""
    (tmp_path / "static").mkdir()
    os.chown(tmp_path / name, owner, group)
    (tmp_path / name).chmod(mode)
    done = collect()
    assert done.returncode == 1
    assert f"STATICFILES_DIRS, STATIC_ROOT: '{tmp_path}/{name}' can't be used" in done.stderr
    assert list((tmp_path / "static").iterdir()) == []
