"""Runs that are ended early; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from playbook_run import JSON_LINES


class CutOff:
    """A run of ansible-playbook that a test ends early."""

    def __init__(self, playbook: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            ["ansible-playbook", *arguments, str(playbook)],
            env={**os.environ, **JSON_LINES},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # The hosts on which a task has failed, once the run has ended by itself
        self.failed: set[str] = set()

    def wait_for_results(self, task: str, hosts: Iterable[str]) -> None:
        """Wait until each host has a result of the task; fail if the run ends before."""
        waiting = set(hosts)
        for line in self._process.stdout:
            result = json.loads(line) if line.startswith("{") else {}
            if result.get("task") == task:
                assert not result["failed"], result
                waiting.discard(result["host"])
            if not waiting:
                return
        raise AssertionError(f"the run ended before {task}")

    def is_running(self) -> bool:
        """Return whether the run goes on."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the run and the processes that it started on this machine."""
        # Each of Ansible's workers has a session of its own, and would wait forever for the process that started it.
        for group in (self._process.pid, *self._children()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self._process.communicate()

    def _children(self) -> list[int]:
        lists = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return [int(child) for path in lists for child in path.read_text(encoding="ascii").split()]

    def wait(self) -> int:
        """Wait until the run ends by itself, and return its exit code."""
        output, _none = self._process.communicate()
        results = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        self.failed = {result["host"] for result in results if result["failed"]}
        return self._process.returncode
