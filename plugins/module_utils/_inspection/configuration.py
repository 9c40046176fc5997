# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gunicorn's configuration as it can be read from outside: command line, environment and configuration file.

Gunicorn's own order: its defaults, then WEB_CONCURRENCY, the configuration file, GUNICORN_CMD_ARGS, and the command
line; the last one wins. The configuration file is Python. It is not run: only assignments of literals at its top level
are read. A setting that is computed there is unknown, and so is every setting of a file that can't be read.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import typing as t
import warnings

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, plain, read_tail
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.command_line import (
    own_arguments,
    parse_options,
    title_of,
)

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
    "dirty_apps": [],
    "dirty_workers": 0,
}
_LONGEST_FILE = 1 << 16


class Configured(t.NamedTuple):
    """What a Gunicorn was configured with. None is not known; a log with an empty path is not written."""

    application: str | None
    workers: int | None
    threads: int | None
    worker_class: str | None
    binds: tuple[str, ...] | None
    accesslog: str | None
    access_log_format: str | None
    errorlog: str | None
    control_socket: str | None
    dirty_workers: int | None
    complete: bool  # the configuration file could be read, or there is none


def configured(
    arguments: t.Sequence[str], environment: dict[str, str], directory: str | None, root: str = "/"
) -> Configured:
    """Return the settings of a Gunicorn that was started with these arguments and environment in this directory."""
    own = own_arguments(arguments)
    line = parse_options(own or ())
    extra = parse_options(_split(environment.get("GUNICORN_CMD_ARGS", "")))
    directory = _value(line, extra, "chdir") or directory
    path = _value(line, extra, "config") or "gunicorn.conf.py"
    in_file = None if own is None else read_file(path, directory, root)
    found: dict[str, t.Any] = dict.fromkeys(DEFAULTS)
    if in_file is not None:
        found = {**DEFAULTS, **_concurrency(environment), **in_file}
    found = _typed({**found, **extra, **line})
    if found["application"] is None:
        found["application"] = title_of(arguments)
    for name in ("accesslog", "errorlog"):
        found[name] = _log_path(found[name], directory)
    return Configured(complete=in_file is not None, **found)


def read_file(path: str, directory: str | None, root: str = "/") -> dict[str, t.Any] | None:
    """Return the settings in a configuration file, none if the file is missing; None if it can't be read."""
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


# How the role's own file begins, and the line after which it assigns settings. Before it are only the hooks.
_OURS = b"# Managed by Ansible (role pyweb.gunicorn.gunicorn)"
_VALUES = b"\n# The values of this deployment\n"


def parse_file(text: bytes) -> dict[str, t.Any] | None:
    """Return what a configuration file assigns at its top level; computed values are None. None if it is no Python."""
    if text.startswith(_OURS):
        # A tenth of the time
        text = text[max(text.rfind(_VALUES), 0) :]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as those about backslashes, which would get into the module's output
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
    # Within an if, a with or a loop it may not be assigned.
    stored = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    return [(part.id, None) for part in stored]


def _literal(value: ast.expr | None) -> t.Any:
    try:
        return None if value is None else ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _value(line: dict[str, t.Any], extra: dict[str, t.Any], name: str) -> str | None:
    return line.get(name) or extra.get(name)


def _log_path(path: str | None, directory: str | None) -> str | None:
    """Return the absolute path of a log; None if it is relative to an unknown directory."""
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
        # Without an app, Gunicorn starts none.
        "dirty_workers": 0 if found["dirty_apps"] == [] else _count(found["dirty_workers"]),
    }


def _word(value: object) -> str | None:
    return plain(value) if isinstance(value, str) else None


def _count(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**6 else None
