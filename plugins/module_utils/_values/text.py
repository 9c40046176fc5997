# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that users give, checked before it is quoted for a file."""

from __future__ import annotations

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
