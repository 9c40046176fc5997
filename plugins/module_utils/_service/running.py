# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs: what the master says of itself (see the role's gunicorn_hooks.py), its environment and its workers."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import time
from typing import Iterable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import as_owner, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import (
    join,
    list_folder,
    plain,
    read_tail,
)

# Environment variables that say what a service was started with
CONFIGURATION = "GUNICORN_CONFIGURATION"
SECRETS = "GUNICORN_SECRETS"
_SAID = {"pid": int, "argv": list, "prefix": str, "gunicorn_version": str, "configuration_sha256": str}
_LONGEST = 65536


class Running(NamedTuple):
    """A master and its workers. Fields are empty if the master says nothing, as one does that we did not start."""

    pid: int
    configuration: str
    secrets: str
    argv: tuple[str, ...]
    prefix: str  # without symbolic links
    gunicorn_version: str
    configuration_sha256: str
    workers: int
    holds_sockets: bool  # systemd gave it the listening sockets
    sockets: int = 0  # that systemd gave it of the service's own socket units; 0 if it does not say


def read(service: str, pid: int, root: str = "/") -> Running:
    """Read the master with this process id."""
    directory = os.path.join(root, "run/gunicorn", service)
    said = _read_said(os.path.join(directory, "running.json"))
    if said.get("pid") != pid:
        said = {}
    environment = processes.read_environment(pid, root)
    return Running(
        pid=pid,
        configuration=environment.get(CONFIGURATION, ""),
        secrets=environment.get(SECRETS, ""),
        argv=tuple(str(part) for part in said.get("argv", ())),
        prefix=_real_path(said.get("prefix", "")),
        gunicorn_version=said.get("gunicorn_version", ""),
        configuration_sha256=said.get("configuration_sha256", ""),
        workers=_count_workers(directory, pid, root),
        holds_sockets="LISTEN_FDS" in environment,
        sockets=_count_sockets(service, environment.get("LISTEN_FDNAMES", "")),
    )


def read_prefixes(root: str = "/") -> list[tuple[str, str]]:
    """Each service whose master says that it runs, and the virtual environment that it says."""
    found = []
    for service in list_folder(join(root, "run/gunicorn")):
        said = _read_said(join(root, f"run/gunicorn/{service}/running.json"))
        if said and os.path.isdir(join(root, f"proc/{said['pid']}")):
            found.append((service, said["prefix"]))
    return found


def read_settled(service: str, pid: int) -> Running:
    """Read it until it has as many workers as it wants, or for 5 s: a worker may just be replaced."""
    deadline = time.monotonic() + 5
    while True:
        running = read(service, pid)
        if f"--workers={running.workers}" in running.argv or not running.argv or time.monotonic() > deadline:
            return running
        time.sleep(0.2)


def lost_logs(pid: int, paths: Iterable[str], root: str = "/") -> dict[str, bool]:
    """The logs that a master writes into files which are no more at their paths, and whether it can open them there.

    A log counts only if the master has, or had, a file of its name. It can't open one whose directory was removed: the
    hole in its sandbox went with it.
    """
    if list_folder(join(root, f"/proc/{pid}/fd")):
        return _lost_logs(pid, paths, root)
    known = tuple(paths)
    return json.loads(as_owner.run(pid, lambda: json.dumps(_lost_logs(pid, known, root)).encode(), root) or b"{}")


def _lost_logs(pid: int, paths: Iterable[str], root: str) -> dict[str, bool]:
    folder = join(root, f"/proc/{pid}/fd")
    opened: dict[str, list[str]] = {}
    for name in list_folder(folder):
        descriptor = os.path.join(folder, name)
        # The kernel shows a path as the process sees it.
        with contextlib.suppress(OSError):
            opened.setdefault(os.path.basename(os.readlink(descriptor)), []).append(descriptor)
    lost = {}
    for path in paths:
        known = [each for name in _names_of(path) for each in opened.get(name, [])]
        if known and not any(_is_same(descriptor, join(root, path)) for descriptor in known):
            lost[path] = _can_write(pid, os.path.dirname(path), root)
    return lost


def _names_of(path: str) -> tuple[str, str]:
    name = os.path.basename(path)
    return name, f"{name} (deleted)"


def _can_write(pid: int, folder: str, root: str) -> bool:
    """Whether a process sees the folder that the host has, and not read-only."""
    seen = join(root, f"/proc/{pid}/root{folder}")
    try:
        return _is_same(seen, join(root, folder)) and not os.statvfs(seen).f_flag & os.ST_RDONLY
    except OSError:
        return False


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.stat(one), os.stat(other))
    except OSError:
        return False


def _real_path(path: str) -> str:
    try:
        return os.path.realpath(path) if path else ""
    except ValueError:  # no path at all
        return ""


def _read_said(path: str) -> dict:
    """The service's user may write this file: whatever it is must not hold up or end the caller."""
    try:
        text, begin = read_tail(path, _LONGEST)
        # A longer file is not what the master wrote.
        said = {} if begin else json.loads(text.decode())
        # JSON can hold characters that UTF-8 can't, and that no module can return.
        said = json.loads(plain(json.dumps(said, ensure_ascii=False)))
    except (OSError, ValueError, RecursionError):
        return {}
    fit = isinstance(said, dict) and all(isinstance(said.get(name), kind) for name, kind in _SAID.items())
    return said if fit else {}


def _count_sockets(service: str, names: str) -> int:
    """Count the sockets by their names: systemd names each after its unit. An administrator may have added a unit."""
    return sum(name == f"{service}.socket" or name.startswith(f"{service}-added-") for name in names.split(":"))


def _count_workers(directory: str, master: int, root: str) -> int:
    """Count the workers that have said that they accept connections, and are children of the master."""
    return len(_worker_pids(directory, master, root))


def worker_pids(service: str, master: int, root: str = "/") -> list[int]:
    """The workers of a master that have said that they accept connections."""
    return _worker_pids(os.path.join(root, "run/gunicorn", service), master, root)


def _worker_pids(directory: str, master: int, root: str) -> list[int]:
    """The service's user may make such files: only children of the master count."""
    pids = (path.rpartition("-")[2] for path in glob.glob(os.path.join(directory, "worker-*")))
    return [int(pid) for pid in pids if processes.parent_of(pid, root) == master]
