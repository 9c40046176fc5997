# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments for unit tests: a host that makes them, what may be wanted, and what they have."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import ensure
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState

OLDEST = "23.0.0"


class Host:
    """Runs commands as the module does, but with a folder of wheels as the only index, and remembers them.

    New venvs share the pip in a folder, if there is one, through a .pth file: ensurepip takes seconds.
    """

    def __init__(self, wheels: Path, shared_pip: Path | None = None) -> None:
        self.shared_pip = shared_pip
        self.commands: list[list[str]] = []
        self.in_use: list[str] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        self.environment = {
            **kept,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_COMPILE": "0",  # pip takes the value for that of the option "compile"
        }

    def run(self, command: list, data: str, environ_update: dict | None = None, cwd: str = "/") -> tuple[int, str, str]:
        """Run one command to its end."""
        # pip reads its arguments.
        arguments = json.loads(data) if data.startswith("[") else []
        self.commands.append([str(word) for word in [*command, *arguments]])
        environment = {**self.environment, **(environ_update or {})}
        if self.shared_pip is not None and "ensurepip" in command:
            (site_packages(Path(command[0]).parents[1]) / "pip.pth").write_text(f"{self.shared_pip}\n")
            return 0, "", ""
        done = subprocess.run(
            command, input=data, env=environment, cwd=cwd, check=False, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    def ensure(self, wanted: VenvSpec, check_mode: bool = False) -> dict:
        """Bring a venv to what is wanted, and remember the commands of this run alone."""
        self.commands = []
        return ensure.ensure(wanted, Runner(self.run), check_mode, self.unused)

    def unused(self, paths: list[str]) -> list[str]:
        """What nothing needs of these directories."""
        return [path for path in paths if path not in self.in_use]

    @property
    def pip_runs(self) -> list[list[str]]:
        """The commands of the last run that called pip."""
        return [command for command in self.commands if "pip" in command]


def want(path: Path, **changes: object) -> VenvSpec:
    """What the role's defaults want, with these changes."""
    wanted = VenvSpec(
        str(path),
        sys.executable,
        "newest",
        requirements=[],
        pip_extra_args=[],
        upgrade=False,
        rebuild=False,
        activate=True,
        settings={},
        worker_class="sync",
    )
    return wanted._replace(**changes)


def state_of(**changes: object) -> VenvState:
    """What a good venv with nothing but Gunicorn has, with these changes."""
    state = VenvState(
        "/v-1",
        "3.11.2",
        "/usr/bin/python3.11",
        gunicorn_version="27.0.1",
        gunicorn_is_whole=True,
        gunicorn_is_wanted=True,
        has_extras=True,
        versions={"gunicorn": "27.0.1"},
        origins={},
        installed="0" * 64,
        has_pip=True,
        problems=[],
    )
    return state._replace(**changes)


def build_wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    """Write a wheel that holds one module with the version in it, and needs others."""
    info = f"{name}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))


_BACKEND = """\
import base64, hashlib, zipfile

def hash_of(text):
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")

def build_wheel(folder, *_settings):
    info = "shop-1.0.dist-info"
    files = {
        "shop.py": open("shop.py").read(),
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    with zipfile.ZipFile(f"{folder}/shop-1.0-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        lines = [f"{path},{hash_of(content)},{len(content)}\\n" for path, content in files.items()]
        wheel.writestr(f"{info}/RECORD", "".join([*lines, f"{info}/RECORD,,\\n"]))
    return "shop-1.0-py3-none-any.whl"
"""


def make_project(folder: Path) -> Path:
    """Write a project that builds itself, without anything from an index: a module shop with a value."""
    folder.mkdir(parents=True)
    system = 'requires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(f'[build-system]\n{system}[project]\nname = "shop"\nversion = "1.0"\n')
    (folder / "backend.py").write_text(_BACKEND)
    (folder / "shop.py").write_text("value = 1\n")
    return folder


def value_in(venv: Path, expression: str = "shop.value") -> str:
    """What a module in a venv says."""
    command = [str(venv / "bin/python"), "-c", f"import {expression.partition('.')[0]}; print({expression})"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def snapshot(folder: Path) -> dict[str, str]:
    """Every path below a folder, with a hash of each file, except for bytecode."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def gunicorn_answers(venv: Path) -> str:
    """What the Gunicorn of a venv says of its version."""
    command = [str(venv / "bin/python"), "-m", "gunicorn", "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def site_packages(venv: Path) -> Path:
    """The folder that pip installs into."""
    (path,) = venv.glob("lib/python3*/site-packages")
    return path


def package(venv: Path) -> Path:
    """The folder of the package gunicorn in a venv."""
    return site_packages(venv) / "gunicorn"
