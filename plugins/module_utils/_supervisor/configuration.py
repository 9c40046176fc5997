# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How supervisor is configured: where it takes commands, and which files it reads.

Source: supervisor's manual, "Configuration File".
"""

from __future__ import annotations

import configparser
import contextlib
import glob
import os
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs

CONFIGURATION = "/etc/supervisor/supervisord.conf"
_SOCKET = "/var/run/supervisor.sock"


class SupervisorError(Exception):
    """supervisor does not do what it was told; the message has its own words."""


class Access(NamedTuple):
    """Where supervisor takes commands, and the password that it wants, if any."""

    socket: str
    user: str = ""
    password: str = ""


def read_access() -> Access:
    """Where this host's supervisor takes commands; raises SupervisorError if its configuration can't be read."""
    return parse_access(files.read(CONFIGURATION) or "")


def parse_access(text: str) -> Access:
    """Read supervisord.conf for what supervisorctl needs to know."""
    section = _section(text, "unix_http_server")
    values = (section.get(name, "") for name in ("file", "username", "password"))
    path, user, password = (value.replace("%(here)s", os.path.dirname(CONFIGURATION)) for value in values)
    return Access(path or _SOCKET, user.replace("%%", "%"), password.replace("%%", "%"))


def read_files() -> dict[str, str]:
    """The paths and texts of all files that this host's supervisor reads; those in conf.d in any case."""
    text = files.read(CONFIGURATION) or ""
    patterns = {os.path.join(programs.PROGRAMS, "*.conf")}
    with contextlib.suppress(SupervisorError):
        patterns.update(parse_includes(text))
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern) if os.path.isfile(path)})
    return {CONFIGURATION: text, **{path: files.read(path) or "" for path in paths}}


def parse_includes(text: str) -> list[str]:
    """Read supervisord.conf for the patterns of the files that it includes."""
    folder = os.path.dirname(CONFIGURATION)
    patterns = _section(text, "include").get("files", "").replace("%(here)s", folder).split()
    return [os.path.join(folder, pattern) for pattern in patterns]


def _section(text: str, name: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise SupervisorError(f"{CONFIGURATION} can't be read: {' '.join(str(error).split())}") from None
    return parser[name] if parser.has_section(name) else {}
