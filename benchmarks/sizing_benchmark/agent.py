#!/usr/bin/env python3
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs on the measured host: starts services, puts them under load, and reads what the kernel says about them.

It takes commands from standard input, a JSON object in each line, and answers each with a line of JSON. Each service is
a transient unit of systemd with the role's own gunicorn.conf.py. When the agent ends, its services end.
Needs root, Python 3.11, load.py beside it, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import load

PREFIX = "sizing-"
PEER = "127.0.0.1:9000"
ROOT = Path("/")
TICKS = os.sysconf("SC_CLK_TCK")
START_TIMEOUT = 120.0
RELOAD_TIMEOUT = 60.0
REQUEST_TIMEOUT = 60.0
# Seconds until the workers have the requests that they must hold
BEFORE_RELOAD = 0.3
QUIET_SAMPLE = 0.5


class AgentError(Exception):
    """A message for the person who called the program."""


# Readings


def cgroup_directory(pid: int, controller: str, root: Path = ROOT) -> Path:
    """Return the directory in which a controller accounts for a process, in cgroup v1 or v2."""
    unified, mounts = None, root / "sys/fs/cgroup"
    for line in (root / f"proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return mounts / controllers / path.lstrip("/")
        if not controllers:
            unified = mounts / path.lstrip("/")
    if unified is None:
        raise AgentError(f"process {pid} has no cgroup with {controller}")
    return unified


def read_values(file: Path) -> dict[str, int]:
    """Return the numbers of a flat keyed file."""
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}


def cpu_seconds(directory: Path) -> float:
    """Return the CPU time of a cgroup; in v1, of its directory in cpuacct."""
    usage = directory / "cpuacct.usage"
    if usage.exists():
        return int(usage.read_text()) / 1e9
    return read_values(directory / "cpu.stat")["usage_usec"] / 1e6


def throttled_seconds(directory: Path) -> float:
    """Return how long a cgroup was stopped because it had used up its quota."""
    values = read_values(directory / "cpu.stat")
    return values["throttled_time"] / 1e9 if "throttled_time" in values else values.get("throttled_usec", 0) / 1e6


def oom_kills(directory: Path) -> int:
    """Return how many processes of a cgroup the kernel killed because of too little memory."""
    for name in ("memory.oom_control", "memory.events"):
        if (directory / name).exists():
            return read_values(directory / name)["oom_kill"]
    raise AgentError(f"{directory} does not count OOM kills")


def memory_peak(directory: Path) -> int:
    """Return the highest memory that a cgroup ever had, in bytes, with the page cache."""
    for name in ("memory.max_usage_in_bytes", "memory.peak"):
        if (directory / name).exists():
            return int((directory / name).read_text())
    raise AgentError(f"{directory} does not keep its peak")


