"""What tests need that call ansible-playbook themselves; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

CALLBACKS = Path(__file__).parent / "callback_plugins"


class PlaybookRun:
    """One run of ansible-playbook, as its JSON output tells it."""

    def __init__(self, playbook: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        plugins = {"ANSIBLE_STDOUT_CALLBACK": "json_lines", "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS)}
        process = subprocess.run(
            ["ansible-playbook", *arguments, str(playbook)],
            env={**os.environ, **plugins, **(environment or {})},
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
        """Return what the modules warned of."""
        return [warning for result in self.results for warning in result["warnings"]]

    def on_host(self) -> list[str]:
        """Return the names of the tasks that ran a module on the host."""
        return [result["task"] for result in self.results if result["on_host"]]
