# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Gunicorn services of a host: masters that run, and units that would start one.

A master is found by its command line or title, and its unit by its cgroup; a stopped unit by its ExecStart=. systemd is
asked once, about all of them. Sources: systemd.unit(5) for where unit files stand, systemd.service(5), and
org.freedesktop.systemd1(5) for the properties.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _configured, _hostfacts, _hoststate, _processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._kernel_files import join, read, whole

# The first that has a unit of a name is the one that counts.
_UNIT_DIRECTORIES = (
    _hoststate.UNIT_DIRECTORY,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_PROPERTIES = (
    "Id",
    "LoadState",
    "Description",
    "ActiveState",
    "SubState",
    "MainPID",
    "NRestarts",
    "User",
    "Slice",
    "WorkingDirectory",
    "CPUUsageNSec",
    "MemoryCurrent",
    "MemoryPeak",
    "MemoryMax",
    "MemoryHigh",
    "CPUQuotaPerSecUSec",
    "TasksMax",
    "Listen",
)
_GENERATIONS = 5
# The alphabet of unit names; a template without an instance is not a unit that can run, and
# systemctl would take a dash at the beginning for an option.
_SERVICE = re.compile(r"(?!-)[\w:.\\@-]{1,250}(?<!@)\.service", re.ASCII)
# It becomes a part of a path, and the user of a process can write its environment.
_PROGRAM = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_EXEC_START = re.compile(r"^[ \t]*ExecStart[ \t]*=[ \t]*[-@:+!|]*(.*)$", re.MULTILINE)
_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"^[ \t]*[#;].*\n?", re.MULTILINE)
_PIECE = r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\\(.)|([^\s"'\\]+)"""
_WORD = re.compile(f"(?:{_PIECE})+", re.DOTALL)
_PIECES = re.compile(_PIECE, re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Unit(t.NamedTuple):
    """A service as systemd describes it. Limits are those of its own unit; None is no limit, or not accounted."""

    name: str
    description: str
    state: str
    sub_state: str
    main_pid: int
    restarts: int | None
    user: str
    slice: str
    directory: str | None
    cpu_seconds: float | None
    memory: int | None
    memory_peak: int | None
    memory_max: int | None
    cpus_max: float | None
    tasks_max: int | None


class Service(t.NamedTuple):
    """A Gunicorn service: its unit, its master and workers if it runs, and the command in its unit's file."""

    unit: Unit | None
    master: int | None
    workers: tuple[int, ...]
    arguments: tuple[str, ...]  # of the master, as procfs shows them
    exec_start: tuple[str, ...]
    listens: tuple[str, ...]  # the addresses of the unit's socket, as ListenStream= has them
    program: str = ""  # its name in supervisor, which tells it to what it starts

    @property
    def name(self) -> str:
        if self.unit:
            return self.unit.name[: -len(".service")]
        return self.program or f"pid {self.master}"


def read_services(run: t.Callable[[list[str]], str], root: str = "/") -> list[Service]:
    """Return all Gunicorn services of the host; `run` takes a command and returns what it prints."""
    commands = {
        pid: arguments for pid, arguments in _processes.read_command_lines(root) if _configured.is_gunicorn(arguments)
    }
    families = _families(commands, root)
    units = {master: unit_of(master, root) for master in families}
    installed = read_installed(root)
    names = sorted({name for name in units.values() if name} | set(installed))
    known, listens = _read_units(names, run)
    services = []
    left = {name: unit for name, unit in known.items() if name in installed or unit.main_pid in families}
    for master, workers in families.items():
        name = units[master] or ""
        if name in left and _descends(master, left[name].main_pid, root):
            services.append(_service(left.pop(name), master, workers, commands[master], installed, listens))
        elif name not in installed or name not in known:
            # Others run it, such as a supervisor that systemd runs and whose cgroup it is in.
            service = _service(None, master, workers, commands[master], installed, listens)
            program = _hoststate.read_environment(master, root).get("SUPERVISOR_PROCESS_NAME", "")
            services.append(service._replace(program=program if _PROGRAM.fullmatch(program) else ""))
        # The rest are workers whose master has ended.
    services += [_service(unit, None, (), (), installed, listens) for unit in left.values()]
    return sorted(services, key=lambda service: (service.name, service.master or 0))


def _descends(pid: int, ancestor: int, root: str) -> bool:
    """Whether a process is another one or was started by it, if need be by way of a shell or sudo."""
    for _generation in range(_GENERATIONS):
        if pid == ancestor:
            return True
        pid = _hoststate.parent_of(pid, root)
    return False


def _service(
    unit: Unit | None,
    master: int | None,
    workers: tuple[int, ...],
    arguments: tuple[str, ...],
    installed: dict[str, tuple[str, ...]],
    listens: dict[str, tuple[str, ...]],
) -> Service:
    name = unit.name if unit else ""
    return Service(unit, master, workers, arguments, installed.get(name, ()), listens.get(name, ()))


def _families(commands: dict[int, tuple[str, ...]], root: str) -> dict[int, tuple[int, ...]]:
    """Return the workers of each master: a Gunicorn process that another one started is a worker, or a worker's own."""
    parents = {}
    for pid in commands:
        stat = _processes.read_stat(pid, root)
        if stat:
            parents[pid] = stat.parent
    masters = [pid for pid, parent in parents.items() if parent not in parents]
    return {
        master: tuple(sorted(pid for pid, parent in parents.items() if parent == master)) for master in sorted(masters)
    }


def unit_of(pid: int, root: str = "/") -> str | None:
    """Return the system's unit that a process belongs to, None if that is not a service."""
    for line in read(join(root, f"/proc/{pid}/cgroup")).splitlines():
        _number, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if controllers in ("", "name=systemd"):
            # As systemd does it: the first that is not a slice, below what a container is in.
            for name in _below_init(path, controllers, root):
                if not name.endswith(".slice"):
                    if _SERVICE.fullmatch(name) and not name.startswith("user@"):
                        return name
                    break
    return None


def _below_init(path: str, controllers: str, root: str) -> list[str]:
    for line in read(join(root, "/proc/1/cgroup")).splitlines():
        _number, others, init = (line.split(":", 2) + ["", ""])[:3]
        if others == controllers:
            init = re.sub(r"/init\.scope\Z", "", init).rstrip("/")
            if path.startswith(init + "/"):
                path = path[len(init) :]
    return [name for name in path.split("/") if name]


def unit_groups(pid: int, unit: str, root: str = "/") -> list[str]:
    """Return the folders of the unit's own cgroups that a process is in; a controller may have none for it."""
    return [group for group in _hostfacts.cgroups_of(pid, root) if os.path.basename(group) == unit]


def read_installed(root: str = "/") -> dict[str, tuple[str, ...]]:
    """Return the command of each unit whose file, or a drop-in of it, starts Gunicorn."""
    seen: set[str] = set()
    texts: dict[str, str] = {}
    drop_ins: dict[str, list[str]] = {}
    for directory in _UNIT_DIRECTORIES:
        folder = join(root, directory)
        for name in _listed(folder):
            path = os.path.join(folder, name)
            if name.endswith(".service.d"):
                drop_ins.setdefault(name[: -len(".d")], []).extend(
                    os.path.join(path, entry) for entry in _listed(path) if entry.endswith(".conf")
                )
            elif _SERVICE.fullmatch(name) and name not in seen:
                seen.add(name)
                # An alias is another name of a unit that is found by its own.
                if os.path.basename(os.path.realpath(path)) == name:
                    texts[name] = read(path)
    commands = {}
    for name, text in texts.items():
        text += "".join("\n" + read(path) for path in drop_ins.get(name, ()))
        if "gunicorn" in text:
            command = parse_exec_start(text)
            if _configured.starts_gunicorn(command):
                commands[name] = command
    return commands


def parse_exec_start(text: str) -> tuple[str, ...]:
    """Return the last command in the text of a unit, as arguments. Specifiers and variables stay as they are."""
    text = _CONTINUED.sub(" ", _COMMENT.sub("", text))
    lines = [line for line in _EXEC_START.findall(text) if line.strip()]
    return split_words(lines[-1]) if lines else ()


def split_words(line: str) -> tuple[str, ...]:
    """Return the arguments in a line of a unit, see systemd.syntax(7)."""
    words = []
    for found in _WORD.finditer(line):
        pieces = _PIECES.findall(found[0])
        word = "".join(
            _ESCAPED.sub(r"\1", double or single) + escaped + plain for double, single, escaped, plain in pieces
        )
        words.append(word.replace("%%", "%").replace("$$", "$"))
    return tuple(words)


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _read_units(
    names: list[str], run: t.Callable[[list[str]], str]
) -> tuple[dict[str, Unit], dict[str, tuple[str, ...]]]:
    """Return the services of these names, and what the sockets of the same names listen on."""
    if not names:
        return {}, {}
    sockets = [name[: -len("service")] + "socket" for name in names]
    blocks = _hoststate.show_units([*names, *sockets], _PROPERTIES, run)
    units = {}
    listens = {}
    for block in blocks:
        name = block.get("Id", [""])[0]
        if block.get("LoadState") != ["loaded"]:
            continue
        if name.endswith(".socket"):
            listens[name[: -len("socket")] + "service"] = tuple(
                value.rpartition(" (")[0] for value in block.get("Listen", [])
            )
        else:
            units[name] = _parse_unit(name, {key: values[0] for key, values in block.items()})
    return units, listens


def _parse_unit(name: str, values: dict[str, str]) -> Unit:
    limits = [whole(values.get(key, "")) for key in ("MemoryMax", "MemoryHigh")]
    usage = whole(values.get("CPUUsageNSec", ""))
    return Unit(
        name=name,
        description=values.get("Description", ""),
        state=values.get("ActiveState", ""),
        sub_state=values.get("SubState", ""),
        main_pid=whole(values.get("MainPID", "")) or 0,
        restarts=whole(values.get("NRestarts", "")),
        user=values.get("User", "") or "root",
        slice=values.get("Slice", "") or "system.slice",
        directory=_directory(values.get("WorkingDirectory", "")),
        cpu_seconds=None if usage is None or usage >= 1 << 63 else usage / 1e9,
        memory=_accounted(values, "MemoryCurrent"),
        memory_peak=_accounted(values, "MemoryPeak"),
        memory_max=min((limit for limit in limits if limit is not None), default=None),
        cpus_max=parse_span(values.get("CPUQuotaPerSecUSec", "")),
        tasks_max=whole(values.get("TasksMax", "")),
    )


def _directory(text: str) -> str | None:
    """Return where the service starts; None for the user's home, which stands there as ~."""
    path = text.lstrip("!-") or "/"
    return path if path.startswith("/") else None


def _accounted(values: dict[str, str], name: str) -> int | None:
    found = whole(values.get(name, ""))
    return None if found is None or found >= 1 << 63 else found


_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(us|ms|s|min|h)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def parse_span(text: str) -> float | None:
    """Return the seconds of a time span as systemd prints it, such as 1s 500ms; None for infinity."""
    parts = text.split()
    found = [_SPAN.fullmatch(part) for part in parts]
    if not parts or not all(found):
        return None
    return sum(float(part[1]) * _SECONDS[part[2]] for part in found if part)
