# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual environment with Gunicorn in it: what it has, what it lacks, and how pip brings it there."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import shutil
import tempfile
from typing import Callable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _venv_probe
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

FLOOR = "23.0.0"  # older versions let requests be smuggled: CVE-2024-1135, CVE-2024-6827
# What the requirements were when they were last installed: lines that can't be compared by name and version.
STAMP = ".gunicorn-requirements"
# Lines that name another file, relative to their own; pip gets the lines from elsewhere.
_INCLUDE = re.compile(r"(\s*(?:(?:-r|-c)\s*|(?:--requirement|--constraint)(?:\s+|=)))(?!\S*://)(\S.*)")

Run = Callable[[list, str], "tuple[int, str, str]"]  # command and standard input; exit code, output, errors


class VenvError(Exception):
    """The virtual environment can't be made, read or brought to what is wanted."""


class Wanted(NamedTuple):
    """What shall be in a virtual environment."""

    path: str
    python: str
    version: str
    requirements: list[str]
    pip_extra_args: list[str]
    upgrade: bool
    settings: dict
    worker_class: str


class State(NamedTuple):
    """What is in a virtual environment; the fields are those of the probe's answer."""

    python_version: str
    gunicorn_version: str | None
    gunicorn_is_whole: bool
    versions: dict[str, str]
    has_pip: bool
    unmet: list[str]
    problems: list[list]

    @property
    def listing(self) -> str:
        """Name and version of what is installed, a line each."""
        return "".join(f"{name}=={version}\n" for name, version in sorted(self.versions.items()))

    @property
    def fingerprint(self) -> str:
        """A hash over the versions of Python and of everything that is installed."""
        return hashlib.sha256(f"{self.python_version}\n{self.listing}".encode()).hexdigest()


def gunicorn_requirement(version: str) -> str:
    """The requirement that stands for gunicorn_version."""
    floor = f"gunicorn>={FLOOR}"
    if version == "newest":
        return floor
    return f"{floor},=={version}" if version[0].isdigit() else f"{floor},{version.replace(' ', '')}"


def read_requirements(given: list | str | None) -> list[str]:
    """The lines of a requirements file of the host (where a string names one), or of the list itself."""
    if not given:
        return []
    lines = _read_lines(given) if isinstance(given, str) else given
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InvalidValue("gunicorn_requirements", given, "a list of requirements, or the path of a file of them")
    bare = (re.split(r"(?:^|\s)#", line)[0].strip() for line in lines)
    return [line for line in bare if line]


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as lines:
            text = lines.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "not UTF-8")
        raise InvalidValue("gunicorn_requirements", path, f"a file of the host ({reason})") from None
    return [_with_whole_path(line, os.path.dirname(os.path.abspath(path))) for line in text.splitlines()]


def _with_whole_path(line: str, folder: str) -> str:
    include = _INCLUDE.match(line)
    return include[1] + os.path.join(folder, include[2]) if include else line


def is_venv(path: str) -> bool:
    """Whether there is a venv; InvalidValue where there is something else, VenvError where its interpreter is gone."""
    if not os.path.lexists(path) or (os.path.isdir(path) and not os.listdir(path)):
        return False
    python = os.path.join(path, "bin", "python")
    # /usr has a bin/python, too
    if not os.path.lexists(python) or not os.path.isfile(os.path.join(path, "pyvenv.cfg")):
        raise InvalidValue("gunicorn_venv", path, "a virtual environment, or a path where nothing is yet")
    if not os.path.exists(python):
        gone = os.path.realpath(python)
        raise VenvError(
            f"gunicorn_venv: {path} does not work any more: its interpreter {gone} is gone, as after an upgrade "
            "of the host's Python. Nothing was changed. Move the venv away, and the next run makes a new one."
        )
    return True


def read(wanted: Wanted, run: Run) -> State | None:
    """What the venv has, or None where there is no venv yet; see is_venv for the errors."""
    if not is_venv(wanted.path):
        return None
    python = os.path.join(wanted.path, "bin", "python")
    request = {
        "requirements": [gunicorn_requirement(wanted.version), *wanted.requirements],
        "settings": wanted.settings,
        "worker_class": wanted.worker_class,
    }
    code, output, errors = run([python, "-I", "-c", inspect.getsource(_venv_probe)], json.dumps(request))
    if code:
        raise VenvError(f"gunicorn_venv: {wanted.path} can't be read: {_tail(errors or output)}")
    return State(**json.loads(output))


def needs_install(wanted: Wanted, state: State) -> bool:
    """Whether pip has anything to do."""
    return bool(wanted.upgrade or state.unmet or not state.gunicorn_is_whole or not _is_stamped(wanted))


def make(wanted: Wanted, run: Run) -> None:
    """Make the virtual environment; what a failure leaves is removed."""
    _run(
        run, [wanted.python, "-m", "venv", wanted.path], f"gunicorn_venv: {wanted.path} could not be made", wanted.path
    )


def install(wanted: Wanted, state: State, run: Run) -> None:
    """Install Gunicorn and the requirements; pip itself puts back what it had where it fails."""
    python = os.path.join(wanted.path, "bin", "python")
    if not state.has_pip:
        _run(run, [python, "-m", "ensurepip"], f"gunicorn_venv: {wanted.path} has no pip, and ensurepip failed")
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--upgrade"] if wanted.upgrade else []
    # a pip that was killed leaves a Gunicorn which pip takes for installed although files are missing
    command += ["--force-reinstall"] if state.gunicorn_version and not state.gunicorn_is_whole else []
    for lines in _resolutions(wanted):
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
            requirements.write("\n".join([*lines, ""]))
            requirements.flush()
            failure = f"gunicorn_version, gunicorn_requirements: pip could not install into {wanted.path}"
            _run(run, [*command, *wanted.pip_extra_args, "--requirement", requirements.name], failure)
    with open(_stamp_path(wanted), "w", encoding="ascii") as stamp:
        stamp.write(_fingerprint(wanted))


def _resolutions(wanted: Wanted) -> list[list[str]]:
    """What is installed at once: everything, but where lines have hashes, pip wants one for each line."""
    gunicorn = gunicorn_requirement(wanted.version)
    if any("--hash=" in line for line in wanted.requirements):
        return [wanted.requirements, [gunicorn]]
    return [[gunicorn, *wanted.requirements]]


def _run(run: Run, command: list, failure: str, remove: str | None = None) -> None:
    code, output, errors = run(command, "")
    if code:
        if remove:
            shutil.rmtree(remove, ignore_errors=True)
        raise VenvError(f"{failure}: {_tail(errors or output)}")


def _tail(text: str, lines: int = 5) -> str:
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


def _stamp_path(wanted: Wanted) -> str:
    return os.path.join(wanted.path, STAMP)


def _fingerprint(wanted: Wanted) -> str:
    return hashlib.sha256("\n".join(wanted.requirements).encode()).hexdigest() + "\n"


def _is_stamped(wanted: Wanted) -> bool:
    if not wanted.requirements:
        return True
    try:
        with open(_stamp_path(wanted), encoding="ascii") as stamp:
            return stamp.read() == _fingerprint(wanted)
    except OSError:
        return False
