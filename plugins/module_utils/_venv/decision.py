# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what there is to do with a virtual environment, and whether root may rely on what is there.

A run that changes nothing needs no more of this room than that, and the modules that it asks.
"""

from __future__ import annotations

import enum
import re
import shutil
from typing import TYPE_CHECKING, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import asked, stamp, trust, uv
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.stamp import Stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.trust import Trusted

if TYPE_CHECKING:
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirements


class Task(enum.Enum):
    """What there is to do with a virtual environment."""

    NOTHING = "it has what is wanted"
    BUILD = "build a new one beside it, with the same versions where they satisfy the requirements"
    REBUILD = "build a new one beside it, and take nothing over"
    MAKE = "make the first one at the path itself"
    CHANGE_IN_PLACE = "let pip change the user's own one"


class Outlook(NamedTuple):
    """What was found, and what there is to do."""

    before: VenvState | None  # None without a venv that works
    task: Task
    requirements: Requirements | None  # None if they were not read: there is nothing to do, or no pip


def foresee(wanted: VenvSpec, runner: Runner) -> dict:
    """What `ensure` would return, as far as that is known before anything is changed.

    InvalidValue if it can't be wanted, or if root must not rely on what is there.
    """
    check_trust(wanted)
    backup = venv_backup.backup_of(wanted.path)
    if directories.is_interrupted(wanted.path):
        # A venv that a killed pip has left can't be asked before it is recovered.
        message = _message(wanted, is_new=wanted.has_requirements)
        return {**result(None, None, backup, changed=True, known=False), "message": message}
    before, task, found = look(wanted, runner)
    done = task is Task.NOTHING
    is_new = task is not Task.CHANGE_IN_PLACE
    message = "" if done else _message(wanted, is_new, found is not None and found.names_places)
    return {**result(before, before, backup, changed=not done, known=done), "message": message}


def _message(wanted: VenvSpec, is_new: bool, names_places: bool = False) -> str:
    # Not at the top: a run that changes nothing does not need it.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import announcement

    return announcement.sentence(wanted, is_new, names_places)


def look(wanted: VenvSpec, runner: Runner) -> Outlook:
    """What there is, and what there is to do; raises InvalidValue or VenvError.

    The requirements are read only if something differs from what was noted when they were installed.
    """
    before = venv_state.read(wanted, runner)
    rebuild = venv_state.needs_rebuild(wanted, before, runner)
    interrupted = directories.is_interrupted(wanted.path)
    noted = stamp.read(wanted.directory)
    found = None
    if before is not None and before.has_gunicorn and not rebuild and is_as_noted(wanted, before, noted):
        is_satisfied = True
        trust.check(noted_paths(noted), wanted.user, wanted.group)
    else:
        found = read_requirements(wanted, None if rebuild else before, runner)
        is_satisfied = before is not None and found is not None and has_all(wanted, before, noted, found)
    task = decide(wanted, before, is_satisfied, rebuild, interrupted)
    if task is Task.NOTHING:
        venv_state.check_settings(wanted, before)
    elif found is None:
        found = read_requirements(wanted, None if rebuild else before, runner)
    return Outlook(before, task, found)


def is_as_noted(wanted: VenvSpec, before: VenvState, noted: Stamp) -> bool:
    """Whether the same requirements were installed, and the venv still has what it had then."""
    if not wanted.has_requirements:
        return True
    return before.installed == noted.installed and stamp.is_current(noted, wanted.asked.hash, wanted.revision)


def has_all(wanted: VenvSpec, before: VenvState, noted: Stamp, found: Requirements) -> bool:
    """Whether the venv has what the requirements say, although something is not as it was noted.

    A changed comment is no change. Packages that were installed by hand stay, unless the requirements have hashes.
    """
    # What a lock names is what there is, whatever Gunicorn's extras would like.
    is_locked = found.requires_hashes and found.names("gunicorn")
    has_gunicorn = before._replace(has_extras=before.has_extras or is_locked).has_gunicorn
    if noted.lines != found.hash or not has_gunicorn or found.unmet:
        return False
    if found.requires_hashes and noted.installed != before.installed:
        return False
    has_moved = found.moves and noted.revision != wanted.revision
    return not has_moved and not stamp.changed_sources(noted)


def read_requirements(wanted: VenvSpec, before: VenvState | None, runner: Runner) -> Requirements | None:
    """The requirements, which root may install from; None if there is no pip to read them with.

    `before` is what the venv has whose interpreter reads them. InvalidValue if they can't be used.
    """
    # Not at the top: a run that changes nothing does not need it.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements

    if not wanted.has_requirements:
        return requirements.NONE
    requirements.check_file(wanted.asked)
    interpreter = before.interpreter if before else shutil.which(wanted.python) or ""
    if not interpreter:
        return None
    python, account = interpreter, trust.rights_for(trust.interpreter_paths(interpreter))
    # Root's own pip is quicker than that of ensurepip; another account's could not see all files.
    if before is not None and before.has_pip and trust.rights_for(trust.venv_paths(before.directory)) is None:
        python, account = venv_state.python_of(before.directory), None
    versions = before.versions if before else {}
    found = requirements.read(wanted.asked, python, versions, runner, account, wanted.environment)
    if found is not None:
        trust.check(_named_paths(found), wanted.user, wanted.group)
    return found


def noted_paths(noted: Stamp) -> list[Trusted]:
    """What was installed from, and is not read again."""
    variable = asked.VARIABLE
    return [
        *(Trusted(variable, path, "a file", [path]) for path in noted.files),
        *(Trusted(variable, path, "something to install", trust.with_entries(path)) for path in noted.sources),
    ]


def _named_paths(found: Requirements) -> list[Trusted]:
    """What the requirements name on the host."""
    variable = asked.VARIABLE
    named = [(item.line, item.path) for item in found.items if item.path] + found.paths
    return [
        *(Trusted(variable, path, "a file", [path]) for path in found.hashes),
        *(
            Trusted(variable, urls.without_passwords(line), "something to install", trust.with_entries(path))
            for line, path in named
        ),
    ]


def check_trust(wanted: VenvSpec) -> None:
    """Raise InvalidValue if root must not run, or install from, what is there; nothing of it was run."""
    trust.check(trusted(wanted, uv.find() if wanted.installer == "uv" else ""), wanted.user, wanted.group)


def trusted(wanted: VenvSpec, installer: str = "") -> list[Trusted]:
    """What root runs, or reads, to find what there is to install; `installer` is the path of uv."""
    configurations = uv.configurations(wanted.asked.folder) if installer else []
    return [
        Trusted("gunicorn_venv", wanted.path, "a virtual environment", trust.venv_paths(wanted.place)),
        Trusted("gunicorn_python", wanted.python, "an interpreter", trust.interpreter_paths(wanted.python)),
        *(Trusted("gunicorn_installer", "uv", "a program", [path]) for path in [installer] if path),
        *(Trusted("gunicorn_requirements", path, "a file", [path]) for path in [wanted.requirements_file] if path),
        *(Trusted("gunicorn_installer", "uv", "a configuration", [path]) for path in configurations),
        *(
            Trusted("gunicorn_pip_extra_args", argument, "something to install", trust.local_paths(argument))
            for argument in urls.without_passwords(wanted.pip_extra_args)
        ),
        *(
            Trusted(f"gunicorn_pip_environment['{name}']", value, "something to install", trust.local_paths(value))
            for name, value in _options_in(wanted.environment).items()
        ),
    ]


def _options_in(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip and uv take from these variables in place of arguments, without passwords; a space between values."""
    options = {name: value for name, value in environment.items() if re.match(r"(PIP|UV)_", name)}
    return {name: urls.without_passwords(value.replace(",", " ")) for name, value in options.items()}


