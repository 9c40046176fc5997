# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments for unit tests: a host that makes them, what to ask it for, and what is in them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import ensure
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec

OLDEST = "23.0.0"


class Host:
    """Runs commands as the module does, but with one folder of wheels for the only index, and remembers them.

    Where there is a venv to take it from, a new one gets its pip by copy: ensurepip takes seconds.
    """

    def __init__(self, wheels: Path, pip_of: Path | None = None) -> None:
        self.pip_of = pip_of
        self.commands: list[list[str]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        self.environment = {
            **kept,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_COMPILE": "1",
        }

    def run(self, command: list, data: str) -> tuple[int, str, str]:
        """Run one command to its end."""
        self.commands.append([str(word) for word in command])
        if self.pip_of is not None and "ensurepip" in command:
            (site,) = self.pip_of.glob("lib/python3*/site-packages")
            for folder in site.glob("pip*"):
                shutil.copytree(folder, Path(command[0]).parents[1] / site.relative_to(self.pip_of) / folder.name)
            return 0, "", ""
        done = subprocess.run(command, input=data, env=self.environment, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def ensure(self, wanted: VenvSpec, check_mode: bool = False) -> dict:
        """Bring a venv to what is wanted; the commands are those of this one run."""
        self.commands = []
        return ensure.ensure(wanted, Runner(self.run), check_mode)

    @property
    def pip_runs(self) -> list[list[str]]:
        """The commands of the last run that called pip."""
        return [command for command in self.commands if "pip" in command]


def want(path: Path, **changes: object) -> VenvSpec:
    """What the role's defaults want, but for these."""
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
    """Every file below a folder and a hash of its contents, but for bytecode."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def gunicorn_answers(venv: Path) -> str:
    """What the Gunicorn of a venv says that it is."""
    command = [str(venv / "bin/python"), "-m", "gunicorn", "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def package(venv: Path) -> Path:
    """The folder of the package gunicorn in a venv."""
    (path,) = venv.glob("lib/python3*/site-packages/gunicorn")
    return path
