# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do the steps of one phase of a release, each once, and note what was done."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import Any, Callable, Mapping, NamedTuple, Union

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.trees import UnfitTree
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes, steps, writes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.steps import BUILD, Step
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.writes import Owners
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import failures, launcher, unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.lock import locked
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import parameters, programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import unit as step_unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.parameters import Wanted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.supervisor import SupervisorSteps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.systemd import SystemdSteps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

Manager = Union[SystemdSteps, SupervisorSteps]


class Todo(NamedTuple):
    """What there is to do for a release."""

    run: list[Step]
    # Another host has done these, for all.
    note: list[Step]


def carry_out(given: Mapping[str, Any], runner: Runner, tell: Callable[[str], None]) -> dict[str, Any]:
    """Do the steps that are left, and return the module's result; raises DeployError and InvalidValue."""
    wanted = parameters.wanted_from(given)
    with locked(wanted.name, wanted.venv):
        note = _find(wanted)
        todo = compare(wanted, note.steps)
        left_out = LeftOut(**given["left_out"])
        if todo.run and note.candidate != wanted.venv_directory:
            # If a step fails, the next run need not build it again.
            note = note._replace(candidate=wanted.venv_directory)
            notes.write(wanted.directory, note)
        if todo.run or todo.note:
            job = Job(wanted, given, note, runner, tell)
            with job.secrets():
                job.do(todo)
            left_out = job.manager.left_out
        if wanted.rolling_back:
            notes.went_back(wanted.directory)
        return result(todo, left_out)


def plan(given: Mapping[str, Any]) -> dict[str, Any]:
    """The module's result in check mode."""
    wanted = parameters.wanted_from(given)
    note = notes.find(wanted.directory, wanted.release)
    return result(compare(wanted, note.steps if note else {}), LeftOut(**given["left_out"]))


def result(todo: Todo, left_out: LeftOut) -> dict[str, Any]:
    """What a playbook gets to know."""
    return {
        "changed": bool(todo.run or todo.note),
        "done": [step.name for step in todo.run],
        "noted": [step.name for step in todo.note],
        "left_out": left_out._asdict(),
    }


def compare(wanted: Wanted, done: Mapping[str, Mapping[str, Any]]) -> Todo:
    """What there is to do, by what was done before."""
    if wanted.rolling_back:
        left = [step for step in wanted.steps if step.on_roll_back]
    else:
        left = steps.pending(wanted.steps, done, wanted.switching)
    left = [step for step in left if step.when == wanted.phase]
    once = [] if wanted.once == parameters.DO else [step for step in left if step.once]
    return Todo([step for step in left if step not in once], once if wanted.once == parameters.NOTE else [])


