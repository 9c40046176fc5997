# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gunicorn's configuration as it can be read from outside: command line, environment and configuration file.

Gunicorn's own order: what is built in, then WEB_CONCURRENCY, the configuration file, GUNICORN_CMD_ARGS, the command
line. The configuration file is Python; it is not run, only assignments of literals at its top level are read. A setting
that is computed there, or a file that can't be read, leaves the setting unknown.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import typing as t
import warnings

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, plain, read_tail

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
}
_REPEATED = ("bind", "raw_env")
# All others take a value: so does an option of a version that is newer than this list.
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
DEFAULTS: dict[str, t.Any] = {
    "workers": 1,
    "threads": 1,
    "worker_class": "sync",
    "bind": ["127.0.0.1:8000"],
    "wsgi_app": None,
    "accesslog": None,
    "access_log_format": '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
    "errorlog": "-",
    "control_socket": "gunicorn.ctl",
}
_TYPES = {"workers": int, "threads": int, "bind": (str, list, tuple)}
_LONGEST_FILE = 1 << 16


class Configured(t.NamedTuple):
    """What a Gunicorn was configured with; None is not known, and an empty path of a log is none."""

    application: str | None
    workers: int | None
    threads: int | None
    worker_class: str | None
    binds: tuple[str, ...] | None
    accesslog: str | None
    access_log_format: str | None
    errorlog: str | None
    control_socket: str | None
    complete: bool  # the configuration file could be read, or there is none


def is_gunicorn(arguments: t.Sequence[str]) -> bool:
    """Whether a process with these arguments is one of Gunicorn's, or gave itself such a title."""
    return bool(arguments) and (bool(_TITLE.match(arguments[0])) or _program(arguments) is not None)


def is_title(arguments: t.Sequence[str]) -> bool:
    """Whether the arguments are the title that setproctitle wrote over them."""
    return bool(arguments) and bool(_TITLE.match(arguments[0]))


def starts_gunicorn(arguments: t.Sequence[str]) -> bool:
    """Whether a command, such as that of a unit, starts Gunicorn, if need be by way of another program."""
    words = [word for argument in arguments for word in argument.split()]
    return any(_GUNICORN.fullmatch(os.path.basename(word)) for word in words)


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


def configured(
    arguments: t.Sequence[str], environment: dict[str, str], directory: str | None, root: str = "/"
) -> Configured:
    """Return what a Gunicorn was configured with that was started with these in the directory."""
    start = _program(arguments)
    line = parse_options(arguments[start:]) if start is not None else {}
    extra = parse_options(_split(environment.get("GUNICORN_CMD_ARGS", "")))
    directory = _value(line, extra, "chdir") or directory
    path = _value(line, extra, "config") or "gunicorn.conf.py"
    in_file = None if start is None else read_file(path, directory, root)
    found: dict[str, t.Any] = dict.fromkeys(DEFAULTS)
    if in_file is not None:
        found = {**DEFAULTS, **_concurrency(environment), **in_file}
    found = _typed({**found, **extra, **line})
    title = _TITLE.match(arguments[0]) if arguments else None
    if found["application"] is None and title:
        found["application"] = title[2]
    for name in ("accesslog", "errorlog"):
        found[name] = _log_path(found[name], directory)
    return Configured(complete=in_file is not None, **found)


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


def read_file(path: str, directory: str | None, root: str = "/") -> dict[str, t.Any] | None:
    """Return the settings in a configuration file, which are none if it is not there; None if it can't be read."""
    if path.startswith("python:"):
        return None
    path = path[len("file:") :] if path.startswith("file:") else path
    if directory is None and not path.startswith("/"):
        return None
    try:
        text, begin = read_tail(join(root, os.path.join(directory or "/", path)), _LONGEST_FILE)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    return None if begin else parse_file(text)


def parse_file(text: bytes) -> dict[str, t.Any] | None:
    """Return what a configuration file assigns at its top level; None for what is computed, and for no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes and the like, which would go to the module's output
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    settings: dict[str, t.Any] = {}
    for node in tree.body:
        for name, value in _assignments(node):
            if name in DEFAULTS:
                settings[name] = _literal(value)
    return settings


def _assignments(node: ast.stmt) -> list[tuple[str, ast.expr | None]]:
    """Return the names that a statement may assign, with the expression where it surely does."""
    if isinstance(node, ast.Assign):
        return [(target.id, node.value) for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [(node.target.id, node.value)] if node.value else []
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import)):
        return []
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        return [(name, None) for name in DEFAULTS]
    # Within an if, a with or a loop: perhaps.
    stored = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    return [(part.id, None) for part in stored]


def _literal(value: ast.expr | None) -> t.Any:
    try:
        return None if value is None else ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _program(arguments: t.Sequence[str]) -> int | None:
    """Return where Gunicorn's own arguments begin; None where the command is not Gunicorn."""
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


def _value(line: dict[str, t.Any], extra: dict[str, t.Any], name: str) -> str | None:
    return line.get(name) or extra.get(name)


def _log_path(path: str | None, directory: str | None) -> str | None:
    """Return the path of a log from the root on; None if it is not known from where on it is."""
    if not path or path == "-" or path.startswith("/"):
        return path
    return plain(os.path.join(directory, path)) if directory else None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _concurrency(environment: dict[str, str]) -> dict[str, str]:
    return {"workers": environment["WEB_CONCURRENCY"]} if "WEB_CONCURRENCY" in environment else {}


def _typed(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the fields of Configured; a value of another type than the setting has is not known."""
    threads = _count(found["threads"])
    worker_class = _word(found["worker_class"])
    if worker_class == "sync" and threads is not None and threads > 1:
        worker_class = "gthread"  # as Gunicorn does it
    binds = found["bind"]
    if isinstance(binds, str):
        binds = binds.split(",")
    return {
        "application": _word(found["wsgi_app"]),
        "workers": _count(found["workers"]),
        "threads": threads,
        "worker_class": worker_class,
        "binds": tuple(_word(str(bind)) or "" for bind in binds) if isinstance(binds, (list, tuple)) else None,
        "accesslog": _word(found["accesslog"]),
        "access_log_format": _word(found["access_log_format"]),
        "errorlog": _word(found["errorlog"]),
        "control_socket": _word(found["control_socket"]),
    }


def _word(value: object) -> str | None:
    return plain(value) if isinstance(value, str) else None


def _count(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**6 else None
