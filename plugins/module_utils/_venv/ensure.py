# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a virtual environment to what is wanted, with a way back."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import decision, install
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.decision import Task
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState


def ensure(wanted: VenvSpec, runner: Runner, check_mode: bool) -> dict:
    """Bring the venv to what is wanted; returns what the module returns.

    InvalidValue, before anything is run or changed, if it can't be wanted, or if root must not rely on what is there.
    """
    if check_mode:
        return decision.foresee(wanted, runner)
    decision.check_trust(wanted)
    interrupted = directories.is_interrupted(wanted.path)
    venv_backup.recover(wanted.path)
    before, task = decision.look(wanted, runner)
    state, backup = _carry_out(task, wanted, before, runner)
    changed = interrupted or (task is not Task.NOTHING and not (_is_only_upgrade(wanted, before) and state == before))
    if wanted.activate:
        _activate(wanted, state, backup)
        backup = ""
    return decision.result(before, state, backup, changed, known=True)


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