def busy_seconds(root: Path = ROOT) -> float:
    """Return the CPU time of the whole machine."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, (root / "proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def own_seconds() -> float:
    """Return the CPU time of this host, which may be a container on the machine."""
    directory = cgroup_directory(1, "cpuacct")
    return cpu_seconds(directory.parent if directory.name == "init.scope" else directory)


def proportional_memory(pid: int, root: Path = ROOT) -> int:
    """Return the proportional memory (PSS) of a process, in bytes."""
    for line in (root / f"proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AgentError(f"no Pss of process {pid}")


def scheduled(pids: list[int], root: Path = ROOT) -> tuple[float, float]:
    """Return how long all threads of processes ran, and how long they could run but did not; both in seconds.

    Time in which a quota stopped them counts as the latter.
    """
    running = waiting = 0
    for pid in pids:
        for file in (root / f"proc/{pid}/task").glob("*/schedstat"):
            ran, waited, _ = map(int, file.read_text().split())
            running, waiting = running + ran, waiting + waited
    return running / 1e9, waiting / 1e9


# Services


class Service:
    """A setting of the sweep as a running service."""

    def __init__(self, name: str, path: str, workers: int, threads: int) -> None:
        self.unit = PREFIX + name
        self.workers, self.threads = workers, threads
        self.runtime = Path("/run/gunicorn", self.unit)
        # Not TCP: the kernel's work for connections would be half of the load's cost.
        self._address = f"unix:{self.runtime}/socket"
        self.target = load.Target(name, *load.parse_address(self._address), path=path)
        self.holding = load.Target(name, *load.parse_address(self._address), path="/hold")
        self.pid = 0

    def start(self, properties: dict[str, str], environment: dict[str, str]) -> None:
        """Start the service, and wait until its workers are ready; raise AgentError if the kernel kills one."""
        properties = {
            "Type": "notify",
            "User": "sizing",
            "WorkingDirectory": "/var/opt/sizing",
            "RuntimeDirectory": f"gunicorn/{self.unit}",
            "OOMPolicy": "continue",
            "KillMode": "mixed",
            "TimeoutStopSec": "20",
            "CPUAccounting": "yes",
            "MemoryAccounting": "yes",
            "MemorySwapMax": "0",
            "TasksMax": "infinity",
            **properties,
        }
        environment = {
            "PYTHONPATH": "/etc/opt/sizing:/opt/sizing",
            "DJANGO_SETTINGS_MODULE": "settings",
            "SIZING_PEER": f"http://{PEER}/",
            **environment,
        }
        call(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={self.unit}",
            *(f"--property={key}={value}" for key, value in properties.items()),
            *(f"--setenv={key}={value}" for key, value in environment.items()),
            "/opt/sizing/venv/bin/gunicorn",
            "--config=/etc/opt/sizing/gunicorn.conf.py",
            f"--workers={self.workers}",
            f"--threads={self.threads}",
            f"--bind={self._address}",
            "--log-level=warning",
            "sizing.wsgi:application",
        )
        self.pid = int(call("systemctl", "show", "--value", "--property=MainPID", self.unit))
        self._memory = cgroup_directory(self.pid, "memory")
        self._cpu = cgroup_directory(self.pid, "cpu")
        deadline = time.monotonic() + START_TIMEOUT
        while not self.is_ready():
            problem = self.problem()
            if problem is None and time.monotonic() > deadline:
                problem = f"not ready within {START_TIMEOUT:.0f} s"
            if problem:
                raise AgentError(problem)
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Return whether all workers are ready."""
        return (self.runtime / "ready").exists()

    def problem(self) -> str | None:
        """Return the problem of the service, if it has one."""
        try:
            if oom_kills(self._memory):
                return "OOM kill"
        except FileNotFoundError:
            return "the service has ended"
        return None

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def times(self) -> dict[str, float]:
        """Return counters in seconds: of the service, of this host, of the machine and of this program."""
        # Not from the cgroup: in v1, a unit may have no cgroup of its own in cpuacct.
        running, delayed = scheduled([self.pid, *self.worker_pids()])
        return {
            "service": running,
            "delayed": delayed,
            "throttled": throttled_seconds(self._cpu),
            "own": own_seconds(),
            "busy": busy_seconds(),
            "generator": time.process_time(),
            "clock": time.monotonic(),
        }

    def memory(self) -> dict:
        """Return its proportional memory, in bytes: of all processes, and of the largest worker."""
        workers = [proportional_memory(pid) for pid in self.worker_pids()]
        return {"pss_per_worker": max(workers, default=0), "pss": sum(workers) + proportional_memory(self.pid)}

    def peak(self) -> int | None:
        """Return its highest memory so far, in bytes; None if it has ended."""
        try:
            return memory_peak(self._memory)
        except FileNotFoundError:
            return None

    def reload(self) -> None:
        """Replace the workers, as the role's ExecReload= does, without waiting for the new ones."""
        for file in [self.runtime / "ready", *self.runtime.glob("worker-*")]:
            file.unlink(missing_ok=True)
        call("systemctl", "kill", "--kill-whom=main", "--signal=HUP", self.unit)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Make requests for the path /hold last meanwhile."""
        held = self.runtime / "hold"
        held.touch()
        try:
            yield
        finally:
            held.unlink(missing_ok=True)

    def stop(self) -> None:
        """Kill the service."""
        subprocess.run(["systemctl", "kill", "--signal=KILL", self.unit], capture_output=True, check=False)
        subprocess.run(["systemctl", "stop", self.unit], capture_output=True, check=False)


def call(*command: str) -> str:
    """Run a command that must succeed, and return its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AgentError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def start_peer() -> subprocess.Popen[bytes]:
    """Start the slow service, and wait until it accepts connections."""
    host, _, port = PEER.rpartition(":")
    address = (host, int(port))
    if is_answered(address):
        raise SystemExit(f"somebody listens on {PEER}: is another run under way?")
    process = subprocess.Popen([sys.executable, Path(__file__).with_name("peer.py"), PEER])
    while not is_answered(address):
        if process.poll() is not None:
            raise SystemExit("the slow service has ended")
        time.sleep(0.05)
    return process


def is_answered(address: tuple[str, int]) -> bool:
    """Return whether something accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection(address):
        return True
    return False


# Measurements


def per_second(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return how many cores each used between two readings; foreign are those that others on the machine used."""
    seconds = after["clock"] - before["clock"]
    rates = {name: (after[name] - before[name]) / seconds for name in before if name != "clock"}
    rates["foreign"] = rates["busy"] - rates.pop("own")
    return {name: round(rate, 4) for name, rate in rates.items()}


