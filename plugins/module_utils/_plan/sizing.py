# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of gunicorn_sizing_info that a deployment asks for."""

from __future__ import annotations

import math

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer, demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_NUMBERS = {"wait_ratio": float, "share": float, "cpus": float, "minimum": int, "maximum": int}


def read_options(given: dict) -> dict:
    """The options of gunicorn_sizing_info, checked where the message can still name the role's variable."""
    options = dict(answer.DEFAULTS)
    for name, value in given.items():
        if value is not None:
            options[name] = _typed(name, value)
    try:
        demand.read_demand(options)
        demand.read_resources(options)
    except InvalidValue as error:
        raise InvalidValue(f"gunicorn_sizing['{error.variable}']", error.value, error.expected) from None
    return options


def _typed(name: str, value: object) -> object:
    if name in _NUMBERS:
        return _number(name, value)
    if name != "thread_safe":
        return str(value)
    try:
        return boolean(value)
    except TypeError:
        raise InvalidValue("gunicorn_sizing['thread_safe']", value, "true or false") from None


def _number(name: str, value: object) -> float:
    try:
        number = _NUMBERS[name](str(value))
    except ValueError:
        number = math.nan
    if math.isnan(number):
        expected = "a whole number" if _NUMBERS[name] is int else "a number"
        raise InvalidValue(f"gunicorn_sizing['{name}']", value, expected)
    return number
