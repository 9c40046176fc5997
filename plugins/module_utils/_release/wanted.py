# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release that is wanted, as the parameters of the module gunicorn_release say it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any, Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import login as release_login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import steps as release_steps
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.login import Login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.source import Source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.steps import Step
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_IDENTITY = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?\Z")


class Wanted(NamedTuple):
    """A release that is wanted."""

    source: Source
    login: Login
    directory: str  # of the releases
    user: str
    group: str
    steps: list[Step]
    revision: str = ""
    identity: str = ""  # what the controller has found: a commit, or the SHA-256 of an archive
    file: str = ""  # a file of the host with the content that the controller has brought


def read(parameters: Mapping[str, Any]) -> Wanted:
    """The release that is wanted; raises InvalidValue."""
    secret = decoded(parameters["login"])
    # A URL that has a token comes here, where it is not shown.
    url = secret.pop("url", None) if isinstance(secret, dict) else None
    given = parameters["source"]
    source = release_source.parse({**given, "archive": url} if url and isinstance(given, dict) else given)
    wanted = Wanted(
        source=source,
        login=release_login.parse(secret),
        directory=checks.check_path("gunicorn_releases_directory", parameters["directory"]),
        user=checks.check_name("gunicorn_user", parameters["user"]),
        group=checks.check_name("gunicorn_group", parameters["group"] or parameters["user"]),
        steps=release_steps.parse(parameters["steps"], parameters["static"]),
        revision=parameters["revision"],
        identity=parameters["identity"],
        file=parameters["file"],
    )
    if not _IDENTITY.match(wanted.identity):
        raise InvalidValue("identity", wanted.identity, "a commit or the SHA-256 of an archive")
    return wanted


def decoded(text: str) -> Any:
    """What is in the base64 text of the option login."""
    try:
        return json.loads(base64.b64decode(text, validate=True)) if text else {}
    except (binascii.Error, ValueError):
        expected = "JSON of a mapping, encoded in base64"
        raise InvalidValue(release_login.VARIABLE, release_login.HIDDEN, expected) from None


def id_of(wanted: Wanted, identity: str) -> str:
    """The ID of a release: what it is made of, and what else makes it another one."""
    build = release_steps.build_hash(wanted.steps)
    source = wanted.source
    others = {"build": build, "path": source.path, "submodules": source.submodules, "revision": wanted.revision}
    given = {name: value for name, value in others.items() if value}
    suffix = f"-{hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:6]}" if given else ""
    return f"{identity[:12]}{suffix}"