async def measure(service: Service, concurrency: int, warmup: float, seconds: float, reload: bool) -> dict:
    """Put a service under load and, if asked for, reload it afterwards under the same load."""
    closed = load.ClosedLoop([service.target], concurrency, REQUEST_TIMEOUT)
    running = asyncio.create_task(closed.run())
    await asyncio.sleep(warmup)
    warm = closed.begin("measured")
    before = service.times()
    await asyncio.sleep(seconds)
    after = service.times()
    measured = closed.begin("end")
    memory = service.memory() if not service.problem() else None
    closed.stop()
    await running
    phases = [phase.as_dict() for phase in (warm, measured, closed.phases[-1])]
    result: dict = {"memory": memory}
    if reload and not service.problem():
        reloaded = await reload_in_flight(service, concurrency)
        phases += reloaded["phases"]
        result["reload_seconds"] = reloaded["seconds"]
        result["reload_longest"] = (reloaded["phases"][1]["latency"] or {}).get("max")
    times = [second for tally in measured.tallies for second in tally.seconds]
    span = measured.ended - measured.begun
    result["round"] = {
        "throughput": round((len(times)) / span, 2),
        "p50": phases[1]["latency"] and phases[1]["latency"]["median"],
        "p99": phases[1]["latency"] and phases[1]["latency"]["p99"],
        "mean": round(sum(times) / len(times), 5) if times else None,
        "failed": sum(phase["failed"] for phase in phases),
        "cores": per_second(before, after),
    }
    result["failures"] = [detail for phase in phases for detail in phase["details"]][: load.DETAILS]
    result["memory_peak"] = service.peak()
    result["problem"] = service.problem()
    return result


async def reload_in_flight(service: Service, concurrency: int) -> dict:
    """Reload while each worker still has a request, so that the old workers stay until the new ones are ready.

    A reload never needs more memory than then. A setting that does not survive it is useless on a real host.
    """
    slow = load.ClosedLoop([service.holding], service.workers * service.threads, REQUEST_TIMEOUT)
    with service.hold():
        waiting = asyncio.create_task(slow.run())
        await asyncio.sleep(BEFORE_RELOAD)
        slow.stop()
        others = load.ClosedLoop([service.target], concurrency, REQUEST_TIMEOUT)
        begun = time.monotonic()
        service.reload()
        running = asyncio.create_task(others.run())
        while not service.is_ready() and not service.problem() and time.monotonic() - begun < RELOAD_TIMEOUT:
            await asyncio.sleep(0.02)
        seconds = round(time.monotonic() - begun, 2) if service.is_ready() else None
    await waiting
    others.stop()
    await running
    return {"seconds": seconds, "phases": [slow.phases[-1].as_dict(), others.phases[-1].as_dict()]}


# Commands


class Agent:
    """Runs commands, and knows the services that it started."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}
        self._peer = start_peer()

    def obey(self, command: str, options: dict) -> dict:
        """Run a command, and return its answer, which may be a problem of a service."""
        try:
            return getattr(self, f"do_{command}")(**options)
        except AgentError as error:
            return {"problem": str(error)}

    def do_start(self, name: str, path: str, workers: int, threads: int, properties: dict, environment: dict) -> dict:
        service = self._services[name] = Service(name, path, workers, threads)
        service.start(properties, environment)
        return {"problem": None}

    def do_measure(self, name: str, concurrency: int, warmup: float, seconds: float, reload: bool) -> dict:
        return asyncio.run(measure(self._services[name], concurrency, warmup, seconds, reload))

    def do_stop(self, names: list[str]) -> dict:
        for name in names:
            self._services.pop(name).stop()
        return {}

    def do_quiet(self, cores: float, seconds: float) -> dict:
        """Wait until others use at most so many cores of the machine, but no longer than so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            before = busy_seconds() - own_seconds()
            time.sleep(QUIET_SAMPLE)
            foreign = (busy_seconds() - own_seconds() - before) / QUIET_SAMPLE
            if foreign <= cores or time.monotonic() > deadline:
                return {"foreign": round(foreign, 3)}

    def do_facts(self) -> dict:
        python = "/opt/sizing/venv/bin/python"
        return {
            "nproc": int(call("nproc")),
            "kernel": os.uname().release,
            "python": call(python, "-c", "import platform; print(platform.python_version())"),
            "gunicorn": call(python, "-c", "import gunicorn; print(gunicorn.__version__)"),
            "django": call(python, "-c", "import django; print(django.__version__)"),
        }

    def close(self) -> None:
        """End all services."""
        self.do_stop(list(self._services))
        self._peer.terminate()


def main() -> None:
    """Answer commands until the input ends."""
    load.allow_many_connections()
    agent = Agent()
    try:
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(agent.obey(request.pop("command"), request)), flush=True)
    finally:
        agent.close()


if __name__ == "__main__":
    main()
