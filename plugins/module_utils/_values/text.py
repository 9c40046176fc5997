# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that users give, checked before it is quoted for a file, and text of others, made fit to be shown."""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import Iterable

MASK = "********"
# Shorter values are not masked: they are parts of many words.
_SHORTEST_SECRET = 4
# Shorter lines of a secret with several lines are not masked each on its own: such as "}" or "-----".
_SHORTEST_LINE = 12
# How terminals are told to color text
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# These are valid UTF-8, but systemd ignores a line with one of them: "String is not UTF-8 clean".
_NONCHARACTERS = {chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)}
_NONCHARACTERS |= {chr(code) for code in range(0xFDD0, 0xFDF0)}


def checked(value: str) -> str:
    """Return the value, or raise ValueError if systemd can't pass it to a process even in quotes."""
    if "\0" in value:
        raise ValueError("a NUL character can't be passed to a process")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("the text is not valid Unicode") from error
    if not _NONCHARACTERS.isdisjoint(value):
        raise ValueError("the text has a noncharacter of Unicode, such as U+FFFE, which systemd does not take")
    return value


def shown(line: str, longest: int = 300) -> str:
    """One line of a text that others wrote, as a terminal can show it: without control characters, and cut.

    The length is in characters.
    """
    # Cut first, as the line may have megabytes; a color takes a few characters more.
    line = _COLOR.sub("", line[: 2 * longest + 1]).expandtabs().rstrip()
    plain = "".join(letter if letter.isprintable() else "?" for letter in line)
    return plain if len(plain) <= longest else f"{plain[:longest]}... (cut)"


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return the text without secrets, also as Python and JSON quote them, in a URL, or line by line.

    Of a secret that is a URL, the password alone is masked, too. Secrets of fewer than 4 characters stay.
    """
    forms: set[str] = set()
    for secret in secrets:
        for part in _parts(secret):
            forms.update((part, repr(part)[1:-1], json.dumps(part)[1:-1], urllib.parse.quote(part, safe="")))
    # The longest first, or a part would hide that there is more.
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _SHORTEST_SECRET:
            text = text.replace(form, MASK)
    return text


def _parts(secret: str) -> list[str]:
    """What of a secret may be shown on its own."""
    parts = [secret, *(line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE)]
    try:
        password = urllib.parse.urlsplit(secret).password
    except ValueError:
        password = None
    return [*parts, password, urllib.parse.unquote(password)] if password else parts
