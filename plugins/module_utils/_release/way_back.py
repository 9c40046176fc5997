# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kept release to go back to, and what its service is asked to be."""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

PREVIOUS = "previous"
_REVISION = "GUNICORN_APP_REVISION"


def find(directory: str, wanted: str, variable: str, force: bool = False) -> Note:
    """The note of the release that is meant: 'previous', or an ID. It was live, and is there with its venv.

    InvalidValue if there is none, or if steps of a later release can't be undone, unless `force`.
    """
    live = notes.read_live(directory)
    possible = [note for note in notes.read(directory) if note.venv and os.path.isdir(note.venv["directory"])]
    name = notes.previous(live) if wanted == PREVIOUS else wanted
    found = next((note for note in possible if note.id == name), None)
    if found is None:
        raise InvalidValue(variable, wanted, _expected(directory, wanted, name, possible))
    if not force:
        _refuse_what_can_not_be_undone(directory, live, found, variable, wanted)
    return found


def _expected(directory: str, wanted: str, name: str, possible: list[Note]) -> str:
    listed = f"kept are {', '.join(note.id for note in possible)}" if possible else "none is kept"
    if wanted != PREVIOUS:
        return f"the ID of a release in {directory} that was live: {listed}"
    if name:
        return f"a release that is there: {name} was live before, and is gone; {listed}"
    return f"a release that was live before another one: there was none; {listed}"


def _refuse_what_can_not_be_undone(directory: str, live: Live, target: Note, variable: str, wanted: str) -> None:
    for name in later(live, target.id):
        note = notes.find(directory, name)
        for step, done in (note.steps if note else {}).items():
            if not done.get("reversible", True):
                expected = (
                    f"a release from {name} on, whose step {step} can't be undone. Bring a newer release instead, or "
                    "force it if you know that the older one works with what the step did"
                )
                raise InvalidValue(variable, wanted, expected)


def later(live: Live, name: str) -> list[str]:
    """The releases that went live after this one did, the live one included."""
    order = [event["id"] for event in live.history]
    since = len(order) - order[::-1].index(name) if name in order else len(order)
    return [each for each in dict.fromkeys(order[since:]) if each != name]


def asked_for(live: Live, directory: str, target: Note) -> dict[str, Any]:
    """What the service is asked to be to run the release: as it was asked last, with the code, venv and companions."""
    path = notes.path_of(directory, live.id)
    places = {path: target.path, live.asked["venv_directory"]: target.venv["directory"]}
    given = _replaced(live.asked, [(_whole(old), new) for old, new in places.items()])
    revision = (re.compile(rf"(?<={_REVISION}=){re.escape(live.id)}(?![\w.+-])"), target.id)
    given = _replaced(given, [revision])
    if _REVISION in (given.get("environment") or {}):
        given["environment"][_REVISION] = target.id
    return {
        **given,
        "venv_backup": "",
        "venv_fingerprint": target.venv["fingerprint"],
        "gunicorn_version": target.venv["gunicorn_version"],
        "release": {**given["release"], "id": target.id, "back": True},
        "companions": given.get("companions") if target.companions is None else target.companions,
    }


def _whole(path: str) -> re.Pattern:
    """A pattern for a path and what is below it, but not for another one that begins in the same way."""
    return re.compile(rf"(?<![\w.]){re.escape(path)}(?![\w.+@=,-])")


def _replaced(value: Any, pairs: list[tuple[re.Pattern, str]]) -> Any:
    """A value with these texts replaced wherever it has them."""
    if isinstance(value, dict):
        return {name: _replaced(item, pairs) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, pairs) for item in value]
    if isinstance(value, str):
        for pattern, new in pairs:
            value = pattern.sub(lambda _match, text=new: text, value)
    return value
