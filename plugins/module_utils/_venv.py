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

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _venv_layout, _venv_probe
from ansible_collections.pyweb.gunicorn.plugins.module_utils._errors import InvalidValue

FLOOR = "23.0.0"  # older versions let requests be smuggled: CVE-2024-1135, CVE-2024-6827
# What the requirements were when they were last installed: lines that can't be compared by name and version.
STAMP = ".gunicorn-requirements"
# Lines that name another file, relative to their own; pip gets the lines from elsewhere.
_INCLUDE = re.compile(r"(\s*(?:(?:-r|-c)\s*|(?:--requirement|--constraint)(?:\s+|=)))(?!\S*://)(\S.*)")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MINOR = re.compile(r"[0-9]+\.[0-9]+")
_WHICH_INTERPRETER = (
    "import os, sys; print(os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable), end='')"
)

Run = Callable[[list, str], "tuple[int, str, str]"]  # command and standard input; exit code, output, errors


class VenvError(Exception):
    """The virtual environment can't be made, read or brought to what is wanted."""


class Wanted(NamedTuple):
    """What shall be in a virtual environment, and how it may get there."""

    path: str
    python: str
    version: str
    requirements: list[str]
    pip_extra_args: list[str]
    upgrade: bool
    rebuild: bool
    activate: bool
    settings: dict
    worker_class: str
    installer: str = "pip"  # or uv


class State(NamedTuple):
    """What is in a virtual environment; all fields but the first are those of the probe's answer."""

    directory: str
    python_version: str
    interpreter: str
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
        """A hash over the directory, and the versions of Python and of everything that is installed."""
        return hashlib.sha256(f"{self.directory}\n{self.python_version}\n{self.listing}".encode()).hexdigest()


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


def ensure(wanted: Wanted, run: Run, check_mode: bool) -> dict:
    """Bring the venv to what is wanted; returns what the module returns."""
    interrupted = _venv_layout.is_interrupted(wanted.path)
    if not check_mode:
        _venv_layout.recover(wanted.path)
    # What a killed pip has left can't be asked before it is put right.
    unknown = interrupted and check_mode
    before = None if unknown else read(wanted, run)
    rebuild = wanted.rebuild and not unknown and _is_outlived(wanted, before, run)
    if rebuild and not wanted.requirements:
        expected = f"what {wanted.path} is to be built from anew, as gunicorn_venv_rebuild says"
        raise InvalidValue("gunicorn_requirements", wanted.requirements, expected)
    todo = rebuild or before is None or needs_install(wanted, before) or _venv_layout.is_interrupted(wanted.path)
    state, backup = before, _venv_layout.backup_of(wanted.path)
    if not todo:
        check_settings(wanted, state)
    elif not check_mode:
        state, backup = _change(wanted, None if rebuild else before, run)
    changed = interrupted or (todo and (check_mode or state != before or not _is_only_upgrade(wanted, before)))
    if wanted.activate and not check_mode:
        _activate(wanted, state, backup)
        backup = ""
    known = state is not None and not (changed and check_mode)
    return {
        "changed": changed,
        "directory": state.directory if known else "",
        "backup": backup,
        "gunicorn_version": state.gunicorn_version if state else None,
        "python_version": state.python_version if state else None,
        "fingerprint": state.fingerprint if known else "",
        "diff": {"before": before.listing if before else "", "after": state.listing if state else ""},
    }


def _change(wanted: Wanted, before: State | None, run: Run) -> tuple[State, str]:
    """Build, make or change the venv; returns what it has then, and the path of its backup."""
    if wanted.requirements:
        return _build(wanted, before, run), ""
    if before is None:
        return _make_in_place(wanted, run), ""
    return _change_in_place(wanted, before, run)


def _build(wanted: Wanted, before: State | None, run: Run) -> State:
    """Build a new venv beside the old one, which stays as it is and where it is."""
    _refuse_mount(wanted)
    # An existing venv keeps its Python, and what it has where that satisfies what is wanted.
    python = before.interpreter if before and not wanted.rebuild else wanted.python
    directory = _venv_layout.begin(wanted.path)
    try:
        make(wanted, python, directory, run)
        state = install(wanted, _ask(wanted, directory, run), run, {} if before is None else _kept(wanted, before))
        check_settings(wanted, state)
        if before and _is_only_upgrade(wanted, before) and state._replace(directory=before.directory) == before:
            _venv_layout.discard(directory)
            return before
        _venv_layout.finish(directory)
    except BaseException:  # also the exit of a module that fails
        _venv_layout.discard(directory)
        raise
    return state


