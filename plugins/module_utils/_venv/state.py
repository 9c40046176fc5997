# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a virtual environment has, and what it lacks of what is wanted."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import shutil
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import asked, commands, probe, trust
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.asked import Asked
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_MINOR = re.compile(r"[0-9]+\.[0-9]+")
_WHICH_INTERPRETER = (
    "import os, sys; print(os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable), end='')"
)


class VenvSpec(NamedTuple):
    """What a virtual environment must have, and how it may get there."""

    path: str
    python: str
    version: str
    requirements: list[str]  # the lines of a list
    pip_extra_args: list[str]
    upgrade: bool
    rebuild: bool
    activate: bool
    settings: dict
    worker_class: str
    installer: str = "pip"  # or uv
    user: str = ""  # who runs the application, and must not change what root runs; "" if that is not known
    group: str = ""
    requirements_file: str = ""  # the path of a file that has the requirements instead
    environment: Mapping[str, str] = {}  # of what installs
    service: str = ""  # that the venv is for, if that is known
    revision: str = ""  # of the application
    standing: str = ""  # a directory that counts as the venv if it is there, in place of the one the path leads to

    @property
    def place(self) -> str:
        """Where the venv is that counts, if there is one."""
        return self.standing if os.path.isdir(self.standing) else self.path

    @property
    def directory(self) -> str:
        """The directory that counts as the venv, without links."""
        return os.path.realpath(self.place)

    @property
    def asked(self) -> Asked:
        """The requirements as they were given."""
        return Asked(self.requirements, self.requirements_file, self.pip_extra_args, self.version, self.installer)

    @property
    def gunicorn_requirement(self) -> str:
        """The requirement for Gunicorn, with the extras that it needs here."""
        return asked.gunicorn_requirement(self.version, self.worker_class, self.settings)

    @property
    def has_requirements(self) -> bool:
        """Whether there are any, so that a venv can be built from them."""
        return bool(self.requirements or self.requirements_file)


class VenvState(NamedTuple):
    """What a virtual environment has; all fields but the first and the last are those of the probe's answer."""

    directory: str
    python_version: str
    interpreter: str
    gunicorn_version: str | None
    gunicorn_is_whole: bool
    gunicorn_is_wanted: bool  # its version is one that gunicorn_version allows
    has_extras: bool  # what its extras need, for the worker class and the settings, is there
    versions: dict[str, str]
    origins: dict[str, str]  # of what is from no index: its URL, and a hash of what was installed
    installed: str  # a hash of versions, and of when each was installed
    has_pip: bool
    problems: list[list]

    @property
    def has_gunicorn(self) -> bool:
        """Whether the Gunicorn that is wanted is there and works."""
        return self.gunicorn_is_whole and self.gunicorn_is_wanted and self.has_extras

    def has_the_same_as(self, other: VenvState) -> bool:
        """Whether another venv has the same versions and the same code, wherever it is."""
        left_out = {"directory": "", "installed": ""}
        return self._replace(**left_out) == other._replace(**left_out)

    @property
    def listing(self) -> str:
        """Name and version of what is installed, and where it is from if that is no index, a line each."""
        lines = []
        for name, version in sorted(self.versions.items()):
            url = self.origins.get(name, "").rpartition("#")[0]
            lines.append(f"{name}=={version} ({urls.without_passwords(url)})\n" if url else f"{name}=={version}\n")
        return "".join(lines)

    @property
    def fingerprint(self) -> str:
        """A hash over the directory, the version of Python, and version and origin of all that is installed."""
        text = f"{self.directory}\n{self.python_version}\n{self.listing}{sorted(self.origins.items())}"
        return hashlib.sha256(text.encode()).hexdigest()


def read(wanted: VenvSpec, runner: Runner) -> VenvState | None:
    """What the venv has, or None if there is none that works; see is_venv for the errors."""
    path = wanted.place
    if not is_venv(path, wanted.rebuild):
        return None
    state = ask_probe(wanted, wanted.directory, runner)
    return state if is_venv(path, wanted.rebuild, state.python_version) else None


def ask_probe(wanted: VenvSpec, directory: str, runner: Runner) -> VenvState:
    """What the venv in a directory has, as its own Python says; raises VenvError if that does not run.

    If others than root can change it, it is asked with their rights.
    """
    request = {
        "gunicorn": ",".join(asked.gunicorn_specifiers(wanted.version)),
        "extras": asked.gunicorn_extras(wanted.worker_class, wanted.settings),
        "settings": wanted.settings,
        "worker_class": wanted.worker_class,
    }
    command = [python_of(directory), "-I", "-c", inspect.getsource(probe)]
    failure = f"gunicorn_venv: {wanted.path} can't be read"
    account = trust.rights_for(trust.venv_paths(directory))
    answer = commands.run(runner, command, failure, json.dumps(request), account)
    try:
        checked = _checked(json.loads(answer), request)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise VenvError(f"{failure}: its Python answers something else than was asked") from None
    if account is not None:
        # Root runs it to build the next one, and believes only what it sees.
        checked["interpreter"] = os.path.realpath(python_of(directory))
    return VenvState(directory=directory, **checked)


