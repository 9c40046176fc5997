"""The part of scripts/service-info-cost that runs on the host, in a folder with Ansible and the collection."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import inspection
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

PROCESSES = 200
ROUNDS = 15


def run_command(command: list[str]) -> tuple[int, str, str]:
    """Run a command, and return its exit code, its output and its errors."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def spent() -> float:
    """Return the milliseconds of CPU that this process and its children have used."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1000 * sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Measure several rounds, and print their median."""
    there = sum(name.isdigit() for name in os.listdir("/proc"))
    fillers = [subprocess.Popen(["sleep", "600"]) for _number in range(max(0, PROCESSES - there))]
    try:
        costs = []
        for _round in range(ROUNDS):
            begin = spent()
            services = inspection.read_all(None, 0.1, Runner(run_command))["services"]
            costs.append(spent() - begin)
    finally:
        for filler in fillers:
            filler.kill()
    reported = sum(len(service["processes"]) for service in services)
    print(f"{there + len(fillers)} processes, {len(services)} services with {reported} processes of Gunicorn:")
    print(f"{statistics.median(costs):.0f} ms of CPU, the median of {ROUNDS} ({min(costs):.0f} to {max(costs):.0f})")


if __name__ == "__main__":
    main()
