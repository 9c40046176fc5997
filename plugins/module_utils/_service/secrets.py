# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a service that root alone can read: its secrets.env, and a file for each credential."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import Iterable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files as atomic_files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import comparison, names, running
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting

_FILE = "secrets.env"


class NotOurs(Exception):
    """A file of secrets exists that the role did not make."""


def secret_files(secrets: str, credentials: str, folder: str) -> tuple[list[WantedFile], str]:
    """Return the files that only root can read, also removed ones, and a hash of their content; raises NotOurs."""
    path = os.path.join(folder, _FILE)
    live = atomic_files.read(path)
    is_ours = live is None or running.SECRETS in live
    if not (is_ours or secrets):
        return [], ""
    if not is_ours:
        text = f"gunicorn_secrets: {path} was not made by the role: move its content to gunicorn_secrets"
        raise NotOurs(f"{text}. Nothing was changed.")
    contents = json.loads(base64.b64decode(credentials))
    gone = set(names.credentials_of(live or "")) - set(contents)
    value = comparison.digest(secrets, credentials) if secrets else ""
    text = comparison.fill_in(secrets, "SECRETS", value) if secrets else None
    files = [WantedFile(path, text, 0o600, secret=True)]
    for name in sorted(gone | set(contents)):
        credential = os.path.join(folder, "credentials", name)
        files.append(WantedFile(credential, contents.get(name), 0o600, secret=True))
    return files, value


def live_files(folder: str) -> tuple[list[WantedFile], str]:
    """The same as secret_files for what the host has now: it stays as it is."""
    path = os.path.join(folder, _FILE)
    text = atomic_files.read(path)
    if text is None or running.SECRETS not in text:
        return [], ""
    files = [WantedFile(path, text, 0o600, secret=True)]
    for name, content in _live_credentials(folder, text).items():
        files.append(WantedFile(os.path.join(folder, "credentials", name), content, 0o600, secret=True))
    found = re.search(rf"^{running.SECRETS}=([0-9a-f]*)$", text, re.MULTILINE)
    return files, found[1] if found else ""


def live_texts(folder: str) -> dict[str, str]:
    """The arguments `secrets` and `credentials` of the services' modules, for what the host has now."""
    text = atomic_files.read(os.path.join(folder, _FILE)) or ""
    if running.SECRETS not in text:
        text = ""
    credentials = json.dumps(_live_credentials(folder, text), sort_keys=True)
    return {"secrets": text, "credentials": base64.b64encode(credentials.encode()).decode()}


def _live_credentials(folder: str, text: str) -> dict[str, str]:
    """The credentials that were written with a file of secrets, by their names."""
    found = {name: atomic_files.read(os.path.join(folder, "credentials", name)) for name in names.credentials_of(text)}
    return {name: content for name, content in found.items() if content is not None}


def secret_values(files: Iterable[WantedFile]) -> list[str]:
    """The secrets themselves, those in the files and those that are live until then."""
    values: list[str] = []
    for file in files:
        for text in (file.content, atomic_files.read(file.path)):
            is_list = os.path.basename(file.path) == _FILE
            values += quoting.environment_file_values(text or "") if is_list else [text or ""]
    return values
