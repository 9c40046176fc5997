#!/usr/bin/env python3
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs on the measured host: prints what modules cost there, in milliseconds of CPU, as JSON.

    agent.py explode FOLDER                  unpacks the modules in a folder, which Ansible sent before
    agent.py measure ROUNDS CASES FOLDER...  measures each case with the modules of each folder in turn

Needs root, Python 3.11, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MODULES = ("gunicorn_service_info", "gunicorn_plan_info")
PARTS = ("python", "ansible", "collection", "reading", "commands", "all")
# How the other services of the host are named, by their templates
TEMPLATES = {"services": "other", "gunicorns": "gunicorn"}


def spent(who: int) -> float:
    """Return the milliseconds of CPU that this process has used, or its children."""
    usage = resource.getrusage(who)
    return 1000 * (usage.ru_utime + usage.ru_stime)


def explode(folder: Path) -> None:
    """Unpack each module that Ansible sent, as its own debugging does it."""
    for module in MODULES:
        (folder / module).mkdir(parents=True)
        sent = (folder / f"AnsiballZ_{module}.py").rename(folder / module / "sent.py")
        subprocess.run([sys.executable, str(sent), "explode"], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def crowd(kind: str, number: int) -> Iterator[None]:
    """Have other processes or services on the host for a while."""
    if kind == "processes":
        others: list[subprocess.Popen] = []
        # What is left of a crowd must not hold the connection open.
        away = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        try:
            for _each in range(number):
                others.append(subprocess.Popen(["sleep", "3600"], **away))
            yield
        finally:
            for other in others:
                other.kill()
                other.wait()
        return
    template = TEMPLATES[kind]
    names = [f"{template}@{each}.service" for each in range(1, number + 1)]
    try:
        subprocess.run(["systemctl", "start", *names], check=True)
        time.sleep(2)  # until their workers are there, too
        yield
    finally:
        subprocess.run(["systemctl", "stop", f"{template}@*.service"], check=True)


def parts_of(folder: Path, module: str) -> dict[str, float]:
    """Return what each part of a run of a module costs, and all of it, as Ansible runs it."""
    before = spent(resource.RUSAGE_CHILDREN)
    sent = [sys.executable, str(folder / module / "sent.py")]
    subprocess.run(sent, check=True, stdout=subprocess.DEVNULL)
    whole = spent(resource.RUSAGE_CHILDREN) - before
    # Without files of compiled code, as in the archive that Ansible sends
    apart = [sys.executable, "-B", __file__, "run", str(folder / module / "debug_dir"), module]
    done = subprocess.run(apart, check=True, stdout=subprocess.PIPE, text=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "all": whole}


def run(folder: str, module: str) -> None:
    """Run an unpacked module in this process, and print what each part took."""
    moments = [spent(resource.RUSAGE_SELF)]
    sys.path.insert(0, folder)
    from ansible.module_utils import basic
    from ansible.module_utils.common import json as _json  # noqa: F401 - all modules need it

    moments.append(spent(resource.RUSAGE_SELF))
    basic._ANSIBLE_ARGS = Path(folder, "args").read_bytes()
    basic._ANSIBLE_PROFILE = "legacy"
    name = f"ansible_collections.pyweb.gunicorn.plugins.modules.{module}"
    main = __import__(name, fromlist=["main"]).main
    moments.append(spent(resource.RUSAGE_SELF))
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.suppress(SystemExit):
        main()
    moments.append(spent(resource.RUSAGE_SELF))
    parts = [moments[0], *(late - early for early, late in zip(moments, moments[1:]))]
    print(json.dumps(dict(zip(PARTS, [*parts, spent(resource.RUSAGE_CHILDREN)]))))


def measure(rounds: int, cases: list[tuple[str, str, int]], folders: list[Path]) -> list[dict]:
    """Return the medians of each case, for each folder."""
    results = []
    for module, kind, number in cases:
        with crowd(kind, number):
            found = [[parts_of(folder, module) for folder in folders] for _round in range(rounds)]
        for folder, each in zip(folders, zip(*found)):
            medians = {part: statistics.median(one[part] for one in each) for part in PARTS}
            case = {"module": module, "kind": kind, "number": number, "version": folder.name}
            results.append({**case, **medians})
    return results


def main() -> None:
    """Do what the command line says."""
    command, *rest = sys.argv[1:]
    if command == "explode":
        explode(Path(rest[0]))
    elif command == "run":
        run(*rest)
    else:
        print(json.dumps(measure(int(rest[0]), json.loads(rest[1]), [Path(each) for each in rest[2:]])))


if __name__ == "__main__":
    main()
