# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run: in each round every server in turn, alone on the host, under load at rest and while it changes."""

from __future__ import annotations

import json
import re
import sys
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

import testhost

from servers_benchmark import host
from servers_benchmark.servers import PAGES, SERVERS, Server

CONCURRENCY = 32
# Requests a second during a change: they leave most of the CPU time to it.
RATE = 40
ASKED_AFTERWARDS = 10
TIMEOUT = 10
# Seconds after which the load ends by itself, should this program be killed
LOAD_LIMIT = 300
QUIET_SAMPLE = 2.0


class Options(t.NamedTuple):
    """How often, and how long in seconds: under load at rest, before a change, and after it."""

    rounds: int = 3
    warmup: float = 2.0
    seconds: float = 8.0
    lead: float = 2.0
    # Granian's reload takes 3.5 s for each worker, after the signal.
    settle: float = 12.0
    # The cores that others on the machine may take, how long each measurement waits for that, and how often one at rest
    # is tried
    foreign: float = 0.2
    patience: float = 30.0
    tries: int = 2


class Change(t.NamedTuple):
    """What a change cost: the requests from its beginning until the server had settled."""

    requests: int
    lost: int
    kinds: dict[str, int]
    longest: float | None  # seconds
    seconds: float  # until the command was done
    foreign: float  # cores that others on the machine took, before the change and after it


def say(text: str) -> None:
    """Report progress."""
    print(f"servers: {text}", file=sys.stderr, flush=True)


class Run:
    """Measures the servers on the prepared host, and keeps the results in a file."""

    def __init__(self, shell: host.Shell, servers: list[Server], options: Options, output: Path) -> None:
        self._shell, self._servers, self._options, self._output = shell, servers, options, output
        self._results: dict = {"facts": facts(shell), "options": options._asdict(), "rounds": []}
        self._results["options"].update(concurrency=CONCURRENCY, rate=RATE)

    def measure(self) -> dict:
        """Measure all rounds, and return the results."""
        for number in range(self._options.rounds):
            # Each is first, second and so on at times.
            turn = number % len(self._servers)
            for server in self._servers[turn:] + self._servers[:turn]:
                say(f"round {number + 1} of {self._options.rounds}: {server.title}")
                self._results["rounds"].append(self._one(server))
                self._output.write_text(json.dumps(self._results, indent=1) + "\n", encoding="utf-8")
        return self._results

    def _one(self, server: Server) -> dict:
        stop = "; ".join(f"systemctl stop {' '.join(one.units)}" for one in self._servers)
        self._shell.run(f"{stop}; ln -sfn {host.CODE}/good {host.CODE}/current")
        self._start(server)
        result: dict = {"server": server.name}
        for name, path in PAGES.items():
            result[name] = self._at_rest(server, path)
        result["memory"] = self._shell.probe("memory", server.service)
        result["restart"] = self._under_load(
            server, lambda: self._shell.succeeds(f"systemctl restart {server.service}")
        )
        result["reload"] = self._under_load(server, lambda: self._shell.succeeds(server.reload))
        result["broken"] = self._under_load(server, lambda: self._bring_broken(server))
        result["answers"] = self._answered(server)
        self._shell.succeeds(f"systemctl restart {server.service}")
        time.sleep(self._options.lead)
        result["answers_restarted"] = self._answered(server)
        say(f"  {json.dumps(result)}")
        return result

    def _start(self, server: Server) -> None:
        self._shell.run(f"systemctl reset-failed; systemctl start {' '.join(server.units)}")
        for _ in range(50):
            if self._answered(server) == 1:
                return
            time.sleep(0.2)
        raise testhost.HostError(f"{server.title} does not answer")

    def _at_rest(self, server: Server, path: str) -> dict:
        """Measure a page when others leave the machine alone, and return the least disturbed try."""
        tries: list[dict] = []
        while not tries or (tries[-1]["foreign"] > self._options.foreign and len(tries) < self._options.tries):
            self._wait_for_quiet()
            tries.append(self._once_at_rest(server, path))
        return min(tries, key=lambda one: one["foreign"])

    def _once_at_rest(self, server: Server, path: str) -> dict:
        options = self._options
        arguments = f"--concurrency {CONCURRENCY} --timeout {TIMEOUT} {target(server, path)}"
        self._shell.load(f"--seconds {options.warmup} {arguments}")
        results: dict = {}
        foreign = self._foreign(lambda: results.update(self._shell.load(f"--seconds {options.seconds} {arguments}")))
        return {**rest_of(results), "foreign": foreign}

    def _under_load(self, server: Server, act: Callable[[], bool]) -> dict:
        """Change a server under load. A play of the role takes time of the controller, which is not a disturbance."""
        options = self._options
        arguments = f"--rate {RATE} --seconds {LOAD_LIMIT} --timeout {TIMEOUT} {target(server, PAGES['page'])}"
        self._wait_for_quiet()
        process = self._shell.start_load(arguments)
        before = self._foreign(lambda: time.sleep(options.lead))
        self._shell.tell_load("phase change")
        began = time.monotonic()
        succeeded = act()
        seconds = time.monotonic() - began
        after = self._foreign(lambda: time.sleep(options.settle))
        results = self._shell.tell_load("stop")
        process.wait(TIMEOUT)
        return {**change_of(results, seconds, max(before, after))._asdict(), "succeeded": succeeded}

    def _wait_for_quiet(self) -> None:
        deadline = time.monotonic() + self._options.patience
        while time.monotonic() < deadline and self._foreign(lambda: time.sleep(QUIET_SAMPLE)) > self._options.foreign:
            pass

    def _foreign(self, act: Callable[[], object]) -> float:
        """Return how many cores others on the machine took meanwhile."""
        before, began = self._shell.probe("foreign"), time.monotonic()
        act()
        return round((self._shell.probe("foreign") - before) / (time.monotonic() - began), 3)

    def _bring_broken(self, server: Server) -> bool:
        if server.is_role:
            return host.deploy(server, "broken")
        code = host.CODE
        return self._shell.succeeds(
            f"ln -sfn {code}/broken {code}/new && mv -T {code}/new {code}/current && {server.reload}"
        )

    def _answered(self, server: Server) -> float:
        """Return the share of some requests that are answered."""
        arguments = f"--concurrency 1 --requests {ASKED_AFTERWARDS} --timeout {TIMEOUT}"
        return answered_of(self._shell.load(f"{arguments} {target(server, PAGES['page'])}"))


