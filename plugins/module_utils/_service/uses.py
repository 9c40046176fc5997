# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What units and programs name, and what processes name and use: whoever removes something leaves that in place.

The users of services can write some of it, such as the arguments of their processes. It can only have something stay.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
from typing import Collection, Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories, kernel_files, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_state, launcher, running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes, units

_PATH = re.compile(r"/[^\s\"'`:;,=\\]+")
_LINKS_MAX = 40
_PATHS_MAX = 10_000  # of one service, that are followed from link to link
# What of a process's environment names programs and modules
_VARIABLES = ("PATH", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")


class ProcessPaths(NamedTuple):
    """What the processes of a service, or one that belongs to no service, name and use."""

    name: str
    named: str  # arguments and environment
    used: str  # paths as the kernel has them, without links: programs, working directories, and files in memory


class Uses:
    """Who needs a directory now. The host is read once, and only if that is asked for."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._read: tuple[list[tuple[str, str]], list[tuple[str, str]]] | None = None

    def by(self, path: str) -> str:
        """What names a path or uses something below it: a unit, a program or a process; or an empty string."""
        if os.path.islink(path):
            return ""
        if self._read is None:
            processes = read_processes((), (), self._root)
            named = [*read_others(()), *((each.name, each.named) for each in processes)]
            self._read = named, [(each.name, each.used) for each in processes]
        named, used = self._read
        return naming_path(used, path, follow=False) or naming_path(named, path)

    def unused(self, paths: list[str]) -> list[str]:
        """Those that nobody needs."""
        return [path for path in paths if not self.by(path)]


def read_others(own: tuple[str, ...]) -> list[tuple[str, str]]:
    """The file names and texts of all units and programs except `own`, whichever manager runs this host.

    A unit counts with its drop-ins. Neither the stand-in, the companions nor the drop-ins of an own service count.
    """
    stems = {os.path.splitext(os.path.basename(path))[0] for path in own}
    companions = {unit for stem in stems for paths in companion_state.paths_of(stem).values() for unit in paths}
    # What is for all processes of a companion has the name of their template.
    templates = {f"{unit.partition('@')[0]}@.service" for unit in companions if "@" in unit}
    ours = {f"{name}.service" for stem in stems for name in (stem, *launcher.others(stem))}
    texts: dict[str, list[str]] = {}
    for folder in (units.UNIT_DIRECTORY, units.RUNTIME_DIRECTORY):
        for path in sorted(glob.glob(os.path.join(folder, "*.service"))):
            name = os.path.basename(path)
            if path not in own and name not in companions and not (folder == units.RUNTIME_DIRECTORY and name in ours):
                texts.setdefault(name, []).append(files.read(path) or "")
        for path in sorted(glob.glob(os.path.join(folder, "*.service.d", "*.conf"))):
            name = os.path.basename(os.path.dirname(path))[: -len(".d")]
            if name not in {*ours, *companions, *templates}:
                texts.setdefault(name, []).append(files.read(path) or "")
    for path, text in configuration.read_files().items():
        if path not in own:
            # A program that the role made says no more than where its description is.
            described = [files.read(each) or "" for each in launcher.descriptions_in(text)]
            texts.setdefault(os.path.basename(path), []).extend([text, *described])
    return [(name, "\n".join(found)) for name, found in texts.items()]


def read_processes(own: Collection[str], left_out: Collection[int], root: str = "/") -> list[ProcessPaths]:
    """What the processes that run now name and use: those of each service together, except those of the units `own`."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for pid, unit in unit_processes.units_of(processes.read_ids(root), root).items():
        if pid in left_out or unit in own:
            continue
        named, used = found.setdefault(unit or f"process {pid}", (set(), set()))
        folder = kernel_files.join(root, f"/proc/{pid}")
        links_of = [_link_target(os.path.join(folder, name)) for name in ("exe", "cwd")]
        used.update(links_of, re.findall(r" (/.*)$", kernel_files.read(f"{folder}/maps"), re.MULTILINE))
        # An argument may be relative to the working directory.
        arguments = processes.read_arguments(pid, root)
        named.update(arguments, (os.path.join(links_of[1], each) for each in arguments if "/" in each))
        environment = processes.read_environment(pid, root)
        named.update(environment.get(name, "") for name in _VARIABLES)
    for service, prefix in running.read_prefixes(root):
        # A process can write over its arguments and its environment, as setproctitle does.
        if f"{service}.service" not in own:
            found.setdefault(f"{service}.service", (set(), set()))[0].add(prefix)
    return [ProcessPaths(name, *("\n".join(sorted(paths)) for paths in both)) for name, both in found.items()]


def naming_path(others: list[tuple[str, str]], path: str, follow: bool = True) -> str:
    """The first service that names a path or something below it, or an empty string.

    With `follow`, also by way of links. Of a link, the link itself counts, and not what it leads to.
    """
    places = {path, links.settled(path)}
    named = re.compile("|".join(rf"(?<![\w.-]){re.escape(place)}(?![\w.-])" for place in sorted(places)))
    for name, text in others:
        if named.search(text):
            return name
        written = dict.fromkeys(_PATH.findall(text)) if follow else ()
        ways = (way for each in itertools.islice(written, _PATHS_MAX) for way in _ways(each))
        if any(f"{way}/".startswith(tuple(f"{place}/" for place in places)) for way in ways):
            return name
    return ""


def _ways(path: str) -> Iterator[str]:
    """The paths at which one arrives, one link after the other, on the way to a path; none where there is no link."""
    for _number in range(_LINKS_MAX):
        steps = directories.steps_to(os.path.normpath(path))
        link = next((step for step in steps if os.path.islink(step)), None)
        if link is None:
            return
        rest = os.path.relpath(os.path.normpath(path), link)
        path = os.path.normpath(os.path.join(os.path.dirname(link), _link_target(link), rest))
        yield path


def _link_target(path: str) -> str:
    try:
        return kernel_files.plain(os.readlink(path))
    except OSError:
        return ""


def names_account(text: str, kind: str, name: str) -> bool:
    """Whether a unit, a program or a description has this user or group; `kind` is one of these two words."""
    return re.search(rf'^\s*"?{kind}"?\s*[=:]\s*"?{re.escape(name)}(?![\w.-])', text, re.MULTILINE | re.I) is not None