def _make_in_place(wanted: Wanted, run: Run) -> State:
    """Make the first venv where it shall be: without requirements, what comes into it later is the user's own."""
    existed = os.path.lexists(wanted.path)
    directory = _venv_layout.begin_in_place(wanted.path)
    try:
        make(wanted, wanted.python, directory, run)
        state = install(wanted, _ask(wanted, directory, run), run, {})
        check_settings(wanted, state)
    except BaseException:
        _venv_layout.abandon(directory, existed)
        raise
    _venv_layout.finish(directory)
    return state


def _change_in_place(wanted: Wanted, before: State, run: Run) -> tuple[State, str]:
    """Let pip change the user's own venv, with a way back."""
    _refuse_mount(wanted)
    had_backup = _venv_layout.backup_of(wanted.path)
    backup = _venv_layout.back_up(wanted.path)
    try:
        state = install(wanted, before, run, {})
        check_settings(wanted, state)
    except BaseException:
        _venv_layout.restore(wanted.path, backup)
        raise
    _venv_layout.finish(state.directory)
    if state == before and not had_backup:
        _venv_layout.discard(backup)
        return state, ""
    return state, backup


def _activate(wanted: Wanted, state: State, backup: str) -> None:
    """Let the path lead to the venv. What it led to before stays, once, for processes that still run from there."""
    if os.path.realpath(wanted.path) != state.directory:
        previous = _venv_layout.switch_link(wanted.path, state.directory)
        for leftover in _venv_layout.leftovers(wanted.path):
            if leftover != previous:
                _venv_layout.discard(leftover)
    elif backup:
        _venv_layout.discard(backup)


def _refuse_mount(wanted: Wanted) -> None:
    if os.path.ismount(wanted.path):
        raise InvalidValue("gunicorn_venv", wanted.path, "a path that is no mount point: it has to be exchanged")


def check_settings(wanted: Wanted, state: State) -> None:
    """Raise InvalidValue for the first setting that the Gunicorn which was asked does not take."""
    for name, value, expected in state.problems:
        variable = "gunicorn_worker_class" if name == "worker_class" else f"gunicorn_settings['{name}']"
        raise InvalidValue(variable, value, f"{expected}, says Gunicorn {state.gunicorn_version}")


