# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quoting of values for systemd's unit files.

Source: systemd.syntax(7), "Quoting"; systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers".
A newline in a value that is not quoted by these rules starts a new directive.
"""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.environment import ENVIRONMENT_NAME

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "%": "%%"}
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./\[\]-]+\Z")  # means the same without quotes, and is easier to read
_SHELL_SPECIAL = re.compile(r'[\\"$`]')
_BACKSLASHED = r"\\\g<0>"
_CONTROL = re.compile(r"[\x01-\x1f\x7f]")
_DIRECTIVE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*\Z")


def environment_assignment(name: str, value: str) -> str:
    """Return one item of Environment=, quoted: the process gets exactly `value`.

    Raises ValueError for a name that no environment variable can have, and for a value with NUL.
    """
    _check_environment_name(name)
    return _quoted(f"{name}={value}")


_FILE_LINE = re.compile(r'^([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"$', re.MULTILINE | re.DOTALL)
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)


def environment_file_line(name: str, value: str) -> str:
    """Return a line of the file that EnvironmentFile= names: the process gets exactly `value`.

    The file has the rules of a shell, not those of unit files: specifiers are text, and a backslash precedes what a
    shell would expand in double quotes. A value may have several lines.
    """
    _check_environment_name(name)
    return f'{name}="{_SHELL_SPECIAL.sub(_BACKSLASHED, values_text.checked(value))}"'


def environment_file_values(text: str) -> list[str]:
    """Return the values of the lines that environment_file_line made."""
    return [_BACKSLASH.sub(r"\1", value) for _name, value in _FILE_LINE.findall(text)]


def environment_file_names(text: str) -> list[str]:
    """Return the names in the lines that environment_file_line made."""
    return [name for name, _value in _FILE_LINE.findall(text)]


def command_argument(value: str) -> str:
    """Return one argument of ExecStart= and its siblings, quoted: the process gets exactly `value`."""
    return _quoted(str(value)).replace("$", "$$")


def word(value: str) -> str:
    """Return one word of a list, such as a path of ReadWritePaths=, quoted and without specifiers."""
    return _quoted(value)


def text(value: str) -> str:
    """Return free text, as for Description=: one line without specifiers and without a trailing backslash."""
    line = " ".join(_CONTROL.sub(" ", values_text.checked(str(value))).split())
    return line.rstrip("\\ ").replace("%", "%%")


def directives(wanted: dict) -> list:
    """Return "Name=value" lines for a mapping of directives.

    A list repeats the directive, a boolean becomes yes or no, and None leaves the directive out. Values have systemd's
    own syntax with specifiers, and are not quoted. A value that would begin another line raises ValueError.
    """
    lines = []
    for name, value in wanted.items():
        if not _DIRECTIVE_NAME.match(str(name)):
            raise ValueError(f"{name!r} is not a name of a systemd directive")
        if value is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            lines.append(f"{name}={_directive_value(name, item)}")
    return lines


def with_drop_in(wanted: dict, drop_in: dict) -> dict:
    """Return the directives after a drop-in was applied to them.

    As in systemd, a drop-in adds to a directive that is a list in `wanted`, and an empty value empties the list. It
    replaces any other directive. None removes a directive.
    """
    merged = {**wanted, **drop_in}
    for name, items in wanted.items():
        added = merged[name]
        if name in drop_in and isinstance(items, list) and added is not None:
            merged[name] = [*items, *(added if isinstance(added, list) else [added])]
    return merged


def _directive_value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"{name}: {value!r} is no text, number, boolean, or list of these")
    plain = values_text.checked(str(value))
    if _CONTROL.search(plain) or plain.endswith("\\"):
        raise ValueError(f"{name}: {plain!r} would run over the end of its line")
    return plain


def _check_environment_name(name: str) -> None:
    if not ENVIRONMENT_NAME.match(name):
        raise ValueError(f"{name!r} is not a name of an environment variable")


def _quoted(value: str) -> str:
    if _PLAIN.match(value):
        return value
    escaped = "".join(_ESCAPES.get(character, character) for character in values_text.checked(value))
    return '"' + _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", escaped) + '"'
