# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single values: each returns the value as it will be used, or raises InvalidValue."""

from __future__ import annotations

import ast
import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.text import checked

# Patterns are compiled at their first use: each module needs few of them, and they take milliseconds.
# A project's name is at once a Python package, a user, a unit and a part of paths.
_PROJECT = r"[a-z][a-z0-9_]{0,30}\Z"
_NAME = r"[a-z_][a-z0-9_-]{0,30}\Z"  # users and groups: NAME_REGEX of Debian's adduser
_SERVICE = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z"
_UNIT_SUFFIXES = (".service", ".socket", ".target", ".timer", ".mount", ".path", ".slice", ".scope")
_PATH = r"(/[A-Za-z0-9_@+=,.-]+)+\Z"
_MODE = r"0?[0-7]{3}\Z"
_APP = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*(:[A-Za-z_][^\x00-\x1f\x7f]*)?\Z"
_PASTE = r"(?:config:)?(?P<path>[^#]+\.ini)(?:#(?P<name>.*))?\Z|(?:config|egg):"
_FILE = r"(?:.*/)?(?P<name>[^/]+)\.py(?::.*)?\Z"
_URL_PATH = r"/[!-~]*\Z"
_HOST = r"([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\Z"
_COUNT = r"[1-9][0-9]{0,3}\Z"
COUNT_MAX = 1000
NO_WORKERS = "0"
SECONDS_MAX = 3600
_ARGUMENT = r"[^\x00-\x1f\x7f]+\Z"
# With these pip would not install into the virtual environment. It also takes their beginnings ...
_PIP_ELSEWHERE = ("--target", "--prefix", "--root", "--user", "--python")
# ... except where those are options of their own.
_PIP_OTHERS = ("--pre",)


def check_project(variable: str, value: object) -> str:
    """A Python package's name that is also fit to name a user and a unit."""
    expected = "a Python package's name: a lower-case letter, then up to 30 lower-case letters, digits and underscores"
    return _matching(_PROJECT, variable, value, expected)


def check_name(variable: str, value: object) -> str:
    """A user's or group's name."""
    expected = "a user's or group's name: lower-case letters, digits, underscores and dashes, not a dash first"
    return _matching(_NAME, variable, value, expected)


def check_service_name(variable: str, value: object) -> str:
    """A unit's name without its suffix."""
    expected = "a unit's name without its suffix: letters, digits, '_', '-' and '.', a letter or digit first"
    name = _matching(_SERVICE, variable, value, expected)
    # What runs for a service X beside it has such names: its stand-in, its steps, and commands of its project.
    if name.endswith((*_UNIT_SUFFIXES, "-standin", "-step", "-run")):
        raise InvalidValue(variable, value, expected)
    return name


def check_path(variable: str, value: object) -> str:
    """An absolute path without characters that shells, units or shebang lines would stumble over."""
    expected = "an absolute path of letters, digits and _@+=,.- without '.' and '..'"
    path = _matching(_PATH, variable, value, expected)
    if {".", ".."} & set(path.split("/")):
        raise InvalidValue(variable, value, expected)
    return path


def check_mode(variable: str, value: object) -> str:
    """A file mode as a string, such as '0660'."""
    return _matching(_MODE, variable, value, "a mode as a string of octal digits, such as '0660'")


def check_app(variable: str, value: object) -> str:
    """What Gunicorn loads: MODULE, MODULE:NAME or MODULE:FACTORY(ARGUMENTS)."""
    expected = "MODULE:NAME, such as 'project.wsgi:application', or MODULE:FACTORY(), with literals as arguments"
    if isinstance(value, str) and re.match(_PASTE, value):
        raise InvalidValue(variable, value, wsgi_module(value))
    file = re.match(_FILE, value) if isinstance(value, str) else None
    if file:
        name = file["name"]
        advice = f"as Python imports it: '{name}:application' for {name}.py in gunicorn_code_directory"
        raise InvalidValue(variable, value, f"{advice}, 'project.{name}:application' for project/{name}.py")
    app = _matching(_APP, variable, value, expected)
    if not _names_an_object(app.partition(":")[2] or "application"):
        raise InvalidValue(variable, value, expected)
    return app


