# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test hosts of the benchmarks, from the inventory that tests/hosts/testhosts.py writes."""

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
    """Return the ssh command that runs on a host whatever follows it."""
    options = [*shlex.split(variables["ansible_ssh_common_args"]), "-i", variables["ansible_ssh_private_key_file"]]
    target = f"{variables['ansible_user']}@{variables['ansible_host']}"
    return ("ssh", *options, "-p", str(variables["ansible_port"]), target)