def decide(wanted: VenvSpec, before: VenvState | None, is_satisfied: bool, rebuild: bool, interrupted: bool) -> Task:
    """What there is to do, where `before` is what the venv has, or None without a venv that works.

    With `interrupted`, the venv is not relied on. InvalidValue if there are no requirements to rebuild it from.
    """
    if rebuild:
        if not wanted.has_requirements:
            expected = f"requirements to build {wanted.path} from, as gunicorn_venv_rebuild asks"
            raise InvalidValue("gunicorn_requirements", wanted.requirements, expected)
        return Task.REBUILD
    if before is not None and is_satisfied and not (wanted.upgrade or interrupted):
        return Task.NOTHING
    if wanted.has_requirements:
        return Task.BUILD
    return Task.MAKE if before is None else Task.CHANGE_IN_PLACE


def result(before: VenvState | None, state: VenvState | None, backup: str, changed: bool, known: bool) -> dict:
    """What the module returns. Directory and fingerprint are empty unless they are `known` to stay."""
    return {
        "changed": changed,
        "directory": state.directory if known else "",
        "backup": backup,
        "gunicorn_version": state.gunicorn_version if state else None,
        "python_version": state.python_version if state else None,
        "fingerprint": state.fingerprint if known else "",
        "diff": {"before": before.listing if before else "", "after": state.listing if state else ""},
    }