def wsgi_module(paste: object) -> str:
    """What to write in place of a file of Paste Deployment, which only Gunicorn's option --paste loads."""
    named = re.match(_PASTE, str(paste))
    path, name = (named["path"], named["name"]) if named and named["path"] else ("/etc/opt/project/production.ini", "")
    call = f"get_app({path!r}, {name!r})" if name else f"get_app({path!r})"
    text = f"from pyramid.paster import get_app; application = {call}"
    return f'a module that loads the file: project/wsgi.py with "{text}", and gunicorn_app: project.wsgi:application'


def _names_an_object(text: str) -> bool:
    """Whether Gunicorn's util.import_app takes it for an application's name or for a call of a factory."""
    try:
        expression = ast.parse(text, mode="eval").body
        if not isinstance(expression, ast.Call):
            return isinstance(expression, ast.Name)
        for argument in [*expression.args, *(keyword.value for keyword in expression.keywords)]:
            ast.literal_eval(argument)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return isinstance(expression.func, ast.Name) and all(keyword.arg for keyword in expression.keywords)


def check_url_path(variable: str, value: object) -> str:
    """The path of a URL, perhaps with a query."""
    return _matching(_URL_PATH, variable, value, "the path of a URL: a slash, then characters of a URL")


def check_host(variable: str, value: object) -> str:
    """A host's name or address, perhaps with a port, as the header Host has it."""
    return _matching(_HOST, variable, value, "a host's name or address, IPv6 in brackets")


def check_text(variable: str, value: object) -> str:
    """Free text, which systemd shows as one line."""
    try:
        return checked(str(value))
    except ValueError as error:
        raise InvalidValue(variable, value, f"another text ({error})") from None


def check_count(variable: str, value: object) -> str:
    """A number of workers or threads as a string, or the word auto."""
    if value != "auto" and not (isinstance(value, str) and re.match(_COUNT, value) and int(value) <= COUNT_MAX):
        raise InvalidValue(variable, value, f"auto or a whole number from 1 to {COUNT_MAX}")
    return value


def check_workers(variable: str, value: object) -> str:
    """A number of workers as check_count takes it, or 0 for a host without them."""
    if value != NO_WORKERS:
        try:
            return check_count(variable, value)
        except InvalidValue as error:
            expected = f"{error.expected}, or {NO_WORKERS} for a host with companions alone"
            raise InvalidValue(variable, value, expected) from None
    return NO_WORKERS


def check_status(variable: str, value: object) -> int:
    """A status of an HTTP response."""
    if not isinstance(value, int) or isinstance(value, bool) or not 100 <= value <= 599:
        raise InvalidValue(variable, value, "statuses of HTTP responses, from 100 to 599")
    return value


def check_seconds(variable: str, value: object) -> int:
    """A time-out in seconds: long enough to try, and short enough for somebody who waits."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= SECONDS_MAX:
        raise InvalidValue(variable, value, f"seconds, a whole number from 1 to {SECONDS_MAX}")
    return value


def check_whole_number(variable: str, value: object, smallest: int, largest: int, unit: str = "") -> int:
    """A whole number in a range; `unit` precedes the error's description of it."""
    if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= largest:
        raise InvalidValue(variable, value, f"{unit}a whole number from {smallest} to {largest}")
    return value


def check_flag(variable: str, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidValue(variable, value, "true or false")
    return value


def check_pip_argument(variable: str, value: object) -> str:
    """An argument of pip install that does not lead out of the virtual environment."""
    argument = _matching(_ARGUMENT, variable, value, "arguments of pip install, each a text of one line")
    option = argument.partition("=")[0]
    elsewhere = len(option) > 3 and any(name.startswith(option) for name in _PIP_ELSEWHERE)
    if argument.startswith("-t") or (elsewhere and option not in _PIP_OTHERS):
        expected = "arguments of pip install that do not lead out of the virtual environment"
        raise InvalidValue(variable, value, expected)
    return argument


def _matching(pattern: str, variable: str, value: object, expected: str) -> str:
    if not isinstance(value, str) or not re.match(pattern, value):
        raise InvalidValue(variable, value, expected)
    return value