def is_venv(path: str, rebuild: bool = False, version: str = "") -> bool:
    """Whether there is a venv that works, as far as can be told without running it.

    InvalidValue where there is something else, VenvError where the host's Python left it behind; with `rebuild`, such
    a one counts as none. `version` is that of its interpreter, where it is known.
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


def stays(path: str, python: str, rebuild: bool) -> bool:
    """Whether there is a venv that works and, with `rebuild`, was made by that Python; errors as those of is_venv."""
    if not is_venv(path, rebuild):
        return False
    wanted = shutil.which(python)
    return not rebuild or (wanted is not None and os.path.realpath(wanted) == os.path.realpath(f"{path}/bin/python"))


def _is_anything(path: str) -> bool:
    is_empty = os.path.isdir(path) and not os.listdir(path)
    return os.path.lexists(path) and not is_empty and not _venv_layout.is_in_the_making(path)


def _problem(path: str, version: str) -> str:
    """What keeps a venv from working. The version of its interpreter, where it is not known, is told from its name."""
    python = os.path.join(path, "bin", "python")
    interpreter = os.path.realpath(python)
    if os.path.islink(path) and not os.path.lexists(os.path.realpath(path)):
        return f"{os.path.realpath(path)} is gone"
    # /usr has a bin/python, too
    if not os.path.lexists(python) or not os.path.isfile(os.path.join(path, "pyvenv.cfg")):
        raise InvalidValue("gunicorn_venv", path, "a virtual environment, or a path where nothing is yet")
    if not os.path.exists(python):
        return f"its interpreter {interpreter} is gone"
    made_for = _MINOR.match(_read_configuration(path).get("version", ""))
    is_now = _MINOR.match(version or os.path.basename(interpreter).partition("python")[2])
    if made_for and is_now and made_for.group() != is_now.group():
        return f"it was made for Python {made_for.group()}, and its interpreter {interpreter} is {is_now.group()}"
    return ""


def _read_configuration(path: str) -> dict[str, str]:
    with open(os.path.join(path, "pyvenv.cfg"), encoding="utf-8", errors="replace") as lines:
        pairs = [line.partition("=") for line in lines]
    values = {name.strip().lower(): value.strip() for name, _sign, value in pairs}
    # virtualenv's name for it
    return {"version": values.get("version_info", ""), **values}


def _is_outlived(wanted: Wanted, state: State | None, run: Run) -> bool:
    """Whether there is a venv that its Python has left behind, or that was made by another one than is wanted."""
    if state is None:
        return _is_anything(wanted.path)
    code, output, errors = run([wanted.python, "-I", "-c", _WHICH_INTERPRETER], "")
    if code:
        raise VenvError(f"gunicorn_python: {wanted.python} does not run: {_reason(output, errors)}")
    return state.interpreter != output.strip()


def read(wanted: Wanted, run: Run) -> State | None:
    """What the venv has, or None where there is none that works; see is_venv for the errors."""
    if not is_venv(wanted.path, wanted.rebuild):
        return None
    state = _ask(wanted, os.path.realpath(wanted.path), run)
    return state if is_venv(wanted.path, wanted.rebuild, state.python_version) else None


def _ask(wanted: Wanted, directory: str, run: Run) -> State:
    request = {
        "requirements": [gunicorn_requirement(wanted.version), *wanted.requirements],
        "settings": wanted.settings,
        "worker_class": wanted.worker_class,
    }
    code, output, errors = run([_python(directory), "-I", "-c", inspect.getsource(_venv_probe)], json.dumps(request))
    if code:
        raise VenvError(f"gunicorn_venv: {wanted.path} can't be read: {_reason(output, errors)}")
    return State(directory=directory, **json.loads(output))


def needs_install(wanted: Wanted, state: State) -> bool:
    """Whether pip has anything to do."""
    return wanted.upgrade or not _is_satisfied(wanted, state)


def _is_satisfied(wanted: Wanted, state: State) -> bool:
    return not state.unmet and state.gunicorn_is_whole and _is_stamped(wanted, state)


def _is_only_upgrade(wanted: Wanted, before: State | None) -> bool:
    return wanted.upgrade and before is not None and _is_satisfied(wanted, before)


def make(wanted: Wanted, python: str, directory: str, run: Run) -> None:
    """Make a virtual environment without anything in it yet: install brings pip, whose errors venv would swallow."""
    command = [python, "-m", "venv", directory, "--without-pip"]
    if os.path.isfile(os.path.join(wanted.path, "pyvenv.cfg")):
        sees_system = _read_configuration(wanted.path).get("include-system-site-packages") == "true"
        command += ["--system-site-packages"] if sees_system else []
    _run(run, command, f"gunicorn_venv: {wanted.path} could not be made")


def install(wanted: Wanted, state: State, run: Run, kept: dict[str, str]) -> State:
    """Install Gunicorn and the requirements where `state` was read, and read it again.

    Where it can be, what is `kept` has the same version afterwards.
    """
    pip = _installer(wanted, state, run)
    if state.gunicorn_version and not state.gunicorn_is_whole:
        # a pip that was killed leaves a Gunicorn which pip takes for installed although files are missing
        _pip(wanted, [*pip, "--force-reinstall", "--no-deps"], [_repair_requirement(wanted, state)], {}, run)
    pip += ["--upgrade"] if wanted.upgrade else []
    for lines in _resolutions(wanted):
        _pip(wanted, pip, lines, kept, run)
    _venv_layout.write(os.path.join(state.directory, STAMP), _stamp(wanted))
    return _ask(wanted, state.directory, run)


def _installer(wanted: Wanted, state: State, run: Run) -> list[str]:
    """The command that installs into a venv, which gets pip for it unless uv is wanted."""
    python = _python(state.directory)
    if wanted.installer == "uv":
        # The service's user can't write there, and would compile everything at each start.
        return [find_uv(), "pip", "install", f"--python={python}", "--compile-bytecode", *wanted.pip_extra_args]
    if not state.has_pip:
        failure = f"gunicorn_venv: {wanted.path} gets no pip from ensurepip, which on Debian comes with python3-venv"
        _run(run, [python, "-m", "ensurepip", "--default-pip"], failure)
    return [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *wanted.pip_extra_args]


def find_uv() -> str:
    """The path of the host's uv; raises InvalidValue where it has none."""
    found = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/bin"]))
    if found is None:
        raise InvalidValue("gunicorn_installer", "uv", "pip, or a host with uv on root's PATH or in /usr/local/bin")
    return found


