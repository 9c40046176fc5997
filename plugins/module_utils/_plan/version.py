# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the wanted version of Gunicorn."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import asked

# As in PEP 440. A version that pip's parser refuses would count as met in a venv that already has a Gunicorn.
_SUFFIX = r"((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?"
_RELEASE = r"[0-9]+(\.[0-9]+)*" + _SUFFIX
_SPECIFIER = (
    rf"((<=|>=|<|>|===) *{_RELEASE}|(==|!=) *({_RELEASE}|[0-9]+(\.[0-9]+)*\.\*)|~= *[0-9]+(\.[0-9]+)+{_SUFFIX})"
)
_VERSION = re.compile(rf"(newest|{_RELEASE}|{_SPECIFIER}( *, *{_SPECIFIER})*)\Z")
_BOUND = re.compile(r"\s*(===|==|~=|<=|<|)\s*([0-9]+(?:\.[0-9]+)*)")


def check_version(variable: str, value: str) -> None:
    """Raise InvalidValue unless it is newest, a version or specifiers, and leaves versions that are not too old."""
    if not _VERSION.match(value):
        raise InvalidValue(variable, value, "newest, a version (27.0.1) or specifiers (>=25.3,<28)")
    if any(_is_too_old(bound) for bound in value.split(",")):
        raise InvalidValue(variable, value, f"{asked.FLOOR} or newer: older ones let requests be smuggled")


def _is_too_old(bound: str) -> bool:
    """Whether a version, or one specifier of several, allows only versions below the floor."""
    floor = int(asked.FLOOR.partition(".")[0])
    found = _BOUND.match(bound)
    if not found:
        return False
    first, *others = (int(number) for number in found[2].split("."))
    return first < floor or (found[1] == "<" and first == floor and not any(others))