def target(server: Server, path: str) -> str:
    """Return what the load generator asks, in the shell's words."""
    return f"'{server.name}=127.0.0.1:{server.port},path={path}'"


def rest_of(results: dict) -> dict:
    """Return what a closed loop says of a server: answers a second, the 99th percentile in seconds, and losses."""
    (phase,) = results["phases"]
    answered = phase["requests"] - phase["failed"]
    latency = phase["latency"] or {}
    return {"rate": round(answered / phase["seconds"], 1), "p99": latency.get("p99"), "lost": phase["failed"]}


def change_of(results: dict, seconds: float, foreign: float) -> Change:
    """Return what a change cost, from the load's results of which the last phase began with it."""
    phase = results["phases"][-1]
    kinds = {kind: count for kind, count in phase["failures"].items() if count}
    longest = (phase["latency"] or {}).get("max")
    return Change(phase["requests"], phase["failed"], kinds, longest, round(seconds, 2), foreign)


def answered_of(results: dict) -> float:
    """Return the share of requests that were answered."""
    (phase,) = results["phases"]
    share: float = (phase["requests"] - phase["failed"]) / phase["requests"]
    return share


def facts(shell: host.Shell) -> dict:
    """Return versions, and how many processes and threads each server has."""
    return {
        "nproc": int(shell.run("nproc")),
        "versions": host.versions(),
        "python": shell.run(f"{host.VENV}/bin/python -c 'import platform; print(platform.python_version())'").strip(),
        "nginx": shell.run("nginx -v 2>&1").strip().rpartition("/")[2],
        "apache": shell.run("apache2 -v").split()[2].rpartition("/")[2],
        "sizes": {name: size_of(server, shell) for name, server in SERVERS.items()},
    }


def size_of(server: Server, shell: host.Shell) -> tuple[int, int]:
    """Return the processes and threads of a server."""
    if server.processes is None or server.threads is None:
        project = server.service.removesuffix(".service")
        return size_in(shell.run(f"systemctl cat {server.service}; cat /etc/opt/{project}/gunicorn.conf.py"))
    return server.processes, server.threads


def size_in(text: str) -> tuple[int, int]:
    """Return the workers in the command line of the role's unit, and the threads of each in gunicorn.conf.py."""
    workers = re.search(r"--workers=(\d+)", text)
    threads = re.search(r"^threads = (\d+)$", text, re.MULTILINE)
    if workers is None:
        raise testhost.HostError(f"the unit has no number of workers: {text[:500]}")
    return int(workers[1]), int(threads[1]) if threads else 1
