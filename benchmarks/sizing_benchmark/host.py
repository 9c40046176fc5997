# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The measured host: deployment by Ansible, and the agent that runs there, over SSH."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import testhost

FOLDER = Path(__file__).resolve().parent
AGENT = "/usr/local/lib/sizing/agent.py"
ENVIRONMENT = {**os.environ, "ANSIBLE_PIPELINING": "true", "ANSIBLE_FORCE_COLOR": "false"}

run = functools.partial(testhost.command, environment=ENVIRONMENT)


def boot(inventory: Path, host: str) -> None:
    """Boot a test host unless it is running."""
    run(str(testhost.PROGRAM), "up", "--inventory", str(inventory), f"{host}=bookworm")


def deploy(inventory: Path) -> None:
    """Deploy the benchmark's project with the role."""
    run("ansible-playbook", "--inventory", str(inventory), str(FOLDER / "deploy.yml"))


def call_module(inventory: Path, module: str, arguments: dict) -> dict:
    """Call a module of this collection on the host, as root, and return its result."""
    output = run(
        "ansible",
        "--inventory",
        str(inventory),
        "--become",
        "all",
        "--module-name",
        f"pyweb.gunicorn.{module}",
        # "{}" would be taken for free text.
        *(["--args", json.dumps(arguments)] if arguments else []),
    )
    # HOST | SUCCESS => {...}
    result: dict = json.loads(output.partition("=> ")[2])
    return result


class Agent:
    """A connection to the program that measures on the host."""

    def __init__(self, inventory: Path, host: str) -> None:
        command = [*testhost.ssh_command(testhost.read_inventory(inventory)[host]), f"sudo -n python3 -u {AGENT}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command: str, **options: object) -> dict:
        """Give the agent a command, and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps({"command": command, **options}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise testhost.HostError(f"the agent ended at the command {command}")
        answer: dict = json.loads(line)
        return answer

    def close(self) -> None:
        """Let the agent end, and its services with it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            print("sizing: the agent did not end", file=sys.stderr)
