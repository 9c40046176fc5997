# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error for a value that can't be used."""

from __future__ import annotations


class InvalidValue(ValueError):
    """A variable holds a value that can't be used; the message says which, and what was expected."""

    def __init__(self, variable: str, value: object, expected: str) -> None:
        super().__init__(f"{variable}: {value!r} can't be used: expected {expected}")
        self.variable = variable
        self.value = value
        self.expected = expected
