# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is noted of the releases of a project, beside them, where root alone can write.

For the releases in ``releases``::

    releases/3f2a9c1d4e5b            a release: code that is never changed
    releases/.3f2a9c1d4e5b.json      its note: where it is from, its virtual environment, which steps it has done
    releases/.live.json              which release is live, which were before, and what the service was asked to be
    releases/.3f2a9c1d4e5b.new       one on its way
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile

ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,99}")
LIVE = ".live.json"
_HISTORY_MAX = 100


class Note(NamedTuple):
    """A release as it was noted."""

    id: str
    path: str
    source: dict = {}  # where it is from, for people: no secrets
    brought: float = 0.0  # when its code was complete, in seconds since 1970
    built: bool = False  # whether its build steps are done as well
    companions: dict | None = None  # with which it was live last; None before
    venv: dict = {}  # directory, fingerprint, gunicorn_version: of when it was live last; empty before
    candidate: str = ""  # the directory of the virtual environment with which its steps began
    steps: dict = {}  # by name: hash, at, reversible of the steps that it has done
    definitions: list = []  # its steps, as steps.Step.as_dict has them


class Live(NamedTuple):
    """What is live."""

    id: str = ""
    history: list = []  # id, at, back: the oldest first; back: whether it went live by going back
    asked: dict = {}  # what the service was asked to be, without secrets
    steps_left: bool = False  # whether the steps of the way back are still to be done


def path_of(directory: str, name: str) -> str:
    """The path of a release."""
    return os.path.join(directory, name)


def read(directory: str) -> list[Note]:
    """The notes of all releases that are there, the newest first."""
    entries = os.listdir(directory) if os.path.isdir(directory) else []
    found = [find(directory, entry) for entry in entries if ID.fullmatch(entry)]
    return sorted((note for note in found if note), key=lambda note: note.brought, reverse=True)


def find(directory: str, name: str) -> Note | None:
    """The note of a release that is there, or None."""
    path = path_of(directory, name)
    if not ID.fullmatch(name) or os.path.islink(path) or not os.path.isdir(path):
        return None
    text = files.read(_note_of(directory, name))
    return Note(**{**json.loads(text), "id": name, "path": path}) if text else None


def write(directory: str, note: Note) -> None:
    """Note what is known of a release."""
    told = {name: value for name, value in note._asdict().items() if name not in ("id", "path")}
    _put(_note_of(directory, note.id), told)


def forget(directory: str, name: str) -> None:
    """Remove the note of a release."""
    files.remove(_note_of(directory, name))


def read_live(directory: str) -> Live:
    """What is live."""
    text = files.read(os.path.join(directory, LIVE))
    return Live(**json.loads(text)) if text else Live()


def write_live(directory: str, live: Live) -> None:
    """Note what is live."""
    _put(os.path.join(directory, LIVE), live._replace(history=live.history[-_HISTORY_MAX:])._asdict())


def went_live(live: Live, name: str, back: bool, asked: dict) -> Live:
    """What is live once a release is; `back` says that it was gone back to."""
    if live.id == name:
        return live._replace(asked=asked)
    last = live.history[-1]["at"] if live.history else 0.0
    # A clock that was set back must not change the order.
    event = {"id": name, "at": max(time.time(), last + 0.001), "back": back}
    return Live(name, [*live.history, event], asked, steps_left=back)


def went_back(directory: str) -> None:
    """Note that the steps of the way back are done."""
    live = read_live(directory)
    if live.steps_left:
        write_live(directory, live._replace(steps_left=False))


def previous(live: Live) -> str:
    """The release that was live before the one that was deployed last, or "".

    After going back to it, it stays the same: to go back again changes nothing.
    """
    deployed = [number for number, event in enumerate(live.history) if not event["back"]]
    return live.history[deployed[-1] - 1]["id"] if deployed and deployed[-1] else ""


def _note_of(directory: str, name: str) -> str:
    return os.path.join(directory, f".{name}.json")


def _put(path: str, told: dict) -> None:
    text = json.dumps(told, indent=1, sort_keys=True) + "\n"
    files.put(WantedFile(path, text, 0o600, os.getegid(), os.geteuid()))
