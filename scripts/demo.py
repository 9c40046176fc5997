"""What scripts/demo shows, on a host that runs already: releases of a Django project under load.

    demo.py INVENTORY DIRECTORY     INVENTORY has a host named demo; DIRECTORY gets the repository and the logs

The project is deployed. Then, under a constant load, a good release follows, a broken one, and the way back. If one of
them ends otherwise than it must, the program fails and shows what Ansible or the host has said. Lost requests are no
failure: they are counted and shown. Needs ansible-playbook, git and ssh.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAYBOOK = ROOT / "scripts" / "demo.yml"
HISTORY = ROOT / "tests" / "projects" / "history.py"
FIRST, GOOD, BROKEN = "first", "second", "broken"
# What the application itself says of the broken release
OWN_ERROR = "TemplateDoesNotExist: start.html"
# Few requests a second, so that a machine with other things to do answers them all, too
RATE = 50
LOAD, UNIT, CONTROL = "/usr/local/bin/load.py", "demo-load", "/run/demo-load.sock"
TARGETS = ("ipv4=127.0.0.1:8000", "ipv6=[::1]:8000")
# What is lost if nothing changes is the machine's doing, and shown for comparison.
QUIET = 5.0
# Some effects of a change show a moment later.
AFTERMATH = 1.0
# The log is for people and has a failed task's result as JSON in one line, whatever ansible.cfg or a caller says.
ANSIBLE = {
    "ANSIBLE_STDOUT_CALLBACK": "default",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    "ANSIBLE_CALLBACK_FORMAT_PRETTY": "false",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
    "ANSIBLE_PIPELINING": "true",
}
FATAL = re.compile(r"^fatal: \[demo\]: \w+! => (\{.*\})$", re.MULTILINE)
SIZING = re.compile(r'"__gunicorn_sizing_sentence": (".*")')
GREEN, RED = "32", "31"


class DemoError(Exception):
    """Something ended otherwise than it must: what, and what was said meanwhile."""

    def __init__(self, what: str, said: str = "") -> None:
        super().__init__(what)
        self.said = said


class Host:
    """The demo's host, by ssh."""

    def __init__(self, variables: dict, directory: Path) -> None:
        self.config = directory / "ssh_config"
        self.config.write_text(ssh_config(variables), encoding="utf-8")
        self.config.chmod(0o600)

    def run(self, command: str) -> str:
        """Run a shell command as root, and return its output."""
        argv = ["ssh", "-F", str(self.config), "demo", f"sudo sh -c {shlex.quote(command)}"]
        done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise DemoError(f"the host could not do this: {command}", done.stdout + done.stderr)
        return done.stdout

    def version(self) -> str:
        """Return the version of the project that answers."""
        head = self.run("curl --silent --show-error --fail --max-time 20 --head http://localhost:8000/")
        found = re.search(r"^x-version: (\S+)", head, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else "unknown"


def ssh_config(variables: dict) -> str:
    """Return a configuration of ssh in which demo is the host with these variables of Ansible."""
    # The arguments are pairs of -o and NAME=VALUE, as tests/hosts/testhosts.py writes them.
    options = [option.replace("=", " ", 1) for option in shlex.split(variables["ansible_ssh_common_args"])[1::2]]
    lines = [
        f"HostName {variables['ansible_host']}",
        f"Port {variables['ansible_port']}",
        f"User {variables['ansible_user']}",
        f'IdentityFile "{variables["ansible_ssh_private_key_file"]}"',
        *options,
    ]
    return "Host demo\n" + "".join(f"  {line}\n" for line in lines)


# Deployments


@dataclass(frozen=True)
class Run:
    """A run of the playbook: its exit status and its output."""

    status: int
    output: str

    @property
    def error(self) -> str:
        """The first line of the error that ended the run, or an empty string."""
        found = FATAL.findall(self.output)
        return json.loads(found[-1]).get("msg", "").partition("\n")[0] if found else ""

    @property
    def sizing(self) -> str:
        """How many workers the project has and why, or an empty string."""
        found = SIZING.search(self.output)
        return json.loads(found[1]) if found else ""


class Project:
    """The project, whose versions are deployed on the host."""

    def __init__(self, host: Host, inventory: Path, directory: Path) -> None:
        self._host, self._inventory, self._directory = host, inventory, directory
        subprocess.run([sys.executable, HISTORY, "demo", directory], check=True)

    def deploy(self, version: str) -> Run:
        """Put a version into production, which must succeed."""
        run = self._run(version)
        if run.status:
            raise DemoError(f"the release {version} was not deployed", run.output)
        self._expect(version, run)
        return run

    def refuse(self, version: str) -> str:
        """Deploy a version that must be refused with the application's own error; return the error."""
        before = self._host.version()
        run = self._run(version)
        if not run.status:
            raise DemoError(f"the release {version} is broken, and was not refused", run.output)
        if OWN_ERROR not in run.error:
            raise DemoError(f"the run failed, but not by the error of the release {version}", run.output)
        self._expect(before, run)
        return run.error

    def go_back(self) -> str:
        """Go back to the first version by the command on the host, and return what it said."""
        said = self._host.run("demo-roll-back")
        self._expect(FIRST, Run(0, said))
        return said.strip()

    def _run(self, version: str) -> Run:
        variables = json.dumps({"demo_version": version, "demo_directory": str(self._directory)})
        log = self._directory / f"{version}.log"
        with log.open("w", encoding="utf-8") as file:
            done = subprocess.run(
                ["ansible-playbook", "--inventory", self._inventory, "--extra-vars", variables, PLAYBOOK],
                env={**os.environ, **ANSIBLE},
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        return Run(done.returncode, log.read_text(encoding="utf-8"))

    def _expect(self, version: str, run: Run) -> None:
        answering = self._host.version()
        if answering != version:
            raise DemoError(f"the release {answering} answers, and not {version}", run.output)


# The load


@dataclass(frozen=True)
class Row:
    """What happened, how long it took, and what the visitors have noticed meanwhile."""

    event: str
    seconds: float
    phase: dict  # of tests/load/load.py

    def cells(self) -> tuple[str, ...]:
        waits = self.phase["latency"]
        return (
            self.event,
            f"{self.seconds:.1f} s",
            str(self.phase["requests"]),
            str(self.phase["failed"]),
            f"{waits['max']:.2f} s" if waits else "",
            # An answer that names no version is not the project's.
            ", ".join(version or "?" for version in sorted(self.phase["values"], key=(FIRST, GOOD, BROKEN, "").index)),
        )

    @property
    def lost(self) -> str:
        """How many requests were lost, and how, if any."""
        failed, requests = self.phase["failed"], self.phase["requests"]
        kinds = ", ".join(f"{number} {kind}" for kind, number in self.phase["failures"].items() if number)
        return f"{failed} of {requests} requests lost" + (f" ({kinds})" if kinds else "")


class Load:
    """The load generator on the host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def during(self, event: str, action: Callable[[], object]) -> tuple[Row, object]:
        """Do something under load; return what that cost, and what the action returned."""
        self._begin(event)
        start = time.monotonic()
        result = action()
        seconds = time.monotonic() - start
        time.sleep(AFTERMATH)
        return Row(event, seconds, self._begin(f"after {event}")), result

    def _begin(self, phase: str) -> dict:
        """Begin a phase, and return the results of the one before."""
        return json.loads(self._host.run(f"{LOAD} tell {CONTROL} phase {shlex.quote(phase)}"))


@contextlib.contextmanager
def load_on(host: Host, results: Path) -> Iterator[Load]:
    """Send requests to the project meanwhile, at a constant rate, from the host itself; write the results to a file."""
    arguments = shlex.join(["run", f"--control={CONTROL}", f"--rate={RATE}", "--header=X-Version", *TARGETS])
    # A demo that was killed has left its load.
    stop = f"if systemctl --quiet is-active {UNIT}; then systemctl stop {UNIT}; fi"
    host.run(f"{stop}; systemd-run --quiet --collect --unit={UNIT} {LOAD} {arguments}")
    try:
        host.run(f"timeout 20 sh -c 'until test -S {CONTROL}; do sleep 0.1; done'")
        yield Load(host)
        results.write_text(host.run(f"{LOAD} tell {CONTROL} stop"), encoding="utf-8")
    finally:
        host.run(stop)


# What is shown


class Screen:
    """Where the demo writes: in colours if somebody looks at a terminal, and does not object."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._step = 0

    def step(self, text: str) -> None:
        self._step += 1
        self.write(f"\n{self._step}. {text}")

    def tell(self, text: str, colour: str = "") -> None:
        self.write(f"   {self._painted(text, colour)}")

    def outcome(self, what: str, row: Row) -> None:
        """Tell what has happened, and how many requests were lost."""
        self.tell(f"{what} after {row.seconds:.1f} s: {row.lost}", RED if row.phase["failed"] else GREEN)

    def write(self, text: str) -> None:
        print(text, flush=True)

    def _painted(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if colour and self._coloured else text


def table(rows: Sequence[Row]) -> str:
    """Return the table of what has happened, for a terminal."""
    head = ("under load", "time", "requests", "lost", "longest wait", "answered by")
    cells = [head, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    cells.insert(1, tuple("-" * width for width in widths))
    return "\n".join(line(row, widths) for row in cells)


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a line of the table: numbers are to the right, the first and the last column to the left."""
    first, *numbers, last = (
        f"{cell:>{width}}" if 0 < place < len(cells) - 1 else f"{cell:<{width}}"
        for place, (cell, width) in enumerate(zip(cells, widths))
    )
    return "  ".join([first, *numbers, last]).rstrip()


def farewell(config: Path) -> str:
    """Return how to look at what is there, and how to remove it."""
    ssh = f"ssh -F {shlex.quote(os.path.relpath(config))}"
    return f"""\
The site goes on. It is at http://localhost:8000/ while this runs:
  {ssh} -N -L 8000:localhost:8000 demo
Look around on the host, for example with systemctl status demo, or sudo demo-roll-back --list:
  {ssh} demo
What Ansible has said is in {os.path.relpath(config.parent)}/*.log. Remove all of it:
  scripts/demo clean"""


def show(host: Host, project: Project, directory: Path, screen: Screen) -> None:
    """Do all of it, and tell what happens."""
    screen.step("Deploying a Django project from a git repository: a virtual environment, workers, a sandboxed service")
    start = time.monotonic()
    sizing = project.deploy(FIRST).sizing
    screen.tell(f"live after {time.monotonic() - start:.1f} s")
    if sizing:
        screen.tell(sizing)
    screen.step(f"Sending {RATE} requests a second to it, over IPv4 and IPv6, from now on")
    with load_on(host, directory / "load.json") as load:
        quiet, _nothing = load.during("nothing changes", lambda: time.sleep(QUIET))
        screen.outcome("nothing has changed", quiet)
        screen.step("Deploying a good release")
        good, _run = load.during("a good release", lambda: project.deploy(GOOD))
        screen.outcome("live", good)
        screen.step("Deploying a broken release: Django's checks find no fault, and its page fails")
        broken, error = load.during("a broken release", lambda: project.refuse(BROKEN))
        screen.tell(str(error))
        screen.outcome("refused", broken)
        screen.step("Going back to the first release: sudo demo-roll-back, on the host")
        back, said = load.during("going back", project.go_back)
        screen.tell(str(said))
        screen.outcome("back", back)
    screen.write(f"\n{table([quiet, good, broken, back])}\n\n{farewell(host.config)}")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inventory", type=Path, metavar="INVENTORY")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    return parser.parse_args()


def main() -> int:
    """Show the demo, and return the exit status."""
    options = parse_arguments()
    directory = options.directory.resolve()
    try:
        variables = json.loads(options.inventory.read_text(encoding="utf-8"))["all"]["hosts"]["demo"]
        host = Host(variables, directory)
        show(host, Project(host, options.inventory, directory), directory, Screen())
    except DemoError as error:
        print(error.said, f"error: {error}; what was said is above", sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