def _pip(wanted: Wanted, command: list, lines: list[str], kept: dict[str, str], run: Run) -> None:
    with tempfile.TemporaryDirectory(prefix="gunicorn-venv-") as folder:
        requirements, constraints = (os.path.join(folder, name) for name in ("requirements.txt", "constraints.txt"))
        _write_lines(requirements, lines)
        _write_lines(constraints, [f"{name}=={version}" for name, version in kept.items()])
        command = [*command, "--requirement", requirements]
        # Lines with hashes name every version themselves, and pip wants hashes of constraints, too.
        if kept and not _has_hashes(lines) and not run([*command, "--constraint", constraints], "")[0]:
            return
        failure = f"gunicorn_version, gunicorn_requirements: {wanted.installer} could not install into {wanted.path}"
        _run(run, command, f"{failure}, which is as it was before")


def _kept(wanted: Wanted, before: State) -> dict[str, str]:
    """Name and version of what a new venv takes over: without an upgrade, all that satisfies the requirements."""
    if wanted.upgrade:
        return {}
    names = (_NAME.match(line) for line in before.unmet)
    unmet = {_venv_probe.normalized(name[0]) for name in names if name}
    return {name: version for name, version in before.versions.items() if name not in unmet}


def _repair_requirement(wanted: Wanted, state: State) -> str:
    requirement = gunicorn_requirement(wanted.version)
    stays = not wanted.upgrade and requirement not in state.unmet
    return f"gunicorn=={state.gunicorn_version}" if stays else requirement


def _resolutions(wanted: Wanted) -> list[list[str]]:
    """What is installed at once: everything, but where lines have hashes, pip wants one for each line."""
    own = [gunicorn_requirement(wanted.version)]
    if wanted.installer == "uv":
        # People expect it in a virtual environment, and what is met is judged by its parser.
        own.append("pip")
    if _has_hashes(wanted.requirements):
        return [wanted.requirements, own]
    return [own + wanted.requirements]


def _has_hashes(lines: list[str]) -> bool:
    return any("--hash=" in line for line in lines)


def _python(directory: str) -> str:
    return os.path.join(directory, "bin", "python")


def _write_lines(path: str, lines: list[str]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _run(run: Run, command: list, failure: str) -> None:
    code, output, errors = run(command, "")
    if code:
        raise VenvError(f"{failure}: {_reason(output, errors)}")


def _reason(output: str, errors: str, lines: int = 5) -> str:
    """What pip calls an error, or else the last lines: ensurepip shows its own traceback below pip's error."""
    said = [line.strip() for line in [*output.splitlines(), *errors.splitlines()]]
    # Below "Exception" stands a traceback, whose last line says which.
    named = [line for line in said if line.startswith("ERROR:") and line != "ERROR: Exception:"]
    last = [line.strip() for line in (errors or output).splitlines() if line.strip()]
    return " | ".join((named or last)[-lines:])


def _stamp(wanted: Wanted) -> str:
    return hashlib.sha256("\n".join(wanted.requirements).encode()).hexdigest() + "\n"


def _is_stamped(wanted: Wanted, state: State) -> bool:
    if not wanted.requirements:
        return True
    try:
        with open(os.path.join(state.directory, STAMP), encoding="ascii") as stamp:
            return stamp.read() == _stamp(wanted)
    except OSError:
        return False
