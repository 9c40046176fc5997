#!/usr/bin/env python3
"""Say which processes of the project's companions there are, with their releases.

watch.py            prints it once, in JSON: by companion its processes, each each its id and release
watch.py OUTPUT     adds a line with the time to OUTPUT whenever that has changed, until SIGTERM

Children of a companion's processes don't count.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

PAUSE = 0.05


def read(pid: str, name: str) -> bytes:
    # Not by pathlib, which takes most of the time of a look, twenty times a second.
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def companion(pid: str) -> tuple[str, list] | None:
    """The companion of a process that systemd started, with the process's id and release."""
    # First of all, since few have it as their parent
    status = read(pid, "stat").rpartition(b")")[2].split()
    if status[1:2] != [b"1"]:
        return None
    environment = read(pid, "environ")
    name = re.search(rb"(?:^|\0)GUNICORN_COMPANION=([^\0]*)", environment)
    # systemd itself begins as the process that it starts; a zombie has no environment any more.
    # Nor is a check one of the companion's processes.
    if not name or b"\0inspect\0" in read(pid, "cmdline"):
        return None
    release = re.search(rb"/opt/letters/releases/([0-9a-f-]+)", environment)
    return name[1].decode(), [int(pid), release[1].decode() if release else ""]


def companions() -> dict[str, list]:
    """All processes of companions."""
    seen: dict[str, list] = {}
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            found = companion(pid)
            if found:
                seen.setdefault(found[0], []).append(found[1])
    return {name: sorted(processes) for name, processes in sorted(seen.items())}


def main() -> None:
    """Print it once, or watch and write what changes."""
    if len(sys.argv) == 1:
        print(json.dumps(companions()))
        return
    before = None
    with Path(sys.argv[1]).open("a") as output:
        while True:
            now = companions()
            if now != before:
                output.write(json.dumps([time.time(), now]) + "\n")
                output.flush()
                before = now
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
