# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The measured host: boots it, sets up the servers by Ansible, and runs commands there over SSH."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import testhost

from servers_benchmark.servers import REQUIREMENTS, SERVERS, Server, pinned

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
CACHE = REPOSITORY / ".cache/servers"
INVENTORY = CACHE / "hosts.json"
NAME = "servers"
TOOLS = "/usr/local/lib/servers"
CODE = "/srv/servers"
VENV = "/opt/servers/venv"
CONTROL = "/run/servers-load.sock"
FAILING_IMPORT = "import a_package_that_nobody_installed  # noqa: F401\n"
ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_GATHERING": "explicit",
    "ANSIBLE_FORCE_COLOR": "false",
}


attempt = functools.partial(testhost.attempt, environment=ENVIRONMENT)
run = functools.partial(testhost.command, environment=ENVIRONMENT)


def boot() -> None:
    """Boot the host unless it is running."""
    run(str(testhost.PROGRAM), "up", "--inventory", str(INVENTORY), f"{NAME}=trixie")


def remove() -> None:
    """Remove the host."""
    run(str(testhost.PROGRAM), "down", "--inventory", str(INVENTORY), NAME)


def make_archives() -> None:
    """Make an archive of the project, and one of a release that can't be imported."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "project")
        shutil.copytree(FOLDER.parent / "sizing_benchmark/project", tree, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(FOLDER / "project", tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        write_archive(tree, CACHE / "good.tar.gz")
        wsgi = tree / "wsgi.py"
        wsgi.write_text(FAILING_IMPORT + wsgi.read_text(encoding="utf-8"), encoding="utf-8")
        write_archive(tree, CACHE / "broken.tar.gz")


def write_archive(tree: Path, path: Path) -> None:
    """Write what is in a directory. The same files make the same archive, so that the role takes it for one release."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for file in sorted(tree.rglob("*")):
            archive.add(file, str(file.relative_to(tree)), recursive=False, filter=anonymous)
    # Not by gzip of tarfile, which writes the time into its head
    path.write_bytes(gzip.compress(made.getvalue(), mtime=0))


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry of root's without a time."""
    entry.mtime = entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


def play(playbook: str, **variables: object) -> bool:
    """Run a playbook on the host, and return whether it succeeded; its output is in the cache."""
    done = attempt(
        "ansible-playbook",
        f"--inventory={INVENTORY}",
        f"--extra-vars={json.dumps(variables)}",
        str(FOLDER / playbook),
    )
    (CACHE / f"{playbook}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode == 0


def prepare() -> None:
    """Set up all servers, and stop them."""
    make_archives()
    servers = {name: server._asdict() for name, server in SERVERS.items()}
    places = {"servers_code": CODE, "servers_venv": VENV, "servers_archives": str(CACHE)}
    if not play("prepare.yml", servers=servers, servers_versions=versions(), **places):
        raise testhost.HostError(f"the host could not be prepared: see {CACHE}/prepare.yml.log")
    for server in SERVERS.values():
        if server.is_role and not deploy(server, "good"):
            raise testhost.HostError(f"{server.title} could not be deployed: see {CACHE}/role.yml.log")


def deploy(server: Server, release: str) -> bool:
    """Deploy a release with the role, and return whether it went live."""
    archive = str(CACHE / f"{release}.tar.gz")
    told = {"servers_class": server.name, "servers_sizing": server.sizing, "servers_archive": archive}
    return play("role.yml", servers_versions=versions(), **told)


def versions() -> dict[str, str]:
    """Return the versions of the packages, by name."""
    return pinned(REQUIREMENTS.read_text(encoding="utf-8"))


class Shell:
    """Runs commands on the host, as root."""

    def __init__(self) -> None:
        self._ssh = testhost.ssh_command(testhost.read_inventory(INVENTORY)[NAME])

    def run(self, command: str) -> str:
        """Run a command of the shell that must succeed, and return its output."""
        return run(*self._ssh, self._as_root(command))

    def succeeds(self, command: str) -> bool:
        """Run a command of the shell, and return whether it succeeded."""
        return attempt(*self._ssh, self._as_root(command)).returncode == 0

    def probe(self, *words: str) -> float:
        """Return a value of probe.py."""
        value: float = json.loads(self.run(f"python3 {TOOLS}/probe.py {' '.join(words)}"))
        return value

    def load(self, arguments: str) -> dict:
        """Run the load generator to its end, and return its results."""
        results: dict = json.loads(self.run(f"python3 {TOOLS}/load.py run {arguments}"))
        return results

    def start_load(self, arguments: str) -> subprocess.Popen[str]:
        """Start the load generator, and return once it takes commands."""
        command = f"python3 {TOOLS}/load.py run --control {CONTROL} --output /dev/shm/servers-load.json {arguments}"
        process = subprocess.Popen([*self._ssh, self._as_root(command)], stdin=subprocess.DEVNULL, text=True)
        for _ in range(100):
            if self.succeeds(f"test -S {CONTROL}"):
                return process
            time.sleep(0.1)
        raise testhost.HostError("the load generator did not start")

    def tell_load(self, words: str) -> dict:
        """Give the load generator a command, and return its answer."""
        answer: dict = json.loads(self.run(f"python3 {TOOLS}/load.py tell {CONTROL} {words}"))
        return answer

    def _as_root(self, command: str) -> str:
        return f"sudo -n sh -c {shlex.quote(command)}"
