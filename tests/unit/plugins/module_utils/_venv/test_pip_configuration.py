# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from venvs import Host, want

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import pip_configuration

ELSEWHERE = "[install]\ntarget = /elsewhere\n--dry_run = true\n[global]\nprefix = /elsewhere\nindex-url = https://a\n"


def options_of(environment: dict[str, str]) -> dict[str, str]:
    """What this Python's pip would take from such files and variables."""
    program = (
        "from pip._internal.configuration import Configuration as C; c = C(False); c.load(); print(dict(c.items()))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**clean, **environment}, check=True, capture_output=True, text=True
    )
    return {name: value for name, value in eval(done.stdout).items() if value}  # noqa: S307


class TestElsewhere:
    @pytest.mark.parametrize("place", ["PIP_CONFIG_FILE", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"])
    def test_what_leads_elsewhere_is_empty(self, tmp_path: Path, place: str) -> None:
        """The rest of the file counts as before, wherever it is, and the user's variables stay."""
        folder = tmp_path / "pip"
        folder.mkdir()
        (folder / "pip.conf").write_text(ELSEWHERE)
        named = folder / "pip.conf" if place == "PIP_CONFIG_FILE" else tmp_path
        environment = {"HOME": "/nowhere", "PIP_ROOT": "/elsewhere", "PIP_TIMEOUT": "9", place: str(named)}
        added = pip_configuration.kept_to_the_venv(environment, "/nowhere", str(tmp_path / "written"))
        options = options_of({**environment, **added})
        assert not {name.rpartition(".")[2] for name in options} & set(pip_configuration.ELSEWHERE)
        assert options[":env:.timeout"] == "9"
        assert options["global.index-url"] == "https://a"
        assert (tmp_path / "written").stat().st_mode & 0o777 == 0o600

    def test_the_files_that_pip_does_not_read_with_another(self, tmp_path: Path) -> None:
        """They are in the one that it reads: the user's own, and then that of the venv."""
        (tmp_path / ".config/pip").mkdir(parents=True)
        (tmp_path / ".config/pip/pip.conf").write_text("[global]\ntimeout = 7\nretries = 7\n")
        (tmp_path / "pip.conf").write_text("[global]\ntimeout = 8\nprefix = /x\n")
        environment = {"HOME": str(tmp_path)}
        added = pip_configuration.kept_to_the_venv(environment, str(tmp_path), str(tmp_path / "written"))
        options = options_of({**environment, **added})
        assert (options["global.timeout"], options["global.retries"]) == ("8", "7")
        assert "global.prefix" not in options

    @pytest.mark.parametrize("content", [None, "no section\n", "[global]\na = 1\n[global]\n"])
    def test_one_that_can_not_be_read(self, tmp_path: Path, content: str | None) -> None:
        """pip itself tells what is wrong with it; without any file, there is nothing to write."""
        file = tmp_path / "pip.conf"
        if content is not None:
            file.write_text(content)
        environment = {"PIP_CONFIG_FILE": str(file) if content else os.devnull}
        added = pip_configuration.kept_to_the_venv(environment, "/nowhere", str(tmp_path / "written"))
        assert set(added) == {f"PIP_{name}" for name in ("TARGET", "PREFIX", "ROOT", "USER", "PYTHON", "DRY_RUN")}

    @pytest.mark.parametrize("option", ["target", "prefix", "root", "user", "python", "dry-run"])
    def test_a_real_install(
        self, tmp_path: Path, venv: Path, host: Host, monkeypatch: pytest.MonkeyPatch, option: str
    ) -> None:
        """pip installs into the venv, whatever the host's configuration and environment say."""
        elsewhere = tmp_path / "elsewhere"
        value = {"user": "true", "dry-run": "true", "python": sys.executable}.get(option, str(elsewhere))
        (tmp_path / "pip.conf").write_text(f"[global]\n{option} = {value}\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
        host.environment[f"PIP_{option.upper().replace('-', '_')}"] = value
        assert "notes==2.0\n" in host.ensure(want(venv, requirements=["notes"]))["diff"]["after"]
        assert not elsewhere.exists()


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({"PIP_INDEX_URL": "https://variable/simple"}, "https://variable/simple"),
        ({}, "https://user/simple"),
        ({"PIP_CONFIG_FILE": "named.conf"}, "https://named/simple"),
        ({"PIP_CONFIG_FILE": "gone.conf"}, "https://user/simple"),
        ({"PIP_CONFIG_FILE": "broken.conf"}, ""),
        ({"PIP_CONFIG_FILE": os.devnull}, ""),
        ({"HOME": "/nowhere"}, "https://everybody/simple"),
    ],
)
def test_the_index(tmp_path: Path, environment: dict[str, str], index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable comes first, then the files in pip's order."""
    monkeypatch.chdir(tmp_path)
    for path, text in {
        "xdg/pip/pip.conf": "[global]\nindex-url = https://everybody/simple\n",
        ".config/pip/pip.conf": "[global]\nindex_url = https://user/simple\n",
        "named.conf": "[install]\nindex-url = https://named/simple\n[global]\nindex-url = https://other/simple\n",
        "broken.conf": "?\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    given = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), **environment}
    assert pip_configuration.index_in(given, "/nowhere") == index
