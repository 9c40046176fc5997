# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmarks share: their test hosts, from the inventory of tests/hosts/testhosts.py, and commands."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "tests/hosts/testhosts.py"


class HostError(Exception):
    """A message for the person who called the program."""


def attempt(
    *argv: str, environment: Mapping[str, str], text: str = "", timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, and return its result whether it succeeded or not."""
    return subprocess.run(
        argv, input=text, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )


def command(*argv: str, environment: Mapping[str, str], text: str = "", timeout: float | None = None) -> str:
    """Run a command that must succeed, and return its output; raises HostError."""
    done = attempt(*argv, environment=environment, text=text, timeout=timeout)
    if done.returncode:
        raise HostError(f"{' '.join(argv[:3])} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def read_inventory(path: Path) -> dict[str, dict]:
    """Return the variables of each host of an inventory."""
    hosts: dict[str, dict] = json.loads(path.read_text(encoding="utf-8"))["all"]["hosts"]
    return hosts


def ssh_command(variables: dict) -> tuple[str, ...]:
    """Return the ssh command that runs on a host whatever follows it."""
    options = [*shlex.split(variables["ansible_ssh_common_args"]), "-i", variables["ansible_ssh_private_key_file"]]
    target = f"{variables['ansible_user']}@{variables['ansible_host']}"
    return ("ssh", *options, "-p", str(variables["ansible_port"]), target)
