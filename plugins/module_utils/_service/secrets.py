# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a service that root alone can read: its secrets.env, and a file for each credential."""

from __future__ import annotations

import base64
import json
import os
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


def secret_values(files: Iterable[WantedFile]) -> list[str]:
    """The secrets themselves, those in the files and those that are live until then."""
    values: list[str] = []
    for file in files:
        for text in (file.content, atomic_files.read(file.path)):
            is_list = os.path.basename(file.path) == _FILE
            values += quoting.environment_file_values(text or "") if is_list else [text or ""]
    return values
