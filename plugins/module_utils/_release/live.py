# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What going live means for a release beside the service: static files, the link for people, which releases stay."""

from __future__ import annotations

import os
from typing import Callable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories, links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes, static
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note

ARGUMENT = {
    "type": "dict",
    "options": {
        "id": {"type": "str", "required": True},
        "directory": {"type": "path", "required": True},
        "kept": {"type": "int", "default": 3},
        "static": {"type": "str", "default": ""},
        "public_static": {"type": "str", "default": ""},
        "back": {"type": "bool", "default": False},
    },
}


class Release(NamedTuple):
    """The release that must be live."""

    id: str
    directory: str  # of all releases
    kept: int = 3  # how many stay, with the live one
    static: str = ""  # where a release has its static files, relative to it; "" for none
    public_static: str = ""  # where the web server finds them
    back: bool = False  # whether it is gone back to

    @property
    def path(self) -> str:
        """Where its code is."""
        return notes.path_of(self.directory, self.id)

    @property
    def current(self) -> str:
        """The link to the live release."""
        return os.path.join(os.path.dirname(self.directory), "current")


def live_id(wanted: Release | None) -> str:
    """The ID of the release that is live beside the wanted one; empty for none."""
    return notes.read_live(wanted.directory).id if wanted else ""


def offer(wanted: Release) -> None:
    """Have the web server find the static files of a release that is about to be tried, after those of the live one."""
    live = notes.read_live(wanted.directory)
    _publish(wanted, live, notes.read(wanted.directory), [live.id, wanted.id])


def take_back(wanted: Release) -> None:
    """Take back an offer: the web server finds what it found before."""
    live = notes.read_live(wanted.directory)
    if live.id:
        _publish(wanted, live, notes.read(wanted.directory), [live.id])
    elif wanted.public_static:
        static.withdraw(wanted.public_static)


def settle(wanted: Release, asked: dict, venv: dict, unused: Callable[[list[str]], list[str]]) -> list[str]:
    """Make a release that works the live one, and give back the space of those that are not kept.

    `unused` says which of some directories nobody needs now. Returns the venvs that only removed releases needed.
    """
    note = notes.find(wanted.directory, wanted.id)
    if note is not None:
        # The companions of a release may need its code.
        settled = note._replace(venv=venv, companions=asked.get("companions"))
        if settled != note:
            notes.write(wanted.directory, settled)
    live = notes.went_live(notes.read_live(wanted.directory), wanted.id, wanted.back, asked)
    notes.write_live(wanted.directory, live)
    if _is_ours(wanted):
        links.switch_link(wanted.current, wanted.path)
    before = notes.read(wanted.directory)
    stay = kept(live, before, wanted.kept)
    doomed = unused([note.path for note in before if note.id not in stay])
    after = [note for note in before if note.path not in doomed]
    # Before their files go: a page that is open may still name them, but no page that is made now.
    _publish(wanted, live, after, [wanted.id])
    for path in doomed:
        discard(wanted.directory, os.path.basename(path))
    if wanted.public_static:
        static.prune(wanted.public_static)
    needed = venvs(after)
    return [each for each in venvs(before) if each not in needed]


def problems(wanted: Release) -> list[str]:
    """What is not as settle left it, a sentence each."""
    live = notes.read_live(wanted.directory)
    found = []
    if live.id and live.id != wanted.id:
        found.append(f"the live release is {live.id}, not {wanted.id}")
    if _is_ours(wanted) and os.path.realpath(wanted.current) != os.path.realpath(wanted.path):
        found.append(f"{wanted.current} does not lead to the release {wanted.id}")
    sources = _sources(wanted, live, notes.read(wanted.directory), [wanted.id])
    if live.id == wanted.id and wanted.public_static and not static.is_published(wanted.public_static, sources):
        found.append(f"{wanted.public_static} does not have the static files of the releases")
    return found


def kept(live: Live, found: list[Note], number: int) -> list[str]:
    """The releases that stay: the last that were live, and newer ones, which may be on their way in another run."""
    recent = list(dict.fromkeys([live.id, *(event["id"] for event in reversed(live.history))]))
    brought = {note.id: note.brought for note in found}
    were_live = [name for name in recent if name in brought][:number]
    new = [name for name in brought if name not in recent and brought[name] > brought.get(live.id, 0.0)]
    return [*were_live, *new]


def venvs(found: list[Note]) -> list[str]:
    """The virtual environments that releases were live with."""
    return list(dict.fromkeys(note.venv["directory"] for note in found if note.venv))


def paths(directory: str, public_static: str, service: str) -> list[str]:
    """All that is there of the releases of a service, beside their virtual environments."""
    if not directory or not os.path.lexists(os.path.join(directory, notes.LIVE)):
        return []
    if notes.read_live(directory).asked.get("name", service) != service:
        return []
    current = Release("", directory).current
    mine = [current] if os.path.islink(current) and _is_ours(Release("", directory)) else []
    return [directory, *mine, *(static.made(public_static) if public_static else [])]


def discard(directory: str, name: str) -> None:
    """Remove a release. A killed run leaves one that counts for none."""
    notes.forget(directory, name)
    directories.remove(notes.path_of(directory, name))


def _is_ours(wanted: Release) -> bool:
    """Whether the link for people is one of ours, or there is none: others may have one of that name."""
    if not os.path.islink(wanted.current):
        return not os.path.lexists(wanted.current)
    target = os.path.join(os.path.dirname(wanted.current), os.readlink(wanted.current))
    return links.settled(target).startswith(os.path.realpath(wanted.directory) + "/")


def _publish(wanted: Release, live: Live, found: list[Note], first: list[str]) -> None:
    if wanted.public_static:
        static.publish(wanted.public_static, _sources(wanted, live, found, first))


def _sources(wanted: Release, live: Live, found: list[Note], first: list[str]) -> list[str]:
    """Where releases have their static files: those in `first`, then the others in `found`, the newest first."""
    there = [note.id for note in found]
    were_live = [event["id"] for event in reversed(live.history)]
    names = dict.fromkeys([*first, *(name for name in were_live if name in there)])
    paths_of = (_static_in(notes.path_of(wanted.directory, name), wanted.static) for name in names if name)
    return [path for path in paths_of if path]


def _static_in(release: str, static_directory: str) -> str:
    """Where the static files of a release really are; "" if a link leads out of it, as to what others can change."""
    root = os.path.realpath(release)
    path = os.path.realpath(os.path.join(root, static_directory))
    return path if path.startswith(root + "/") else ""
