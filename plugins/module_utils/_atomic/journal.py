# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are put in place together, and a journal that says how to go back.

Wherever a change is killed, each file is whole, either the old or the new one, and the journal tells the next run how
to go back.
"""

from __future__ import annotations

import json
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import CANDIDATE, PREVIOUS, WantedFile

# The suffix of a file that is kept for good; systemd takes no such name for a unit's.
KEPT = ".by-hand"


def promote(files: list[WantedFile], journal: str) -> None:
    """Make the candidates the live files, and keep those that they replace.

    If an interrupted change has kept files already, those stay: they were the last that were known to work.
    """
    known = read_journal(journal)
    _forget(known)
    kept = known["files"]
    for file in files:
        kept.setdefault(file.path, os.path.lexists(file.path))
    note(journal, files=kept, ended=[])
    # Removals last: a unit must never name a file that is not there.
    for file in sorted(files, key=lambda file: file.content is None):
        previous = atomic_files.beside(file.path, PREVIOUS)
        if kept[file.path] and not os.path.lexists(previous):
            os.link(file.path, previous, follow_symlinks=False)
        if file.content is None:
            atomic_files.remove(file.path)
        else:
            os.replace(atomic_files.beside(file.path, CANDIDATE), file.path)


def set_aside(path: str, journal: str) -> None:
    """Remove a file, and keep it for the way back."""
    note(journal, files={**read_journal(journal)["files"], path: True})
    os.replace(path, atomic_files.beside(path, PREVIOUS))


def read_journal(journal: str) -> dict:
    """What a change that has not ended noted: for each of its files whether it was there before, and other items."""
    text = atomic_files.read(journal)
    return json.loads(text) if text else {"files": {}, "ended": [], "venv": None}


def note(journal: str, **items: object) -> None:
    """Add items to the journal, or replace them."""
    text = json.dumps({**read_journal(journal), **items})
    atomic_files.put(WantedFile(journal, text, 0o600, os.getegid(), os.geteuid()))


def go_back(journal: str) -> None:
    """Put back the files that the journal names, as they were; to be followed by commit."""
    known = read_journal(journal)["files"]
    for path in known:
        if known[path] and os.path.lexists(atomic_files.beside(path, PREVIOUS)):
            os.replace(atomic_files.beside(path, PREVIOUS), path)
    for path in known:
        if not known[path]:
            atomic_files.remove(path)


def keep_previous(path: str) -> str:
    """Keep the file that a change replaced beside the new one, for good, and return its path.

    Files that were kept before stay as well. A change that was killed here and is repeated keeps one copy, not two.
    """
    previous = atomic_files.beside(path, PREVIOUS)
    kept, number = path + KEPT, 1
    while os.path.lexists(kept) and not os.path.samestat(os.lstat(kept), os.lstat(previous)):
        number += 1
        kept = f"{path}{KEPT}.{number}"
    if not os.path.lexists(kept):
        os.link(previous, kept, follow_symlinks=False)
    return kept


def commit(journal: str, **items: object) -> None:
    """End the change: remove what was kept, and note other items in the journal in the same step."""
    # The journal changes first, since a run that is killed between two removals must not go back to half of the files.
    note(journal, files={}, ended=list(read_journal(journal)["files"]), venv=None, **items)
    _forget(read_journal(journal))
    atomic_files.remove(journal)


def _forget(known: dict) -> None:
    for path in known["ended"]:
        atomic_files.remove(atomic_files.beside(path, PREVIOUS))
