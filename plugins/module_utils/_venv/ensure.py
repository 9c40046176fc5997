# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a virtual environment to what is wanted: decides what there is to do, and does it with a way back."""

from __future__ import annotations

import enum
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import install, requirements, trust
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


def ensure(wanted: VenvSpec, runner: Runner, check_mode: bool) -> dict:
    """Bring the venv to what is wanted; returns what the module returns.

    InvalidValue, before anything is run or changed, if it can't be wanted, or if root must not rely on what is there.
    """
    uv = install.find_uv() if wanted.installer == "uv" else ""
    trust.check(trusted(wanted, uv), wanted.user, wanted.group)
    interrupted = directories.is_interrupted(wanted.path)
    if check_mode and interrupted:
        # A venv that a killed pip has left can't be asked before it is recovered.
        return _result(None, None, venv_backup.backup_of(wanted.path), changed=True, known=False)
    if not check_mode:
        venv_backup.recover(wanted.path)
    before = venv_state.read(wanted, runner)
    rebuild = venv_state.needs_rebuild(wanted, before, runner)
    task = decide(wanted, before, rebuild, directories.is_interrupted(wanted.path))
    if task is Task.NOTHING:
        venv_state.check_settings(wanted, before)
    if check_mode:
        done = task is Task.NOTHING
        return _result(before, before, venv_backup.backup_of(wanted.path), changed=not done, known=done)
    state, backup = _carry_out(task, wanted, before, runner)
    changed = interrupted or (task is not Task.NOTHING and not (_is_only_upgrade(wanted, before) and state == before))
    if wanted.activate:
        _activate(wanted, state, backup)
        backup = ""
    return _result(before, state, backup, changed, known=True)


def trusted(wanted: VenvSpec, uv: str = "") -> list[Trusted]:
    """All that root runs, or installs from, to bring a venv to what is wanted; `uv` is the path of the installer."""
    lines = urls.without_passwords([*wanted.requirements, *requirements.included_lines(wanted.requirements)])
    return [
        Trusted("gunicorn_venv", wanted.path, "a virtual environment", trust.venv_paths(wanted.path)),
        Trusted("gunicorn_python", wanted.python, "an interpreter", trust.interpreter_paths(wanted.python)),
        *(Trusted("gunicorn_installer", "uv", "a program", [path]) for path in [uv] if path),
        *(Trusted("gunicorn_requirements", path, "a file", [path]) for path in [wanted.requirements_file] if path),
        *(Trusted("gunicorn_requirements", line, "something to install", trust.local_paths(line)) for line in lines),
        *(
            Trusted("gunicorn_pip_extra_args", argument, "something to install", trust.local_paths(argument))
            for argument in urls.without_passwords(wanted.pip_extra_args)
        ),
        *(
            Trusted(f"gunicorn_pip_environment['{name}']", value, "something to install", trust.local_paths(value))
            for name, value in install.said_by_environment(wanted.environment).items()
        ),
    ]


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


def _carry_out(task: Task, wanted: VenvSpec, before: VenvState | None, runner: Runner) -> tuple[VenvState, str]:
    """Do the task; returns what the venv has then, and the path of its backup."""
    if task is Task.BUILD:
        return _build(wanted, before, runner), ""
    if task is Task.REBUILD:
        return _build(wanted, None, runner), ""
    if task is Task.MAKE:
        return _make_in_place(wanted, runner), ""
    if task is Task.CHANGE_IN_PLACE:
        return _change_in_place(wanted, before, runner)
    return before, venv_backup.backup_of(wanted.path)


def _build(wanted: VenvSpec, before: VenvState | None, runner: Runner) -> VenvState:
    """Build a new venv beside the old one, which is not touched."""
    _refuse_mount(wanted)
    # Without `rebuild`, an existing venv keeps its Python.
    python = before.interpreter if before and not wanted.rebuild else wanted.python
    directory = directories.begin(wanted.path)
    try:
        install.make(wanted, python, directory, runner)
        state = install.install(
            wanted,
            venv_state.ask_probe(wanted, directory, runner),
            runner,
            {} if before is None else install.kept_versions(wanted, before),
        )
        venv_state.check_settings(wanted, state)
        if before and _is_only_upgrade(wanted, before) and state._replace(directory=before.directory) == before:
            directories.discard(directory)
            return before
        directories.finish(directory)
    except BaseException:  # also the exit of a module that fails
        directories.discard(directory)
        raise
    return state


def _make_in_place(wanted: VenvSpec, runner: Runner) -> VenvState:
    """Make the first venv at the path itself: without requirements, the user installs the application there."""
    existed = os.path.lexists(wanted.path)
    directory = directories.begin_in_place(wanted.path)
    try:
        install.make(wanted, wanted.python, directory, runner)
        state = install.install(wanted, venv_state.ask_probe(wanted, directory, runner), runner, {})
        venv_state.check_settings(wanted, state)
    except BaseException:
        directories.abandon(directory, existed)
        raise
    directories.finish(directory)
    return state


def _change_in_place(wanted: VenvSpec, before: VenvState, runner: Runner) -> tuple[VenvState, str]:
    """Let pip change the user's own venv, and put its backup back if that fails."""
    _refuse_mount(wanted)
    had_backup = venv_backup.backup_of(wanted.path)
    backup = venv_backup.back_up(wanted.path)
    try:
        state = install.install(wanted, before, runner, {})
        venv_state.check_settings(wanted, state)
    except BaseException:
        venv_backup.restore(wanted.path, backup)
        raise
    directories.finish(state.directory)
    if state == before and not had_backup:
        directories.discard(backup)
        return state, ""
    return state, backup


def _is_only_upgrade(wanted: VenvSpec, before: VenvState | None) -> bool:
    """Whether nothing is missing: then it is a change only if pip finds newer versions."""
    return wanted.upgrade and before is not None and before.is_satisfied


def _refuse_mount(wanted: VenvSpec) -> None:
    if os.path.ismount(wanted.path):
        raise InvalidValue("gunicorn_venv", wanted.path, "a path that is no mount point: it must be exchanged")


def _activate(wanted: VenvSpec, state: VenvState, backup: str) -> None:
    """Make the path lead to the venv. What it led to before stays until the next time: processes still run from it."""
    if os.path.realpath(wanted.path) != state.directory:
        previous = links.switch_link(wanted.path, state.directory)
        for leftover in directories.leftovers(wanted.path):
            if leftover != previous:
                directories.discard(leftover)
    elif backup:
        directories.discard(backup)


def _result(before: VenvState | None, state: VenvState | None, backup: str, changed: bool, known: bool) -> dict:
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
