#!/usr/bin/env python3
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs on the measured host: prints what the kernel says about a service and about the machine, as JSON.

    probe.py memory apache2.service     the proportional memory (PSS) of all its processes, in bytes
    probe.py foreign                    the CPU time that others on the machine have used so far, in seconds

Needs root, Python 3.11, agent.py of the sizing benchmark and load.py beside it, and nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path("/")


def members(unit: str, root: Path = ROOT) -> list[int]:
    """Return the process ids of a unit, in cgroup v1 or v2."""
    found = []
    for file in (root / "proc").glob("[0-9]*/cgroup"):
        try:
            paths = [line.split(":", 2)[2] for line in file.read_text().splitlines()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile.
        if any(unit in path.split("/") for path in paths):
            found.append(int(file.parent.name))
    return sorted(found)


def main() -> None:
    """Print one value."""
    # Here, as only the host has it beside this file.
    import agent

    if sys.argv[1] == "memory":
        value: float = sum(agent.proportional_memory(pid) for pid in members(sys.argv[2]))
    else:
        value = agent.busy_seconds() - agent.own_seconds()
    print(json.dumps(value))


if __name__ == "__main__":
    main()
