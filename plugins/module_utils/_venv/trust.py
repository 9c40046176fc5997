# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether root may run the programs of a virtual environment, and with whose rights they are only asked.

Who may change a program, what it loads, or the name of a directory on the way to it decides what root runs. The user of
the service must not: what builds the virtual environment runs as root. Other accounts, such as one that deploys the
code, are trusted with that, but a mere question, as with --check, is asked with their rights.
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import shutil
import stat
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# The account that owns nothing
NOBODY = Account(65534, 65534, ())
# What everybody may write can be written by it.
_ANYBODY = Account(-1, -1, ())
# A path of the host in an argument of pip, as a URL or quoted, too
_LOCAL = re.compile(
    r"""(?:-[ecrf]|^|[\s=@"'])(?:(?:\w+\+)?file:(?://(?:localhost)?)?)?((?:\.{0,2}|[\w.-]+)/[^\s;#\["']*)""",
    re.IGNORECASE,
)


class Trusted(NamedTuple):
    """Something that root runs or installs: the variable that names it, its value, what it is, and its paths."""

    variable: str
    value: object
    what: str
    paths: list[str]


class _AllBut:
    """Equals, and contains, each id but these."""

    def __init__(self, *ids: int) -> None:
        self._ids = ids

    def __eq__(self, other: object) -> bool:
        return other not in self._ids

    def __contains__(self, other: object) -> bool:
        return self == other

    __hash__ = None  # type: ignore[assignment]


def check(trusted: Iterable[Trusted], user: str, group: str) -> None:
    """Raise InvalidValue for the first that the user of the service may change; without a user, that everybody may."""
    if os.geteuid() != 0:
        return
    account = accounts.service_account(user, group) if user else _ANYBODY
    whom = f"the user {user} can't" if user else "not everybody can"
    for variable, value, what, paths in trusted:
        for path in paths:
            component = accounts.changeable_by(path, account)
            if component:
                expected = f"{what} that {whom} change, since root runs it; but {_said_of(component)}"
                raise InvalidValue(variable, value, expected)


def rights_for(paths: list[str]) -> Account | None:
    """Whose rights are enough to run what is at these paths: None if root alone can change it, and root may run it.

    The owner of what others can change, if there is only one; else nobody.
    """
    if os.geteuid() != 0:
        return None
    found = _first_changeable(paths, 0)
    if _any_changeable(paths, _ANYBODY):
        return NOBODY
    if not found:
        return None
    try:
        owner = pwd.getpwuid(os.lstat(found).st_uid)
    except (KeyError, OSError):
        return NOBODY
    # Many have a group of their own, in which nobody else is.
    is_own = _members(owner.pw_gid) <= {owner.pw_name}
    others = _AllBut(0, owner.pw_gid) if is_own else _AllBut(0)
    alone = owner.pw_uid and not _any_changeable(paths, _account(_AllBut(0, owner.pw_uid), others))
    return Account(owner.pw_uid, owner.pw_gid, ()) if alone else NOBODY


def venv_paths(path: str) -> list[str]:
    """The paths that decide what the programs of a venv do, as far as others than root own them or may write there."""
    sites = sorted(glob.glob(f"{glob.escape(path)}/lib/*/site-packages"))
    folders = [*sites, *(os.path.join(site, "gunicorn") for site in sites)]
    python = os.path.join(path, "bin", "python")
    named = [directory for site in sites for directory in _path_files(site)]
    # Not all of its entries: uv's lock may be written by everybody.
    parts = (os.path.join(path, part) for part in ("pyvenv.cfg", "lib", "pip.conf"))
    first = [path, *interpreter_paths(python), *(part for part in parts if os.path.lexists(part))]
    return [*first, *sites, *named, *(entry for each in folders for entry in _doubtful(each))]


def interpreter_paths(python: str) -> list[str]:
    """The paths of an interpreter, by its path or name, and of its standard library."""
    found = shutil.which(python)
    if found is None:
        return [python] if os.path.isabs(python) else []
    real = os.path.realpath(found)
    library = os.path.join(os.path.dirname(os.path.dirname(real)), "lib", os.path.basename(real))
    return [os.path.abspath(found), *([library] if os.path.isdir(library) else [])]


def local_paths(text: str) -> list[str]:
    """The absolute paths on the host that an argument of pip names, and what is in such a directory."""
    found = (os.path.join("/", path) for path in _LOCAL.findall(text))
    return [entry for path in found if os.path.lexists(path) for entry in with_entries(path)]


def with_entries(path: str) -> list[str]:
    """A path, and what of a directory at this path others than root own or may write; in packages, their code."""
    found = [path, *_doubtful(path)]
    for package in _packages(path):
        found += [package] if os.path.lexists(package) and _is_doubtful(os.lstat(package)) else []
        found += [entry for entry in _doubtful(package) if entry.endswith((".py", ".so"))]
    return found


def _packages(directory: str) -> Iterator[str]:
    """The packages below a directory, also below one named src, where a build may run their code."""
    waiting = [directory]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            continue
        for path in found:
            if _is_package(path):
                yield path
                waiting.append(path)
            elif folder == directory and os.path.basename(path) == "src":
                waiting.append(path)


def _is_package(path: str) -> bool:
    return os.path.lexists(os.path.join(path, "__init__.py"))


def _doubtful(directory: str) -> list[str]:
    """The entries of a directory that lead elsewhere, or that others than root own or may write."""
    try:
        with os.scandir(directory) as entries:
            # Everybody may write uv's lock, in which is nothing.
            found = [entry for entry in entries if entry.name != ".lock"]
            return sorted(entry.path for entry in found if _is_doubtful(entry.stat(follow_symlinks=False)))
    except OSError:
        return []


def _is_doubtful(status: os.stat_result) -> bool:
    return bool(status.st_uid or stat.S_ISLNK(status.st_mode) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _path_files(site: str) -> list[str]:
    """The directories that the .pth files in a directory of packages name: Python loads from there, too."""
    found = []
    for path in sorted(glob.glob(f"{glob.escape(site)}/*.pth")):
        try:
            lines = files.read_regular(path).decode(errors="replace").splitlines()
        except OSError:
            lines = []
        named = (line.strip() for line in lines if not line.startswith(("import ", "import\t", "#")))
        found += [os.path.join(site, line) for line in named if line]
    return [path for path in found if os.path.isdir(path)]


def _first_changeable(paths: list[str], *ids: int) -> str:
    found = (accounts.changeable_by(path, _account(_AllBut(*ids), _AllBut(*ids))) for path in paths)
    return next((component for component in found if component), "")


def _any_changeable(paths: list[str], account: Account) -> bool:
    return any(accounts.changeable_by(path, account) for path in paths)


def _account(uid: _AllBut, groups: _AllBut) -> Account:
    return Account(uid, -1, groups)  # type: ignore[arg-type]


def _members(gid: int) -> set[str]:
    try:
        return set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        return set()


def _said_of(component: str) -> str:
    """Whose a file or directory is, and its mode."""
    try:
        status = os.lstat(component)
    except OSError:
        return f"{component} is still to be made, where others may write"
    return f"{component} belongs to {accounts.user_name(status.st_uid)}, with mode {stat.S_IMODE(status.st_mode):04o}"
