# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what there is to do with a virtual environment, and whether root may rely on what is there.

A run that changes nothing needs no more of this room than that, and the modules that it asks.
"""

from __future__ import annotations

import enum
import re
from typing import Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements, trust, uv
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.trust import Trusted


class Task(enum.Enum):
    """What there is to do with a virtual environment."""

    NOTHING = "it has what is wanted"
    BUILD = "build a new one beside it, with the same versions where they satisfy the requirements"
    REBUILD = "build a new one beside it, and take nothing over"
    MAKE = "make the first one at the path itself"
    CHANGE_IN_PLACE = "let pip change the user's own one"


def foresee(wanted: VenvSpec, runner: Runner) -> dict:
    """What `ensure` would return, as far as that is known before anything is changed.

    InvalidValue, before anything is run, if it can't be wanted, or if root must not rely on what is there.
    """
    check_trust(wanted)
    backup = venv_backup.backup_of(wanted.path)
    if directories.is_interrupted(wanted.path):
        # A venv that a killed pip has left can't be asked before it is recovered.
        return result(None, None, backup, changed=True, known=False)
    before, task = look(wanted, runner)
    done = task is Task.NOTHING
    return result(before, before, backup, changed=not done, known=done)


def look(wanted: VenvSpec, runner: Runner) -> tuple[VenvState | None, Task]:
    """What the venv has, None without one that works, and what there is to do; raises InvalidValue."""
    before = venv_state.read(wanted, runner)
    rebuild = venv_state.needs_rebuild(wanted, before, runner)
    task = decide(wanted, before, rebuild, directories.is_interrupted(wanted.path))
    if task is Task.NOTHING:
        venv_state.check_settings(wanted, before)
    return before, task


def check_trust(wanted: VenvSpec) -> None:
    """Raise InvalidValue if root must not run, or install from, what is there; nothing of it was run."""
    trust.check(trusted(wanted, uv.find() if wanted.installer == "uv" else ""), wanted.user, wanted.group)


def trusted(wanted: VenvSpec, installer: str = "") -> list[Trusted]:
    """All that root runs, or installs from, to bring a venv to what is wanted; `installer` is the path of uv."""
    lines = urls.without_passwords([*wanted.requirements, *requirements.included_lines(wanted.requirements)])
    return [
        Trusted("gunicorn_venv", wanted.path, "a virtual environment", trust.venv_paths(wanted.path)),
        Trusted("gunicorn_python", wanted.python, "an interpreter", trust.interpreter_paths(wanted.python)),
        *(Trusted("gunicorn_installer", "uv", "a program", [path]) for path in [installer] if path),
        *(Trusted("gunicorn_requirements", path, "a file", [path]) for path in [wanted.requirements_file] if path),
        *(Trusted("gunicorn_requirements", line, "something to install", trust.local_paths(line)) for line in lines),
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


def decide(wanted: VenvSpec, before: VenvState | None, rebuild: bool, interrupted: bool) -> Task:
    """What there is to do, where `before` is what the venv has, or None without a venv that works.

    With `interrupted`, the venv is not relied on. InvalidValue if there are no requirements to rebuild it from.
    """
    if rebuild:
        if not wanted.requirements:
            expected = f"requirements to build {wanted.path} from, as gunicorn_venv_rebuild asks"
            raise InvalidValue("gunicorn_requirements", wanted.requirements, expected)
        return Task.REBUILD
    if before is not None and before.is_satisfied and not (wanted.upgrade or interrupted):
        return Task.NOTHING
    if wanted.requirements:
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
