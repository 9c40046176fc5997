# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of several rooms share: real Gunicorns to ask, kernels that can't exchange two names, and a systemd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from noting_systemd import Systemd
from venvs import OLDEST

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units

# Before it is imported, so that its assertions say which values they compared.
pytest.register_assert_rewrite("interruptions")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the oldest Gunicorn that is supported, the newest that there is, and what they need."""
    folder = tmp_path_factory.mktemp("wheels")
    for wanted in (f"gunicorn=={OLDEST}", "gunicorn"):
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--only-binary=:all:",
            f"--dest={folder}",
            wanted,
        ]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="session")
def newest(wheels: Path) -> str:
    """The version of the newest Gunicorn."""
    (version,) = {path.name.split("-")[1] for path in wheels.glob("gunicorn-*.whl")} - {OLDEST}
    return version


@pytest.fixture(scope="session")
def sites(wheels: Path, newest: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each Gunicorn a folder from which Python can import it."""
    folders = {version: tmp_path_factory.mktemp(f"site-{version}") for version in (OLDEST, newest)}
    for version, folder in folders.items():
        for wheel in (*wheels.glob(f"gunicorn-{version}-*.whl"), *wheels.glob("packaging-*.whl")):
            zipfile.ZipFile(wheel).extractall(folder)
    return folders


@pytest.fixture(scope="session")
def known_settings(sites: dict[str, Path]) -> dict[str, list[str]]:
    """The names of all settings of each Gunicorn."""
    code = (
        "import json; from gunicorn.config import KNOWN_SETTINGS; print(json.dumps([s.name for s in KNOWN_SETTINGS]))"
    )
    return {
        version: json.loads(
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONPATH": str(site)},
                check=True,
                capture_output=True,
            ).stdout
        )
        for version, site in sites.items()
    }


@pytest.fixture(params=["at once", "by renames"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How two names are exchanged. A kernel answers to a flag that it does not know as one does that can't exchange."""
    if request.param == "by renames":
        monkeypatch.setattr(links, "_RENAME_EXCHANGE", 1 << 20)
    return request.param


@pytest.fixture
def systemd() -> Systemd:
    """A systemd that has no unit."""
    return Systemd()


@pytest.fixture
def etc_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an administrator's units are."""
    monkeypatch.setattr(units, "UNIT_DIRECTORY", str(tmp_path / "etc"))
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


@pytest.fixture
def run_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units are until the next boot."""
    monkeypatch.setattr(units, "RUNTIME_DIRECTORY", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"
