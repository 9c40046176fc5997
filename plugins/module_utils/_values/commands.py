# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that users give: a program and its arguments."""

from __future__ import annotations

import shlex

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.text import checked


def check_command(variable: str, value: object) -> tuple[str, ...]:
    """The words of a command, which is a list of words, or a text that is split like a shell's."""
    expected = "a program and its arguments, as a list of strings or as a string that is split like a shell's words"
    try:
        words = shlex.split(value) if isinstance(value, str) else value
        if not isinstance(words, (list, tuple)) or not words or not all(map(_is_word, words)) or words[0] == "":
            raise ValueError
        return tuple(checked(str(word)) for word in words)
    except ValueError as error:
        raise InvalidValue(variable, value, f"{expected} ({error})" if str(error) else expected) from None


def _is_word(value: object) -> bool:
    """Numbers are what YAML makes of words such as 5."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)