def _checked(answer: dict, request: dict) -> dict:
    """The probe's answer, with nothing in it that was not asked for; KeyError, TypeError or ValueError otherwise.

    Others may have written it: pip gets the versions as constraints, and errors show the rest.
    """
    gunicorn = answer["gunicorn_version"]
    if not all(map(_VERSION.fullmatch, [answer["python_version"], *([gunicorn] if gunicorn else [])])):
        raise ValueError
    given = {**request["settings"], "worker_class": request["worker_class"]}
    return {
        "python_version": answer["python_version"],
        "interpreter": values_text.checked(answer["interpreter"]),
        "gunicorn_version": gunicorn,
        "gunicorn_is_whole": answer["gunicorn_is_whole"] is True,
        "gunicorn_is_wanted": answer["gunicorn_is_wanted"] is True,
        "has_extras": answer["has_extras"] is True,
        "versions": {
            name: version
            for name, version in answer["versions"].items()
            if _NAME.fullmatch(name) and _VERSION.fullmatch(version)
        },
        "origins": {
            name: values_text.checked(origin) for name, origin in answer["origins"].items() if _NAME.fullmatch(name)
        },
        "installed": values_text.checked(answer["installed"]),
        "has_pip": answer["has_pip"] is True,
        "problems": [[name, given[name], values_text.shown(expected)] for name, _value, expected in answer["problems"]],
    }


def python_of(directory: str) -> str:
    """The path of a venv's own Python."""
    return os.path.join(directory, "bin", "python")


def check_settings(wanted: VenvSpec, state: VenvState) -> None:
    """Raise InvalidValue for the first setting that the installed Gunicorn does not accept."""
    for name, value, expected in state.problems:
        variable = "gunicorn_worker_class" if name == "worker_class" else f"gunicorn_settings['{name}']"
        raise InvalidValue(variable, value, f"{expected}, says Gunicorn {state.gunicorn_version}")


def needs_rebuild(wanted: VenvSpec, state: VenvState | None, runner: Runner) -> bool:
    """Whether `rebuild` is wanted and the venv does not work any more, or another Python made it.

    `state` is what the venv has, or None if none works. VenvError if the wanted Python does not run.
    """
    if not wanted.rebuild:
        return False
    if state is None:
        return _is_anything(wanted.directory)
    command = [shutil.which(wanted.python) or wanted.python, "-I", "-c", _WHICH_INTERPRETER]
    account = trust.rights_for(trust.interpreter_paths(wanted.python))
    failure = f"gunicorn_python: {wanted.python} does not run"
    return state.interpreter != commands.run(runner, command, failure, account=account).strip()


def stays(path: str, python: str, rebuild: bool) -> bool:
    """Whether there is a venv that works and, with `rebuild`, was made by that Python; errors as those of is_venv."""
    if not is_venv(path, rebuild):
        return False
    wanted = shutil.which(python)
    return not rebuild or (wanted is not None and os.path.realpath(wanted) == os.path.realpath(python_of(path)))


def is_venv(path: str, rebuild: bool = False, version: str = "") -> bool:
    """Whether there is a venv that works, as far as can be told without running it.

    InvalidValue if something else is there. VenvError if the host's Python was upgraded and the venv does not work any
    more; with `rebuild`, such a venv counts as none. `version` is that of its interpreter, if it is known.
    """
    if not _is_anything(path):
        return False
    problem = _problem(path, version)
    if problem and not rebuild:
        raise VenvError(
            f"gunicorn_venv: {path} does not work any more: {problem}, as after an upgrade of the host's Python. "
            "Nothing was changed. With gunicorn_venv_rebuild: true, a new one is built from gunicorn_requirements."
        )
    return not problem


def _is_anything(path: str) -> bool:
    is_empty = os.path.isdir(path) and not os.listdir(path)
    return os.path.lexists(path) and not is_empty and not directories.is_in_the_making(path)


def _problem(path: str, version: str) -> str:
    """Why a venv does not work, or "". If its interpreter's version is not known, the interpreter's name tells it."""
    python = python_of(path)
    interpreter = os.path.realpath(python)
    if os.path.islink(path) and not os.path.lexists(os.path.realpath(path)):
        return f"{os.path.realpath(path)} is gone"
    # /usr has a bin/python, too.
    if not os.path.lexists(python) or not os.path.isfile(os.path.join(path, "pyvenv.cfg")):
        raise InvalidValue("gunicorn_venv", path, "a virtual environment, or a path where nothing is yet")
    if not os.path.exists(python):
        return f"its interpreter {interpreter} is gone"
    made_for = _MINOR.match(read_configuration(path).get("version", ""))
    is_now = _MINOR.match(version or os.path.basename(interpreter).partition("python")[2])
    if made_for and is_now and made_for.group() != is_now.group():
        return f"it was made for Python {made_for.group()}, and its interpreter {interpreter} is {is_now.group()}"
    return ""


def read_configuration(path: str) -> dict[str, str]:
    """The keys, in lower case, and values of a venv's pyvenv.cfg."""
    text = files.read_regular(os.path.join(path, "pyvenv.cfg")).decode(errors="replace")
    pairs = [line.partition("=") for line in text.splitlines()]
    values = {name.strip().lower(): value.strip() for name, _sign, value in pairs}
    # virtualenv calls the version by another name.
    return {"version": values.get("version_info", ""), **values}
