# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test hosts that the benchmarks run on, as tests/hosts/testhosts.py puts them into an inventory."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "tests/hosts/testhosts.py"


def read_inventory(path: Path) -> dict[str, dict]:
    """Return the variables of each host of an inventory."""
    hosts: dict[str, dict] = json.loads(path.read_text(encoding="utf-8"))["all"]["hosts"]
    return hosts


def ssh_command(variables: dict) -> tuple[str, ...]:
    """Return the command that runs another one on a host, to be put behind it."""
    options = [*shlex.split(variables["ansible_ssh_common_args"]), "-i", variables["ansible_ssh_private_key_file"]]
    target = f"{variables['ansible_user']}@{variables['ansible_host']}"
    return ("ssh", *options, "-p", str(variables["ansible_port"]), target)
