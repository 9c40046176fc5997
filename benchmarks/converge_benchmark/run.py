# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs: the floor, the shell script and the role, one after the other on the same hosts."""

from __future__ import annotations

import functools
import json
import os
import re
import resource
import sys
import time
import typing as t
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from converge_benchmark import fleet
from converge_benchmark.fleet import Host

# The files that the role writes, by their names in deploy.sh
FILES = {
    "gunicorn.conf.py": "/etc/opt/shop/gunicorn.conf.py",
    "gunicorn-shop": "/etc/logrotate.d/gunicorn-shop",
    "shop.socket": "/etc/systemd/system/shop.socket",
    "shop.service": "/etc/systemd/system/shop.service",
}
WORKERS = 2
OTHER_WORKERS = 3
_END = "__END_OF_FILE__"


class Run(t.NamedTuple):
    """What one run cost."""

    case: str
    way: str
    hosts: int
    seconds: float
    controller_cpu: float  # seconds
    host_cpu: float  # seconds, all hosts
    tasks: int  # that ran, all hosts
    bytes: int  # all hosts, both directions


def say(text: str) -> None:
    """Report progress."""
    print(f"converge: {text}", file=sys.stderr, flush=True)


def measure(every: list[Host], numbers: list[int], rounds: int, forks: int) -> dict:
    """Measure all cases on each number of hosts, so many times."""
    largest = fleet.inventory(len(every))
    for number in {1, *numbers}:
        fleet.write_inventory(every[:number], largest)
    files = made_by_the_role(every[0])
    runs = []
    for number in numbers:
        hosts = every[:number]
        for index in range(rounds):
            say(f"{number} hosts, round {index + 1} of {rounds}")
            runs += one_round(hosts, files, forks)
    return {"forks": forks, "cores": os.cpu_count(), "runs": [one._asdict() for one in runs]}


def made_by_the_role(host: Host) -> dict[str, str]:
    """Deploy with the role once, and return the files that it wrote."""
    fleet.reset([host])
    play([host], "site.yml", 1, gunicorn_workers=WORKERS)
    return {name: fleet.fetch(host, path) for name, path in FILES.items()}


def one_round(hosts: Sequence[Host], files: dict[str, str], forks: int) -> list[Run]:
    """Measure each case in each way, once."""
    cases = (("first", WORKERS), ("nothing", WORKERS), ("workers", OTHER_WORKERS))
    ways: dict[str, Callable[[int], int]] = {
        "script": lambda workers: deploy_by_script(hosts, files, forks, workers),
        "role": lambda workers: play(hosts, "site.yml", forks, gunicorn_workers=workers),
    }
    runs = []
    for way, act in ways.items():
        fleet.reset(hosts)
        for case, workers in cases:
            runs.append(timed(case, way, hosts, functools.partial(act, workers)))
    for way, playbook in (("floor", "floor.yml"), ("module", "plan.yml")):
        runs.append(timed("nothing", way, hosts, functools.partial(play, hosts, playbook, forks)))
    fleet.reset(hosts)
    with_uv = {"gunicorn_workers": WORKERS, "gunicorn_installer": "uv"}
    runs.append(timed("uv", "role", hosts, functools.partial(play, hosts, "site.yml", forks, **with_uv)))
    return runs


def timed(case: str, way: str, hosts: Sequence[Host], act: Callable[[], int]) -> Run:
    """Measure one run, which makes its connections itself."""
    fleet.disconnect(hosts)
    before = fleet.usage(hosts)
    cpu, began = children(), time.perf_counter()
    tasks = act()
    seconds, cpu = time.perf_counter() - began, children() - cpu
    after = fleet.usage(hosts)
    say(f"  {case:8} {way:7} {seconds:6.2f} s")
    return Run(case, way, len(hosts), seconds, cpu, after.cpu - before.cpu, tasks, after.network - before.network)


def children() -> float:
    """Return the CPU seconds of this process's children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def play(hosts: Sequence[Host], playbook: str, forks: int, **variables: object) -> int:
    """Run a playbook with these variables, and return how many tasks ran on all hosts."""
    output = fleet.command(
        "ansible-playbook",
        f"--inventory={fleet.inventory(len(hosts))}",
        f"--forks={forks}",
        f"--extra-vars={json.dumps(variables)}",
        str(fleet.FOLDER / playbook),
    )
    return sum(int(count) for count in re.findall(r"\bok=(\d+)", output))


def deploy_by_script(hosts: Sequence[Host], files: dict[str, str], forks: int, workers: int) -> int:
    """Send the script to all hosts, as many at a time as Ansible has forks."""
    text = script(files, workers)
    with ThreadPoolExecutor(max_workers=forks) as pool:
        list(pool.map(lambda host: fleet.command(*host.ssh, "sudo sh -s", text=text), hosts))
    return len(hosts)


def script(files: dict[str, str], workers: int) -> str:
    """Return the script, with the files that it writes."""
    parts = [f"workers={workers}\n", "write_files() {\n"]
    for name, text in files.items():
        changed = re.sub(r"--workers=\d+", f"--workers={workers}", text)
        parts.append(f"cat >\"$1/{name}\" <<'{_END}'\n{changed}{_END}\n")
    parts.append("}\n")
    return "".join([*parts, (fleet.FOLDER / "deploy.sh").read_text(encoding="utf-8")])
