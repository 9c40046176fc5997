"""For tests that call ansible-playbook themselves; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

# scripts/test names a directory for all scenarios. Else the runs of one pytest share one.
_modules = tempfile.TemporaryDirectory(prefix="modules-")
os.environ.setdefault("SHARED_MODULES", _modules.name)

# Makes ansible-playbook write a line of JSON for each result.
JSON_LINES = {
    "ANSIBLE_STDOUT_CALLBACK": "json_lines",
    "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
    "ANSIBLE_CALLBACKS_ENABLED": "shared_modules",
}


class PlaybookRun:
    """One run of ansible-playbook, and what its JSON output says about it."""

    def __init__(
        self,
        playbook: Path,
        *arguments: str,
        variables: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        given = ["--extra-vars", json.dumps(variables)] if variables else []
        process = subprocess.run(
            ["ansible-playbook", *arguments, *given, str(playbook)],
            env={**os.environ, **JSON_LINES, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = process.stdout + process.stderr
        self.code = process.returncode
        self.results = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]

    def changed(self) -> list[str]:
        """Return the names of the tasks that changed something."""
        return [result["task"] for result in self.results if result["changed"]]

    def warnings(self) -> list[str]:
        """Return the warnings of the modules."""
        return [warning for result in self.results for warning in result["warnings"]]

    def errors_by_host(self) -> dict[str, list[str]]:
        """Return the errors of each host that failed, in their order."""
        found: dict[str, list[str]] = {}
        for result in self.results:
            if result["failed"]:
                found.setdefault(result["host"], []).append(result["message"])
        return found

    def errors(self) -> list[str]:
        """Return all errors, in their order."""
        return [result["message"] for result in self.results if result["failed"]]

    def error(self) -> str:
        """Return the one error of a run that failed; a test fails if there is none, or a second one."""
        assert self.code == 2, self.output
        (message,) = self.errors()
        return message

    def on_host(self) -> list[str]:
        """Return the names of the tasks that ran a module on the host."""
        return [result["task"] for result in self.results if result["on_host"]]
