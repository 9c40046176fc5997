# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts: boots them, prepares them, reads what they use, and resets them to their state before a deployment."""

from __future__ import annotations

import functools
import json
import os
import shlex
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import testhost

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
CACHE = REPOSITORY / ".cache/converge"
WHEELS = CACHE / "wheels"
# Their paths must stay under 108 characters, and other runs of Ansible must not share them.
CONNECTIONS = Path(tempfile.gettempdir()) / f"converge-{os.getuid()}"
# uv brings pip, too, which otherwise comes with Python.
REQUIREMENTS = ("Django~=5.2", "whitenoise", "gunicorn", "pip")
ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_GATHERING": "explicit",
    "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s",
    "ANSIBLE_SSH_CONTROL_PATH_DIR": str(CONNECTIONS),
    "ANSIBLE_FORCE_COLOR": "false",
}


class Host(t.NamedTuple):
    """A host, and the ssh command that reaches it."""

    name: str
    container: str
    ssh: tuple[str, ...]


class Usage(t.NamedTuple):
    """What hosts have used since they started."""

    cpu: float  # seconds
    network: int  # bytes, in and out


command = functools.partial(testhost.command, environment=ENVIRONMENT)


def inventory(number: int) -> Path:
    """Return the path of the inventory of the first hosts."""
    return CACHE / f"hosts-{number}.json"


def boot(number: int) -> list[Host]:
    """Boot hosts, write their inventory, and prepare them, so that only the deployment is missing."""
    names = [f"converge-{index}" for index in range(1, number + 1)]
    path = inventory(number)
    command(str(testhost.PROGRAM), "up", "--inventory", str(path), *(f"{name}=bookworm" for name in names))
    if not list(WHEELS.glob("pip-*.whl")):
        command(sys.executable, "-m", "pip", "download", "--quiet", f"--dest={WHEELS}", *REQUIREMENTS)
    playbook = ["ansible-playbook", "--inventory", str(path), "--forks=4", str(FOLDER / "prepare.yml")]
    command(*playbook, f"--extra-vars=converge_wheels={WHEELS} project_workspace={CACHE}/projects")
    return [read_host(path, name) for name in names]


def read_host(path: Path, name: str) -> Host:
    """Return a host of an inventory."""
    variables = testhost.read_inventory(path)[name]
    return Host(name, variables["testhost_container"], testhost.ssh_command(variables))


def write_inventory(hosts: Sequence[Host], largest: Path) -> None:
    """Write the inventory of some of the hosts."""
    known = testhost.read_inventory(largest)
    chosen = {host.name: known[host.name] for host in hosts}
    inventory(len(hosts)).write_text(json.dumps({"all": {"hosts": chosen}}), encoding="utf-8")


def remove() -> None:
    """Remove the hosts of all inventories."""
    names = {name for path in CACHE.glob("hosts-*.json") for name in testhost.read_inventory(path)}
    command(str(testhost.PROGRAM), "down", *sorted(names))
    for path in CACHE.glob("hosts-*.json"):
        path.unlink()


def reset(hosts: Sequence[Host]) -> None:
    """Reset hosts to their state before a deployment."""
    script = (FOLDER / "reset.sh").read_text(encoding="utf-8")
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda host: command(*host.ssh, "sudo sh -s", text=script), hosts))


def disconnect(hosts: Sequence[Host]) -> None:
    """End the connections that Ansible keeps open, so that each run makes its own."""
    for socket in CONNECTIONS.iterdir() if CONNECTIONS.is_dir() else ():
        subprocess.run(["ssh", "-O", "exit", "-S", str(socket), hosts[0].ssh[-1]], capture_output=True, check=False)


def usage(hosts: Sequence[Host]) -> Usage:
    """Return what hosts have used together."""
    form = "--format={{.CPUNano}} {{.NetInput}} {{.NetOutput}}"
    lines = command("podman", "stats", "--no-stream", form, *(host.container for host in hosts)).splitlines()
    values = [[int(value) for value in line.split()] for line in lines]
    return Usage(sum(cpu for cpu, *_net in values) / 1e9, sum(sum(net) for _cpu, *net in values))


def fetch(host: Host, path: str) -> str:
    """Return the text of a file on a host."""
    return command(*host.ssh, f"sudo cat {shlex.quote(path)}")