class Job:
    """The steps of one phase of one release."""

    def __init__(
        self, wanted: Wanted, given: Mapping[str, Any], note: Note, runner: Runner, tell: Callable[[str], None]
    ) -> None:
        self._wanted = wanted
        self._given = given
        self._note = note
        self._owners = Owners(_user_id(given["user"]), accounts.group_id(given["group"]), os.geteuid())
        self._secret_files, self._secrets_hash = service_secrets.secret_files(
            given["secrets"], given["credentials"], given["config_directory"]
        )
        self._folder = launcher.folder_of_step(wanted.name)
        # A way back puts back no secrets: those of the live service are there.
        folder = given["config_directory"] if wanted.rolling_back else self._folder
        base = step_unit.base(given["unit"], given["config_directory"], folder)
        self._has_path = "PATH" in given["environment"] or step_unit.has_path(base)
        self.manager: Manager
        if given["manager"] == "systemd":
            left_out = LeftOut(**given["left_out"])
            self.manager = SystemdSteps(wanted.name, base, given["optional_directives"], left_out, runner, tell)
        else:
            self.manager = SupervisorSteps(wanted.name, given, folder)

    @contextlib.contextmanager
    def secrets(self) -> Any:
        """Have the secrets where the steps read them, and remove them in any case, also those of a killed run."""
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            os.mkdir(self._folder, 0o700)
            for file in self._secret_files if not self._wanted.rolling_back else ():
                path = os.path.join(self._folder, os.path.relpath(file.path, self._given["config_directory"]))
                files.put(WantedFile(path, file.content, 0o600, os.getegid(), os.geteuid()))
            yield
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def do(self, todo: Todo) -> None:
        """Do the steps in their order; raises DeployError for the first that fails."""
        resumed = self.manager.resume()
        for step in [*todo.run, *todo.note]:
            if step in todo.run:
                self._run(step, ended=resumed == self._note_of(step))
                resumed = {}
            self._note_done(step)
        self._clear()

    def _run(self, step: Step, ended: bool) -> None:
        """Do a step; one that has `ended` well has only not been noted."""
        try:
            if not ended:
                self._clear()
                self._note_begun(step)
                self._start(step)
            self._finish(step)
        except (StepFailed, UnfitTree, OSError, failures.Failed) as failure:
            with contextlib.suppress(OSError):
                self._clear()
            raise self._error(step, failure) from None

    def _start(self, step: Step) -> None:
        self._check_writes(step)
        command = programs.located(step.command, self._note.path, self._wanted.venv_directory)
        path = {} if self._has_path else {"PATH": unit_base.search_path(self._wanted.venv_directory)}
        environment = {**path, **step.environment, steps.NAME_IN_ENVIRONMENT: step.name}
        places = list(step.writes)
        if step.when == BUILD:
            places = writes.hand_over(self._note.path, step.writes, self._owners)
        self.manager.run(Execution(self._note_of(step), command, self._note.path, environment, places, step.timeout))

    def _finish(self, step: Step) -> None:
        """End what a step has left, and take over what it has written."""
        if step.when == BUILD:
            self.manager.end()
            if step.writes:
                writes.take_over(self._note.path, self._owners)

    def _clear(self) -> None:
        """Leave nothing of the last step, nor of one of a run that was killed."""
        self.manager.end()
        writes.put_back(self._note.path)

    def _check_writes(self, step: Step) -> None:
        missing = [path for path in step.writes if step.when != BUILD and not os.path.isdir(path)]
        if missing:
            raise StepFailed(f"it writes {missing[0]}, which is no directory: make it for the user before")

    def _note_of(self, step: Step) -> dict[str, str]:
        """What tells the next run which step this is."""
        return {"release": self._wanted.release, "name": step.name, "hash": step.hash}

    def _note_begun(self, step: Step) -> None:
        """A step that was done before, and is done again, counts as done only if it succeeds again."""
        note = _find(self._wanted)
        if step.name in note.steps and not self._wanted.rolling_back:
            left = {name: done for name, done in note.steps.items() if name != step.name}
            notes.write(self._wanted.directory, note._replace(steps=left))

    def _note_done(self, step: Step) -> None:
        if self._wanted.rolling_back:
            return
        done = {"hash": step.hash, "at": time.time(), "reversible": step.reversible}
        note = _find(self._wanted)
        told = {**note.steps, step.name: done}
        built = not any(left.when == BUILD for left in steps.pending(self._wanted.steps, told))
        definitions = [each.as_dict() for each in self._wanted.steps]
        if built and not note.built:
            directories.sync(note.path)
        notes.write(self._wanted.directory, note._replace(steps=told, definitions=definitions, built=built))

    def _error(self, step: Step, failure: Exception) -> DeployError:
        # Guesses of short secrets could be tried with the hash.
        secrets = [*service_secrets.secret_values(self._secret_files), self._secrets_hash]
        said = getattr(failure, "said", "")
        if isinstance(failure, OSError):
            failure = StepFailed(f"{failure.filename or 'a file'}: {failure.strerror}")
        own = failures.own_error({step.name: said})
        reason = failures.fit(f"{failure}{': ' if own else ''}{own}", secrets)
        text = f"{self._wanted.name}: the step {step.name} of the release {self._wanted.release} failed: {reason}"
        text += f". {_WHAT_IS_LEFT[self._wanted.phase]}."
        if said.strip():
            text += f"\nThe end of what it printed:\n{failures.fit(failures.excerpt(said), secrets)}"
        return DeployError(text)


_WHAT_IS_LEFT = {
    "build": "The live service is as it was, and this release does not go live before the step succeeds",
    "migrate": "The live service, its code and its virtual environment are as they were",
    "after": "The release is live; the next run does the step again",
}


def _find(wanted: Wanted) -> Note:
    note = notes.find(wanted.directory, wanted.release)
    if note is None:
        raise DeployError(
            f"{wanted.name}: there is no release {wanted.release} in {wanted.directory}. Nothing was changed."
        )
    return note


def _user_id(user: str) -> int:
    account = accounts.read_account(user)
    if account is None:
        raise DeployError(f"there is no user {user}. Nothing was changed.")
    return account.uid
