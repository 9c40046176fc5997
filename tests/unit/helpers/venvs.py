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
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec

OLDEST = "23.0.0"


class Host:
    """Runs commands as the module does, but with a folder of wheels as the only index, and remembers them.

    New venvs share the pip in a folder, if there is one, through a .pth file: ensurepip takes seconds.
    """

    def __init__(self, wheels: Path, shared_pip: Path | None = None) -> None:
        self.shared_pip = shared_pip
        self.commands: list[list[str]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        self.environment = {
            **kept,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_COMPILE": "0",  # pip takes the value for that of the option "compile"
        }

    def run(self, command: list, data: str, environ_update: dict | None = None) -> tuple[int, str, str]:
        """Run one command to its end."""
        # pip reads its arguments.
        arguments = json.loads(data) if data.startswith("[") else []
        self.commands.append([str(word) for word in [*command, *arguments]])
        environment = {**self.environment, **(environ_update or {})}
        if self.shared_pip is not None and "ensurepip" in command:
            (site_packages(Path(command[0]).parents[1]) / "pip.pth").write_text(f"{self.shared_pip}\n")
            return 0, "", ""
        done = subprocess.run(command, input=data, env=environment, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def ensure(self, wanted: VenvSpec, check_mode: bool = False) -> dict:
        """Bring a venv to what is wanted, and remember the commands of this run alone."""
        self.commands = []
        return ensure.ensure(wanted, Runner(self.run), check_mode)

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


def build_wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel that holds one module with the version in it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))


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
