# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a virtual environment to what is wanted, with a way back."""

from __future__ import annotations

import os
from typing import Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import decision, install, requirements, stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.decision import Outlook, Task
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState


def ensure(wanted: VenvSpec, runner: Runner, check_mode: bool, unused: Callable[[list[str]], list[str]]) -> dict:
    """Bring the venv to what is wanted; returns what the module returns.

    `unused` says which of some directories nobody needs now; without activation, it is not asked.
    InvalidValue, before anything is run or changed, if it can't be wanted, or if root must not rely on what is there.
    """
    if check_mode:
        return decision.foresee(wanted, runner)
    decision.check_trust(wanted)
    interrupted = directories.is_interrupted(wanted.path)
    venv_backup.recover(wanted.path)
    outlook = decision.look(wanted, runner)
    state, backup = _carry_out(outlook, wanted, runner)
    before, task = outlook.before, outlook.task
    is_the_same = before is not None and before.gunicorn_is_whole and state == before
    changed = interrupted or not (task is Task.NOTHING or is_the_same)
    if wanted.activate:
        _activate(wanted, state, backup, unused)
        backup = ""
    return decision.result(before, state, backup, changed, known=True)


def _carry_out(outlook: Outlook, wanted: VenvSpec, runner: Runner) -> tuple[VenvState, str]:
    """Do the task; returns what the venv has then, and the path of its backup."""
    before, task, found = outlook
    if task is Task.NOTHING:
        if found is not None and wanted.has_requirements:
            # The next run compares with these, and need not read them.
            install.note_again(wanted, before, found)
        return before, venv_backup.backup_of(wanted.path)
    if found is None:
        missing = f"{wanted.python} has no pip to read them with, which on Debian comes with python3-venv"
        raise VenvError(f"gunicorn_requirements: {missing}. Nothing was changed.")
    if task is Task.BUILD:
        return _build(wanted, before, found, runner), ""
    if task is Task.REBUILD:
        return _build(wanted, None, found, runner), ""
    if task is Task.MAKE:
        return _make_in_place(wanted, runner), ""
    return _change_in_place(wanted, before, runner)


def _build(wanted: VenvSpec, before: VenvState | None, found: Requirements, runner: Runner) -> VenvState:
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
            found,
            runner,
            {} if before is None else install.kept_versions(wanted, before, found),
        )
        venv_state.check_settings(wanted, state)
        if before and _is_no_change(before, state, found):
            stamp.write(before.directory, stamp.read(directory)._replace(installed=before.installed))
            directories.discard(directory)
            return before
        directories.finish(directory)
    except BaseException:  # also the exit of a module that fails
        directories.discard(directory)
        raise
    return state


def _is_no_change(before: VenvState, state: VenvState, found: Requirements) -> bool:
    """Whether the same lines were installed again, with the same result, so that the old venv can stay."""
    noted = stamp.read(before.directory)
    if noted.lines != found.hash or (found.requires_hashes and noted.installed != before.installed):
        return False
    return state.has_the_same_as(before)


def _make_in_place(wanted: VenvSpec, runner: Runner) -> VenvState:
    """Make the first venv at the path itself: without requirements, the user installs the application there."""
    existed = os.path.lexists(wanted.path)
    directory = directories.begin_in_place(wanted.path)
    try:
        install.make(wanted, wanted.python, directory, runner)
        state = install.install(wanted, venv_state.ask_probe(wanted, directory, runner), requirements.NONE, runner, {})
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
        state = install.install(wanted, before, requirements.NONE, runner, {})
        venv_state.check_settings(wanted, state)
    except BaseException:
        venv_backup.restore(wanted.path, backup)
        raise
    directories.finish(state.directory)
    if state == before and not had_backup:
        directories.discard(backup)
        return state, ""
    return state, backup


def _refuse_mount(wanted: VenvSpec) -> None:
    if os.path.ismount(wanted.path):
        raise InvalidValue("gunicorn_venv", wanted.path, "a path that is no mount point: it must be exchanged")


def _activate(wanted: VenvSpec, state: VenvState, backup: str, unused: Callable[[list[str]], list[str]]) -> None:
    """Make the path lead to the venv. What it led to before stays until the next time, and longer if it is used."""
    if os.path.realpath(wanted.path) != state.directory:
        previous = links.switch_link(wanted.path, state.directory)
        left = [leftover for leftover in directories.leftovers(wanted.path) if leftover != previous]
    else:
        left = [backup] if backup else []
    for leftover in unused(left):
        directories.discard(leftover)
