# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories of a release that a step writes, as the service's user, before the release is complete.

The user gets a copy of each in its place. Afterwards root takes over a copy of that, in files of its own: the user may
have put anything there, and may hold it open for ever. Beside the release ``ID`` there is meanwhile::

    .ID.steps                 root's alone
    .ID.steps/handed.json     which directories were handed over, in their order
    .ID.steps/0.original      what the first one was before
    .ID.steps/0.done          what the user left in it, 0.new: root's copy of that

While there is an original, what is in its place is the user's: put_back, which every run begins with, ends that.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import secrets
import stat
from typing import Iterable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import directories, trees
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.trees import Copy, UnfitTree

_LIST = "handed.json"


class Owners(NamedTuple):
    """Whose a directory is during a step, and after it."""

    user: int
    group: int
    root: int = 0


def aside_of(release: str) -> str:
    """Where directories of a release are during a step."""
    folder, name = os.path.split(release)
    return os.path.join(folder, f".{name}.steps")


def hand_over(release: str, patterns: Iterable[str], owners: Owners) -> list[str]:
    """Give the user the directories that match the patterns, and return them; raises UnfitTree and OSError."""
    put_back(release)
    places = [os.path.join(release, name) for name in _named(release, patterns)]
    if not places:
        return []
    aside = aside_of(release)
    os.mkdir(aside, 0o700)
    for number, place in enumerate(places):
        _make(release, place, owners)
        trees.copy(place, os.path.join(aside, f"{number}.users"), Copy(owners.user, owners.group))
    _note(aside, places)
    for number, place in enumerate(places):
        os.rename(place, os.path.join(aside, f"{number}.original"))
        os.rename(os.path.join(aside, f"{number}.users"), place)
    return places


def take_over(release: str, owners: Owners) -> None:
    """Replace what the user has by copies that are root's; raises UnfitTree and OSError, and then put_back is next."""
    aside = aside_of(release)
    places = _noted(aside)
    for number, place in enumerate(places):
        # Out of the user's reach, except for what a process has open
        os.rename(place, os.path.join(aside, f"{number}.done"))
    for number, place in enumerate(places):
        name = os.path.relpath(place, release)
        made = os.path.join(aside, f"{number}.new")
        how = Copy(owners.root, owners.group, of_user=owners.user, inside=release, path=place)
        try:
            trees.copy(os.path.join(aside, f"{number}.done"), made, how)
        except UnfitTree as error:
            raise UnfitTree(f"in {name}, {error}") from None
        if not os.listdir(made):
            raise UnfitTree(f"it has written nothing into {name}")
    for number, place in enumerate(places):
        os.rename(os.path.join(aside, f"{number}.new"), place)
    for number in range(len(places)):
        # Renamed, and not removed: half of an original must never be put back.
        os.rename(os.path.join(aside, f"{number}.original"), os.path.join(aside, f"{number}.replaced"))
    _discard(aside)


def put_back(release: str) -> None:
    """Have the release as it was before a step that was killed, or failed. Raises OSError."""
    aside = aside_of(release)
    for number, place in enumerate(_noted(aside)):
        original = os.path.join(aside, f"{number}.original")
        if os.path.lexists(original):
            if os.path.lexists(place):
                os.rename(place, os.path.join(aside, f"{number}.{secrets.token_hex(4)}"))
            os.rename(original, place)
    _discard(aside)


def _named(release: str, patterns: Iterable[str]) -> list[str]:
    """The directories in a release that patterns name; what is in one of them is not named again."""
    named = [pattern for pattern in patterns if "*" not in pattern]
    globs = [_regex(pattern) for pattern in patterns if "*" in pattern]
    for folder, names, _files in os.walk(release) if globs else ():
        here = os.path.relpath(folder, release)
        for name in sorted(names):
            path = os.path.normpath(os.path.join(here, name))
            is_link = os.path.islink(os.path.join(folder, name))
            if not is_link and any(each.fullmatch(path) for each in globs):
                named.append(path)
    return [name for name in dict.fromkeys(named) if not any(name.startswith(f"{one}/") for one in named)]


def _regex(pattern: str) -> re.Pattern:
    """A pattern in which * is any part of a name, and ** any directories, or none."""
    parts = (re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("/"))
    text = "/".join("**" if part == "[^/]*[^/]*" else part for part in parts)
    return re.compile(text.replace("**/", "(?:.*/)?").replace("**", ".*"), re.DOTALL)


def _make(release: str, place: str, owners: Owners) -> None:
    """Make a directory of the release, and those above it, where they are not there."""
    for path in directories.steps_to(place):
        if not path.startswith(f"{release}/"):
            continue
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o750)
            os.chown(path, owners.root, owners.group)
            os.chmod(path, 0o750)
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise UnfitTree(f"{os.path.relpath(path, release)} is in the release, and is no directory")


def _note(aside: str, places: list[str]) -> None:
    text = json.dumps(places)
    files.put(WantedFile(os.path.join(aside, _LIST), text, 0o600, os.getegid(), os.geteuid()))


def _noted(aside: str) -> list[str]:
    text = files.read(os.path.join(aside, _LIST))
    return json.loads(text) if text else []


def _discard(aside: str) -> None:
    """Remove what is beside a release, also what an earlier run could not remove."""
    if os.path.lexists(aside):
        os.rename(aside, f"{aside}.{secrets.token_hex(4)}")
    for path in glob.glob(f"{glob.escape(aside)}.*"):
        _remove(path)


def _remove(path: str) -> None:
    """Remove what may be the user's. What a process still adds to it stays for the next run: root alone gets there."""
    with contextlib.suppress(OSError):
        directories.remove(path)
