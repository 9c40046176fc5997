"""What systemd and the kernel say about a service on a test host; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import re


def shown(host, unit: str, name: str) -> str:
    """Return a property of a unit, as systemctl shows it."""
    return host.check_output("systemctl show --property=%s --value %s", name, unit)


def main_pid(host, unit: str) -> int:
    """Return the process id of a service's main process, such as Gunicorn's master; 0 if there is none."""
    return int(shown(host, unit, "MainPID"))


def workers(host, unit: str) -> set[int]:
    """Return the process ids of a service's workers, which are the children of its main process."""
    return children(host, main_pid(host, unit))


def children(host, pid: int) -> set[int]:
    """Return the process ids of a process's children."""
    # Not testinfra's, which can't read the names that setproctitle gives: they have spaces.
    return set(map(int, host.run("pgrep --parent %s", str(pid)).stdout.split()))


def exposure(host, unit: str) -> float:
    """Return systemd's own rating of a unit's sandbox, from 0 to 10, the worst."""
    rating = host.check_output("systemd-analyze security --no-pager %s | tail -n 1", unit)
    return float(re.search(r"exposure level.*?: ([0-9.]+)", rating).group(1))
