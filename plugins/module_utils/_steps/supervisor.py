# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a step under supervisor: by the launcher of the service, as its user and without privileges."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from typing import Any, Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories, kernel_files, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.directories import UnsafeDirectory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import Execution, StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.output import Output
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.sandbox import LeftOut

_SET_CHILD_SUBREAPER = 36  # see prctl(2)
# Seconds in which processes end after SIGTERM, and after SIGKILL
_STOP_TIMEOUT, _KILL_TIMEOUT = 10.0, 10.0


class SupervisorSteps:
    """Runs steps of one service, one after the other."""

    def __init__(self, name: str, given: Mapping, folder: str) -> None:
        """`folder` has the secrets and credentials; `given` are the module's arguments."""
        self.left_out = LeftOut()
        self._service = name
        self._name = launcher.step(name)
        self._given = given
        self._folder = folder
        self._launcher = os.path.join(launcher.folder_of_step(name), launcher.LAUNCHER)

    def resume(self) -> dict[str, str]:
        """End the step of a run that was killed. Nobody has seen how it ended, so that nothing is returned."""
        deadline = time.monotonic() + _KILL_TIMEOUT
        while os.path.exists(launcher.group_note(self._name)) and (left := self._processes()):
            if time.monotonic() > deadline:
                raise Failed(f"the processes of an earlier step can't be ended, such as {min(left)}")
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        return {}

    def _processes(self) -> list[int]:
        """What was started as a step of this service."""
        directory = launcher.runtime_directory(self._name)
        started = (pid for pid in processes.read_ids() if pid != os.getpid())
        return [pid for pid in started if processes.read_environment(pid).get("RUNTIME_DIRECTORY") == directory]

    def run(self, step: Execution) -> None:
        """Run a step to its end; raises StepFailed."""
        told = {
            **self._given,
            "config_directory": self._folder,
            "directory": step.directory,
            "command": step.command,
            "secrets": os.path.exists(os.path.join(self._folder, "secrets.env")),
            "environment": {**self._given["environment"], **step.environment},
        }
        description = launcher.describe(self._name, told, [], self._credentials())
        files.put(WantedFile(self._launcher, self._given["launcher"], 0o600, os.getegid(), os.geteuid()))
        # What leaves its process group, as daemons do, becomes a child of this process, which ends it.
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # If this module is killed, nobody else ends the step.
        guard = ["timeout", f"--kill-after={_STOP_TIMEOUT:.0f}", str(step.timeout + 2 * int(_STOP_TIMEOUT))]
        program = [launcher.PYTHON, "-I", "-X", "utf8", self._launcher, "/dev/stdin", ""]
        output = Output(os.path.join(launcher.folder_of_step(self._service), "output"))
        pipes = {"stdin": subprocess.PIPE, "stdout": output.writer, "stderr": subprocess.STDOUT}
        process = subprocess.Popen([*guard, *program], **pipes, cwd="/", start_new_session=True)
        given: Any = process.stdin
        with contextlib.suppress(BrokenPipeError), given:
            given.write(json.dumps(description).encode())
        how = _how(process, step.timeout)
        try:
            _end_all(process, output.reader)
        finally:
            said = output.end()
        if how:
            raise StepFailed(how, said)

    def _credentials(self) -> list[str]:
        folder = os.path.join(self._folder, "credentials")
        # Candidates of a service have hidden names.
        return sorted(name for name in kernel_files.list_folder(folder) if not name.startswith("."))

    def end(self) -> None:
        """Leave nothing of a step."""
        for path in launcher.runtime_paths(self._name):
            with contextlib.suppress(OSError, UnsafeDirectory):
                directories.remove(path)


def _how(process: subprocess.Popen, timeout: int) -> str:
    """How a process ends that does not succeed, or an empty string."""
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"it did not end within {timeout} s"
    if status < 0 or status > 128:
        return f"it was ended by signal {abs(status) % 128}"
    return f"it ended with status {status}" if status else ""


def _end_all(process: subprocess.Popen, reader: int) -> None:
    """End a process with all its descendants: first they are asked to. `reader` reads what they print."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_TIMEOUT)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + _KILL_TIMEOUT
    # Each that ends leaves its own children to this process.
    while children := processes.children_of(os.getpid()) - {reader}:
        if time.monotonic() > deadline:
            raise StepFailed(f"its processes can't be ended, such as {min(children)}")
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, os.WNOHANG)
        time.sleep(0.02)
