# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the units and programs of other services name, and what their processes use: a removal leaves that in place."""

from __future__ import annotations

import glob
import os
import re
from typing import Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories, kernel_files, processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import launcher
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, unit_processes, units

_PATH = re.compile(r"/[^\s\"'`:;,=\\]+")
_LINKS_MAX = 40


def read_others(own: tuple[str, ...]) -> list[tuple[str, str]]:
    """The file names and texts of all units and programs except `own`, whichever manager runs this host.

    A unit counts with its drop-ins. Neither the stand-in nor the drop-ins of an own service count.
    """
    stems = {os.path.splitext(os.path.basename(path))[0] for path in own}
    ours = {f"{name}.service" for stem in stems for name in (stem, launcher.standin(stem))}
    texts: dict[str, list[str]] = {}
    for folder in (units.UNIT_DIRECTORY, runtime_units.DIRECTORY):
        for path in sorted(glob.glob(os.path.join(folder, "*.service"))):
            name = os.path.basename(path)
            if path not in own and not (folder == runtime_units.DIRECTORY and name in ours):
                texts.setdefault(name, []).append(files.read(path) or "")
        for path in sorted(glob.glob(os.path.join(folder, "*.service.d", "*.conf"))):
            name = os.path.basename(os.path.dirname(path))[: -len(".d")]
            if name not in ours:
                texts.setdefault(name, []).append(files.read(path) or "")
    for path, text in configuration.read_files().items():
        if path not in own:
            # A program that the role made says no more than where its description is.
            described = [files.read(each) or "" for each in launcher.descriptions_in(text)]
            texts.setdefault(os.path.basename(path), []).extend([text, *described])
    return [(name, "\n".join(found)) for name, found in texts.items()]


def read_processes(own: tuple[str, ...], root: str = "/") -> list[tuple[str, str]]:
    """The units whose processes run now, except `own` and the one that this process is in, and the paths that they use.

    These are programs, arguments, working directories, and files in memory, such as a library of a virtual environment.
    """
    left_out = {*own, unit_processes.unit_of(os.getpid())}
    texts: dict[str, set[str]] = {}
    for pid, arguments in processes.read_command_lines(root):
        unit = unit_processes.unit_of(pid, root)
        if unit and unit not in left_out:
            found = texts.setdefault(unit, set())
            found.update(arguments, re.findall(r" (/.*)$", kernel_files.read(f"{root}proc/{pid}/maps"), re.MULTILINE))
            for name in ("exe", "cwd"):
                found.add(_link_target(f"{root}proc/{pid}/{name}"))
    return [(unit, "\n".join(sorted(found))) for unit, found in texts.items()]


def naming_path(others: list[tuple[str, str]], path: str) -> str:
    """The first service that names a path or something below it, also by way of links, or an empty string.

    Of a link, the link itself counts, and not what it leads to.
    """
    places = {path, links.settled(path)}
    named = re.compile("|".join(rf"(?<![\w.-]){re.escape(place)}(?![\w.-])" for place in sorted(places)))
    for name, text in others:
        if named.search(text):
            return name
        ways = (way for written in set(_PATH.findall(text)) for way in _ways(written))
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
