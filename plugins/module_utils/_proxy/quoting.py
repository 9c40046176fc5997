# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quoting of values for the configuration of nginx and Apache.

Source: how the servers themselves read a line, ngx_conf_read_token() of nginx and ap_getword_conf() of Apache.
"""

from __future__ import annotations

import re

# Both servers expand these even in quotes: variables, and patterns of file names.
_SPECIAL = "$*?[]"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+\Z")
_QUOTED = re.compile(r'[\\"]')


def checked(value: str) -> str:
    """Return the value, or raise ValueError if a server would take it for more than text even in quotes."""
    if _CONTROL.search(value):
        raise ValueError(f"{value!r} has a control character")
    special = [character for character in _SPECIAL if character in value]
    if special:
        raise ValueError(f"{value!r} has a {special[0]}, which the web server takes for a variable or a pattern")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{value!r} is not valid Unicode") from error
    return value


def argument(value: str) -> str:
    """Return one argument of a directive of nginx or Apache, quoted: the server takes exactly `value`.

    Both servers read double quotes alike: a backslash protects a double quote or a backslash, and all else is text.
    """
    if _PLAIN.match(value):
        return value
    return '"' + _QUOTED.sub(r"\\\g<0>", checked(value)) + '"'
