# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of supervisor's programs: what they say, and which names a program can have.

Source: supervisor's manual, "Configuration File" and "Subprocesses".
"""

from __future__ import annotations

import glob
import os
import re
import shlex

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.text import checked

MANAGED = "Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run."
PROGRAM = "/usr/bin/supervisord"
PROGRAMS = "/etc/supervisor/conf.d"
LOGS = "/var/log/supervisor"
# Stands for the number of a process in the options of a program that has several: a character for private use
NUMBER = "\uf8ff"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# supervisor's parser removes blanks at the ends of a value, and takes ; or # after a blank for a comment.
_CUT = re.compile(r"(^|\s)[;#]|^\s|\s\Z|[\x00-\x1f\x7f]")
# To supervisorctl, this name means every program of the host.
_EVERYTHING = "all"


def program_text(name: str, description: str, options: dict[str, str]) -> str:
    """The text of a file with one program; raises ValueError for what supervisor would read differently."""
    _check_name(name)
    number = "%(process_num)d" if "numprocs" in options else NUMBER
    lines = [f"{option}={_quoted(option, value).replace(NUMBER, number)}" for option, value in options.items()]
    title = " ".join(_CONTROL.sub(" ", checked(description)).split())
    return "\n".join([f"; {MANAGED}", f"; {title}", f"[program:{name}]", *lines, ""])


def _quoted(option: str, value: str) -> str:
    if _CUT.search(checked(value)):
        raise ValueError(f"{option}: {value!r} has what supervisor takes for a comment, or for the end of the value")
    return value.replace("%", "%%")


def command_line(arguments: list[str]) -> str:
    """The arguments as the option `command` takes them."""
    return " ".join(shlex.quote(argument) for argument in arguments)


def check_service_name(service: str) -> None:
    """Raise InvalidValue if no program can have the service's name."""
    try:
        _check_name(service)
    except ValueError as error:
        raise InvalidValue("gunicorn_service_name", service, f"another name ({error})") from None


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name == _EVERYTHING:
        raise ValueError(f"{name!r} is not a name that supervisor takes for a program")


def find_program(name: str, folder: str) -> list[str]:
    """The files of a folder such as conf.d that have a program of that name."""
    # Not at the top: a host with systemd only asks whether there are any programs.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files

    paths = sorted(glob.glob(os.path.join(folder, "*.conf")))
    return [path for path in paths if has_program(name, files.read(path) or "")]


def has_program(name: str, text: str) -> bool:
    """Whether the text of a file has a program of that name."""
    return re.search(rf"^\[(?:fcgi-)?program:{re.escape(name)}\]", text, re.MULTILINE) is not None
