# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stamp of a virtual environment: what was installed into it last, from what, and for which services."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import sources
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.sources import Source

NAME = ".gunicorn-requirements"
_SERVICES_MAX = 50
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


class Stamp(NamedTuple):
    """What was installed last; all hashes are SHA-256 in hexadecimal."""

    inputs: str = ""  # hash of what was asked for
    lines: str = ""  # hash of the lines of all requirements, as pip's parser gave them
    installed: str = ""  # hash of what the venv had then
    files: Mapping[str, str] = {}  # the hash of each requirements file, by path
    sources: Mapping[str, Source] = {}  # local directories and files that were installed, by path
    editable: frozenset[str] = frozenset()  # which of the sources are editable
    moves: bool = False  # whether a requirement may be another one later: a branch, or a URL without a hash
    revision: str = ""  # of the application
    services: Mapping[str, str] = {}  # a hash of what each wanted when it was installed for it, the last one last


def write(directory: str, stamp: Stamp) -> None:
    """Write the stamp of a virtual environment."""
    content = {
        **stamp._asdict(),
        "editable": sorted(stamp.editable),
        "services": dict(list(stamp.services.items())[-_SERVICES_MAX:]),
    }
    text = json.dumps(content, indent=1) + "\n"
    # The old file is replaced and not written to: a backup by hard links shares it.
    files.put(WantedFile(os.path.join(directory, NAME), text, 0o644, os.getegid(), os.geteuid()))


def read(directory: str) -> Stamp:
    """What the stamp says, which may not be root's; an empty one if there is none that can be read."""
    try:
        found = json.loads(files.read_regular(os.path.join(directory, NAME)))
        return Stamp(
            inputs=_hash(found["inputs"]),
            lines=_hash(found["lines"]),
            installed=_hash(found["installed"]),
            files={path: _hash(value) for path, value in found["files"].items() if os.path.isabs(path)},
            sources={
                path: Source(_hash(looks), _hash(content))
                for path, (looks, content) in found["sources"].items()
                if os.path.isabs(path)
            },
            editable=frozenset(map(str, found["editable"])),
            moves=found["moves"] is True,
            revision=str(found["revision"]),
            services={name: value for name, value in found["services"].items() if _noted(name, value)},
        )
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError):
        return Stamp()


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError("no hash")
    return value


def _noted(name: str, value: object) -> bool:
    return bool(_SERVICE.fullmatch(name) and isinstance(value, str) and _HASH.fullmatch(value))


def is_current(stamp: Stamp, inputs: str, revision: str) -> bool:
    """Whether the same is asked for, and nothing that it was installed from has changed since."""
    if stamp.inputs != inputs or (stamp.moves and stamp.revision != revision):
        return False
    return not changed_files(stamp) and not changed_sources(stamp)


def changed_files(stamp: Stamp) -> bool:
    """Whether a requirements file, or one that it includes, has another content or is gone."""
    try:
        return any(hash_of_file(files.read_regular(path)) != noted for path, noted in stamp.files.items())
    except OSError:
        return True


def changed_sources(stamp: Stamp) -> list[str]:
    """The local directories and files that have changed since they were installed."""
    return [path for path, noted in stamp.sources.items() if sources.has_changed(path, path in stamp.editable, noted)]


def hash_of(texts: list[str]) -> str:
    """A hash of texts, which is the same with another password in a URL."""
    # Everybody can read it, and could try passwords. Another password is no other requirement, either.
    return hashlib.sha256(json.dumps(urls.without_passwords(texts)).encode()).hexdigest()


def hash_of_file(content: bytes) -> str:
    """A hash of a file's content, which is the same with another password in a URL."""
    return hash_of([content.decode("utf-8", "surrogateescape")])


def other_owner(stamp: Stamp, service: str, wanted: str) -> str:
    """The service that something else was installed for, and that has a right to it, or "".

    Services may share a virtual environment if they want the same, and one of them has to come first with a change. So
    this one must leave what another one has installed only if it is new, or wants what it wanted before.
    """
    last = next(reversed(list(stamp.services)), "")
    if not service or last in ("", service) or stamp.services[last] == wanted:
        return ""
    return last if stamp.services.get(service, wanted) == wanted else ""
