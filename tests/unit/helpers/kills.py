# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that is killed before one of its calls, played by an exception."""

from __future__ import annotations

from typing import Callable


class Killed(BaseException):
    """No `except Exception` may stop it, as none stops SIGKILL."""


def killing(function: Callable, count: list[int], number: int) -> Callable:
    """The function, which raises Killed in place of the call of that number; `count` has the calls so far."""

    def wrapper(*arguments: object, **keywords: object) -> object:
        count[0] += 1
        if count[0] == number:
            raise Killed
        return function(*arguments, **keywords)

    return wrapper
