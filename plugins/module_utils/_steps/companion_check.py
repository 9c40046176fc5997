# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of a companion: a command that runs as a step does, and succeeds if the companion works."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from typing import Callable, Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, launcher, unit_base
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.supervisor import SupervisorSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import unit as step_unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.supervisor import SupervisorSteps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.systemd import SystemdSteps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

_PAUSE = 0.2  # seconds between two attempts


def persist(checked: Companion, attempt: Callable[[int], None]) -> None:
    """Try a check until it succeeds; raises the StepFailed of the last attempt that said something.

    `attempt` is called with the seconds that are left for it.
    """
    deadline = time.monotonic() + checked.check_timeout
    last = None
    while True:
        try:
            attempt(max(1, int(deadline - time.monotonic())))
            return
        except StepFailed as failure:
            # The last one may have had no time to say anything.
            last = failure if failure.said.strip() or last is None else last
            if time.monotonic() + _PAUSE > deadline:
                raise last from None
        time.sleep(_PAUSE)


def run(wanted: SystemdSpec, checked: Companion, instance: str, timeout: int, runner: Runner) -> None:
    """Run the check of a companion's process under systemd once; raises StepFailed."""
    configuration = os.path.dirname(wanted.configuration.path)
    base = step_unit.base(wanted.unit.content or "", configuration, configuration)
    with private_folder(wanted.name):
        steps = SystemdSteps(wanted.name, base, (), LeftOut(), runner, lambda _text: None)
        try:
            steps.run(execution(wanted, checked, instance, timeout, step_unit.has_path(base)))
        finally:
            steps.end()


def run_supervised(wanted: SupervisorSpec, checked: Companion, instance: str, timeout: int) -> None:
    """Run the check of a companion's process under supervisor once; raises StepFailed."""
    with private_folder(wanted.name):
        steps = SupervisorSteps(wanted.name, wanted.asked, os.path.dirname(wanted.description.path))
        # That of a killed run may go on.
        steps.resume()
        try:
            steps.run(execution(wanted, checked, instance, timeout, "PATH" in wanted.asked["environment"]))
        finally:
            steps.end()


def execution(wanted: ServiceSpec, checked: Companion, instance: str, timeout: int, has_path: bool) -> Execution:
    """The check as a manager is asked for it; `has_path` says that the service's environment has a PATH."""
    command = companion.filled_in(checked.check, instance, socket.gethostname())
    path = {} if has_path else {"PATH": unit_base.search_path(wanted.venv_directory)}
    environment = {**path, **companion.environment_of(checked, instance)}
    located = programs.located(command, wanted.code, wanted.venv_directory)
    return Execution({}, located, wanted.code, environment, [], timeout)


@contextlib.contextmanager
def private_folder(service: str) -> Iterator[None]:
    """Have the folder, of root's alone, in which the output of a check is read."""
    folder = launcher.folder_of_step(service)
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
