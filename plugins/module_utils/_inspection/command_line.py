# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gunicorn's command line: whether a process or a unit runs Gunicorn, and with which options."""

from __future__ import annotations

import os
import re
import typing as t

# Every command line and every title of Gunicorn has it.
WORD = "gunicorn"
_GUNICORN = re.compile(r"gunicorn[0-9.]*")
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*[a-z]*")
_MODULES = ("gunicorn", "gunicorn.app.wsgiapp", "gunicorn.__main__")
_TITLE = re.compile(r"gunicorn: (.*?) \[(.*)\]", re.DOTALL)
_PYTHON_OPTIONS_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")
_APPLICATION = re.compile(r"[^\W\d][\w.]*(?::.+)?", re.DOTALL)
_SECRET = "********"

# The options that are read, by the name of their setting
_OPTIONS = {
    "-c": "config",
    "--config": "config",
    "-b": "bind",
    "--bind": "bind",
    "-w": "workers",
    "--workers": "workers",
    "-k": "worker_class",
    "--worker-class": "worker_class",
    "--threads": "threads",
    "--chdir": "chdir",
    "--access-logfile": "accesslog",
    "--access-logformat": "access_log_format",
    "--error-logfile": "errorlog",
    "--log-file": "errorlog",
    "-e": "raw_env",
    "--env": "raw_env",
    "--control-socket": "control_socket",
    "--dirty-app": "dirty_apps",
    "--dirty-workers": "dirty_workers",
}
_REPEATED = ("bind", "raw_env", "dirty_apps")
# All other options take a value, also those of versions newer than this list.
_FLAGS = {
    "-D",
    "-R",
    "-h",
    "-v",
    "--capture-output",
    "--casefold-http-method",
    "--check-config",
    "--daemon",
    "--disable-redirect-access-to-syslog",
    "--do-handshake-on-connect",
    "--enable-backlog-metric",
    "--enable-stdio-inheritance",
    "--help",
    "--initgroups",
    "--log-syslog",
    "--no-control-socket",
    "--no-sendfile",
    "--permit-obsolete-folding",
    "--permit-unconventional-http-method",
    "--permit-unconventional-http-version",
    "--preload",
    "--print-config",
    "--reload",
    "--reuse-port",
    "--spew",
    "--strip-header-spaces",
    "--suppress-ragged-eofs",
    "--version",
}


def is_gunicorn(arguments: t.Sequence[str]) -> bool:
    """Whether a process with these arguments is one of Gunicorn's, or gave itself such a title."""
    return is_title(arguments) or is_dirty_arbiter(arguments) or own_arguments(arguments) is not None


def is_dirty_arbiter(arguments: t.Sequence[str]) -> bool:
    """Whether the arguments are the title of the process that starts dirty workers, which names no application."""
    return bool(arguments) and arguments[0].startswith("gunicorn: dirty-arbiter")


def is_title(arguments: t.Sequence[str]) -> bool:
    """Whether the arguments are the title that setproctitle wrote over them."""
    return title_of(arguments) is not None


def title_of(arguments: t.Sequence[str]) -> str | None:
    """Return the application in such a title; None where the arguments are no title."""
    title = _TITLE.match(arguments[0]) if arguments else None
    return title[2] if title else None


def starts_gunicorn(arguments: t.Sequence[str]) -> bool:
    """Whether a command, such as that of a unit, starts Gunicorn, also by way of another program."""
    words = [word for argument in arguments for word in argument.split()]
    return any(_GUNICORN.fullmatch(os.path.basename(word)) for word in words)


def own_arguments(arguments: t.Sequence[str]) -> t.Sequence[str] | None:
    """Return Gunicorn's own arguments of a command; None where the command is not Gunicorn."""
    start = _start_of_own(arguments)
    return None if start is None else arguments[start:]


def _start_of_own(arguments: t.Sequence[str]) -> int | None:
    if not arguments:
        return None
    name = os.path.basename(arguments[0])
    if _GUNICORN.fullmatch(name):
        return 1
    if not _PYTHON.fullmatch(name):
        return None
    number = 1
    while number < len(arguments):
        argument = arguments[number]
        if argument == "-m":
            return number + 2 if arguments[number + 1 : number + 2] and arguments[number + 1] in _MODULES else None
        if not argument.startswith("-"):
            return number + 1 if _GUNICORN.fullmatch(os.path.basename(argument)) else None
        number += 2 if argument in _PYTHON_OPTIONS_WITH_VALUE else 1
    return None


def parse_options(arguments: t.Sequence[str]) -> dict[str, t.Any]:
    """Return the settings that Gunicorn's options set; the application is V(wsgi_app)."""
    settings: dict[str, t.Any] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument.startswith("--"):
            option, equals, value = argument.partition("=")
        elif argument.startswith("-") and len(argument) > 1:
            option, value = argument[:2], argument[2:]
            equals = value
        else:
            if "wsgi_app" not in settings and _APPLICATION.fullmatch(argument):
                settings["wsgi_app"] = argument
            continue
        if option in _FLAGS:
            continue
        if not equals:
            if not rest:
                break
            value = rest.pop(0)
        name = _OPTIONS.get(option)
        if name in _REPEATED:
            settings.setdefault(name, []).append(value)
        elif name:
            settings[name] = value
    return settings


def mask(arguments: t.Sequence[str]) -> list[str]:
    """Return the arguments without the values of environment variables in them, which may be secrets."""
    masked = []
    previous = ""
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if previous in ("-e", "--env"):
            argument = f"{option}={_SECRET}" if equals else argument
        elif option == "--env" and "=" in value:
            argument = f"--env={value.partition('=')[0]}={_SECRET}"
        elif argument.startswith("-e") and equals:
            argument = f"{option}={_SECRET}"
        masked.append(argument)
        previous = argument
    return masked
