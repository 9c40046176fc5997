# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual environment with Gunicorn in it: what it has, what it lacks, and how pip brings it there."""

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import backup as venv_backup
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import install
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState


def ensure(wanted: VenvSpec, runner: Runner, check_mode: bool) -> dict:
    """Bring the venv to what is wanted; returns what the module returns."""
    interrupted = directories.is_interrupted(wanted.path)
    if not check_mode:
        venv_backup.recover(wanted.path)
    # What a killed pip has left can't be asked before it is put right.
    unknown = interrupted and check_mode
    before = None if unknown else venv_state.read(wanted, runner)
    rebuild = wanted.rebuild and not unknown and venv_state.is_outlived(wanted, before, runner)
    if rebuild and not wanted.requirements:
        expected = f"what {wanted.path} is to be built from anew, as gunicorn_venv_rebuild says"
        raise InvalidValue("gunicorn_requirements", wanted.requirements, expected)
    todo = (
        rebuild or before is None or venv_state.needs_install(wanted, before) or directories.is_interrupted(wanted.path)
    )
    state, backup = before, venv_backup.backup_of(wanted.path)
    if not todo:
        venv_state.check_settings(wanted, state)
    elif not check_mode:
        state, backup = _change(wanted, None if rebuild else before, runner)
    changed = interrupted or (
        todo and (check_mode or state != before or not venv_state.is_only_upgrade(wanted, before))
    )
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


def _change(wanted: VenvSpec, before: VenvState | None, runner: Runner) -> tuple[VenvState, str]:
    """Build, make or change the venv; returns what it has then, and the path of its backup."""
    if wanted.requirements:
        return _build(wanted, before, runner), ""
    if before is None:
        return _make_in_place(wanted, runner), ""
    return _change_in_place(wanted, before, runner)


def _build(wanted: VenvSpec, before: VenvState | None, runner: Runner) -> VenvState:
    """Build a new venv beside the old one, which stays as it is and where it is."""
    _refuse_mount(wanted)
    # An existing venv keeps its Python, and what it has where that satisfies what is wanted.
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
        if (
            before
            and venv_state.is_only_upgrade(wanted, before)
            and state._replace(directory=before.directory) == before
        ):
            directories.discard(directory)
            return before
        directories.finish(directory)
    except BaseException:  # also the exit of a module that fails
        directories.discard(directory)
        raise
    return state


def _make_in_place(wanted: VenvSpec, runner: Runner) -> VenvState:
    """Make the first venv where it shall be: without requirements, what comes into it later is the user's own."""
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
    """Let pip change the user's own venv, with a way back."""
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


def _activate(wanted: VenvSpec, state: VenvState, backup: str) -> None:
    """Let the path lead to the venv. What it led to before stays, once, for processes that still run from there."""
    if os.path.realpath(wanted.path) != state.directory:
        previous = links.switch_link(wanted.path, state.directory)
        for leftover in directories.leftovers(wanted.path):
            if leftover != previous:
                directories.discard(leftover)
    elif backup:
        directories.discard(backup)


def _refuse_mount(wanted: VenvSpec) -> None:
    if os.path.ismount(wanted.path):
        raise InvalidValue("gunicorn_venv", wanted.path, "a path that is no mount point: it has to be exchanged")
