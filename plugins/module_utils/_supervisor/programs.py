# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""supervisor: the files that it reads, and what it can be asked and told.

It is spoken to on its socket as supervisorctl does it, which takes a quarter of a second of CPU each time it is called.
Source: supervisor's manual, "Configuration File", "Subprocesses" and "XML-RPC API Documentation".
"""

from __future__ import annotations

import configparser
import contextlib
import glob
import os
import re
import shlex
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.text import checked

MANAGED = "Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run."
PROGRAM = "/usr/bin/supervisord"
CONFIGURATION = "/etc/supervisor/supervisord.conf"
PROGRAMS = "/etc/supervisor/conf.d"
LOGS = "/var/log/supervisor"
_SOCKET = "/var/run/supervisor.sock"
# The parser takes what follows a blank and one of these for a comment, and a blank at the end away.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CUT = re.compile(r"(^|\s)[;#]|^\s|\s\Z|[\x00-\x1f\x7f]")
# supervisorctl would stop and start every program of the host.
_EVERYTHING = "all"


class SupervisorError(Exception):
    """supervisor does not do what it was told; the message is its own."""


class Access(NamedTuple):
    """Where supervisor takes commands, and the password that it wants, if any."""

    socket: str
    user: str = ""
    password: str = ""


def parse_access(text: str) -> Access:
    """Read supervisord.conf for what supervisorctl needs to know."""
    section = _section(text, "unix_http_server")
    values = (section.get(name, "") for name in ("file", "username", "password"))
    path, user, password = (value.replace("%(here)s", os.path.dirname(CONFIGURATION)) for value in values)
    return Access(path or _SOCKET, user.replace("%%", "%"), password.replace("%%", "%"))


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


def program_text(name: str, description: str, options: dict[str, str]) -> str:
    """The text of a file that has one program; raises ValueError for what supervisor would read otherwise."""
    check_name(name)
    lines = [f"{option}={_quoted(option, value)}" for option, value in options.items()]
    title = " ".join(_CONTROL.sub(" ", checked(description)).split())
    return "\n".join([f"; {MANAGED}", f"; {title}", f"[program:{name}]", *lines, ""])


def command_line(arguments: list[str]) -> str:
    """The arguments as an option `command` takes them."""
    return " ".join(shlex.quote(argument) for argument in arguments)


def check_name(name: str) -> str:
    """Return the name, or raise ValueError if a program can't have it."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name == _EVERYTHING:
        raise ValueError(f"{name!r} is not a name that supervisor takes for a program")
    return name


def _quoted(option: str, value: str) -> str:
    if _CUT.search(checked(value)):
        raise ValueError(f"{option}: {value!r} has what supervisor takes for a comment, or for the end of the value")
    return value.replace("%", "%%")


def find_program(name: str, folder: str) -> list[str]:
    """The files below conf.d that have a program of that name."""
    return [path for path in sorted(glob.glob(os.path.join(folder, "*.conf"))) if has_program(name, read(path))]


def has_program(name: str, text: str) -> bool:
    """Whether the text of a file has a program of that name."""
    return re.search(rf"^\[(?:fcgi-)?program:{re.escape(name)}\]", text, re.MULTILINE) is not None


def read_files() -> dict[str, str]:
    """All files of this host that supervisor reads, those of conf.d in any case: their paths and texts."""
    text = read(CONFIGURATION)
    patterns = {os.path.join(PROGRAMS, "*.conf")}
    with contextlib.suppress(SupervisorError):
        patterns.update(parse_includes(text))
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern) if os.path.isfile(path)})
    return {CONFIGURATION: text, **{path: read(path) for path in paths}}


def read(path: str) -> str:
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""
