# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the cgroups of a slice or a process are, in version 1 and 2."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_CONTROLLERS = frozenset(("cpu", "cpuacct", "cpuset", "memory", "pids"))
# The alphabet of unit names, without the dash, which separates a slice from its parents.
_SLICE = re.compile(r"(-|[\w:.\\]+(-[\w:.\\]+)*)\.slice", re.ASCII)
_OCTAL = re.compile(r"\\([0-7]{3})")


class _Mount(t.NamedTuple):
    """A cgroup hierarchy as mounted here: which cgroup is seen where. Version 2 has no names of controllers."""

    root: str
    point: str
    controllers: frozenset[str]


def check_slice(name: str, variable: str = "slice") -> str:
    """Return the name, or raise InvalidValue if systemd would not take it for a slice."""
    if not isinstance(name, str) or not _SLICE.fullmatch(name):
        raise InvalidValue(variable, name, "the name of a systemd slice, such as system.slice or web-shop.slice")
    return name


def cgroups_of_slice(slice_name: str, root: str = "/") -> list[str]:
    """Return the folders of every cgroup whose limits hold for the slice, the outermost of each hierarchy first.

    A slice that does not exist yet has no folder. In version 1 each controller may have a hierarchy of its own.
    """
    folders: list[str] = []
    memberships = _memberships(1, root)
    for mount in _mounts(root):
        names = _path_below(_init_cgroup(mount, memberships), mount.root) + _slice_path(slice_name)
        folders += _folders(join(root, mount.point), names)
    return folders


def cgroups_of(pid: int, root: str = "/") -> list[str]:
    """Return the folders of every cgroup that a process is in, the outermost of each hierarchy first."""
    folders: list[str] = []
    memberships = _memberships(pid, root)
    for mount in _mounts(root):
        folders += _folders(join(root, mount.point), _path_below(_cgroup(mount, memberships), mount.root))
    return folders


def _folders(top: str, names: list[str]) -> list[str]:
    """Return the folders on the way down as far as they exist; most hierarchies have none for a slice."""
    folders = [top]
    for name in names:
        folder = os.path.join(folders[-1], name)
        if not os.path.isdir(folder):
            break
        folders.append(folder)
    return folders


def _slice_path(name: str) -> list[str]:
    """Return the nested slices that the name stands for: a-b.slice is in a.slice."""
    parts = name[: -len(".slice")].split("-")
    if not any(parts):
        return []  # -.slice, the root
    return ["-".join(parts[: depth + 1]) + ".slice" for depth in range(len(parts))]


def _init_cgroup(mount: _Mount, memberships: list[list[str]]) -> str:
    """Return the cgroup in which systemd makes its slices: that of PID 1, without the scope of systemd itself."""
    path = _cgroup(mount, memberships)
    return path[: -len("/init.scope")] if path.endswith("/init.scope") else path


def _cgroup(mount: _Mount, memberships: list[list[str]]) -> str:
    """Return the cgroup of a process in a hierarchy."""
    for number, controllers, path in memberships:
        if set(controllers.split(",")) & mount.controllers or (number == "0" and not mount.controllers):
            return path
    return "/"


def _memberships(pid: int, root: str) -> list[list[str]]:
    """Return the number, the controllers and the cgroup of each hierarchy, as the kernel lists them for a process."""
    lines = read(join(root, f"/proc/{pid}/cgroup")).splitlines()
    return [(line.split(":", 2) + ["", ""])[:3] for line in lines]


def _path_below(cgroup: str, mount_root: str) -> list[str]:
    """Return the names on the way from the mounted cgroup down to this one.

    There are none where the mount doesn't show it: some containers see their own cgroup as the mount's root but the
    host's names in /proc, and others the reverse (a path that begins with /..). The mounted cgroup is then the closest
    that can be read.
    """
    below = os.path.relpath(cgroup or "/", mount_root or "/").split("/")
    return [] if below[0] in (".", "..") else below


def _mounts(root: str) -> list[_Mount]:
    """Return the mounted cgroup hierarchies that have a controller of interest here."""
    mounts = []
    for line in read(join(root, "/proc/self/mountinfo")).splitlines():
        if " - cgroup" not in line:
            continue
        fields, _separator, kind = line.partition(" - ")
        shown, filesystem = fields.split(), kind.split()
        if len(shown) < 5 or len(filesystem) < 3 or filesystem[0] not in ("cgroup", "cgroup2"):
            continue
        controllers = filesystem[2].split(",") if filesystem[0] == "cgroup" else []
        if controllers and _CONTROLLERS.isdisjoint(controllers):
            continue
        mounts.append(_Mount(_unescape(shown[3]), _unescape(shown[4]), frozenset(controllers)))
    return mounts


def _unescape(path: str) -> str:
    return _OCTAL.sub(lambda code: chr(int(code.group(1), 8)), path)
