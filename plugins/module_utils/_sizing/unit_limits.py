# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limits that a service's own unit sets, read from its directives before the unit exists.

Source: systemd.resource-control(5). If systemd can't read a value, it notes that in the journal, and the service runs
without its limit. Here such a value is an error.
"""

from __future__ import annotations

import re
import typing as t
from fractions import Fraction

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

# Units of sizes are powers of 1024. systemd takes neither 512MB nor 512Mi nor 512m.
_UNITS = {unit: 1024**power for power, unit in enumerate("BKMGTPE")}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([BKMGTPE]?)", re.ASCII)
_PARTS = {"%": 100, "‰": 1000, "‱": 10000}
_PART = re.compile(r"([0-9]+(?:\.[0-9]{1,2})?)([%‰‱])", re.ASCII)
_WHOLE = re.compile(r"[0-9]+", re.ASCII)
_INFINITY = "infinity"

_MEMORY_EXPECTED = "a size of at least 1M (512M, 1.5G; K, M, G and T are powers of 1024), a percentage, or infinity"
_CPU_EXPECTED = "a percentage of one CPU above 0%, such as 150% for one and a half"
_TASKS_EXPECTED = "a whole number of at least 1, a percentage, or infinity"


class Limit(t.NamedTuple):
    """What the service's own unit allows, and its directive, such as MemoryMax=512M."""

    amount: float
    directive: str


class Limits(t.NamedTuple):
    """The limits of the service's own unit, which hold for this project alone. None is no limit."""

    cpus: Limit | None = None
    memory: Limit | None = None
    tasks: Limit | None = None


NO_LIMITS = Limits()


class Whole(t.NamedTuple):
    """What a percentage is taken of: the bytes of memory and the number of tasks of the host."""

    memory: int
    tasks: int


class _Amount(t.NamedTuple):
    """A value of a directive: a number, or a part of what the host has."""

    number: Fraction
    relative: bool = False

    def of(self, whole: int) -> int:
        return int(self.number * whole if self.relative else self.number)


def check_limits(variable: str, directives: dict) -> None:
    """Raise InvalidValue for the first limit that systemd would not take; V(variable) is the variable that sets it."""
    for name, parse in _PARSERS.items():
        _read(variable, directives, name, parse)


def service_limits(variable: str, directives: dict, whole: Whole) -> Limits:
    """Return the limits among the directives; raises InvalidValue as check_limits does."""
    amounts = {name: _read(variable, directives, name, parse) for name, parse in _PARSERS.items()}
    found = {name: (amount, f"{name}={text}") for name, (amount, text) in amounts.items() if amount is not None}
    memory = [Limit(amount.of(whole.memory), line) for name, (amount, line) in found.items() if name in _MEMORY]
    cpus, tasks = found.get("CPUQuota"), found.get("TasksMax")
    return Limits(
        cpus=Limit(float(cpus[0].number), cpus[1]) if cpus else None,
        # Above MemoryHigh= a service is not killed, but throttled until it hardly runs.
        memory=min(memory, default=None),
        tasks=Limit(tasks[0].of(whole.tasks), tasks[1]) if tasks else None,
    )


def _read(
    variable: str, directives: dict, name: str, parse: t.Callable[[str], _Amount | None]
) -> tuple[_Amount | None, str]:
    """Return what a directive means, None where it sets no limit, and its text. The last counts if it is repeated."""
    given = directives.get(name)
    result: tuple[_Amount | None, str] = (None, "")
    for value in given if isinstance(given, list) else [given]:
        # Without a value systemd goes back to its default.
        text = "" if value is None or isinstance(value, bool) else str(value).strip()
        try:
            result = (parse(text) if text or isinstance(value, bool) else None, text)
        except ValueError as error:
            raise InvalidValue(f"{variable}['{name}']", value, str(error)) from None
    return result


def _parse_memory(text: str) -> _Amount | None:
    if text == _INFINITY:
        return None
    part, size = _part(text), _SIZE.fullmatch(text)
    if size:
        number = Fraction(size[1]) * _UNITS[size[2] or "B"]
        # Nobody limits a service to a few bytes: a bare 512 lacks its unit.
        if number >= MIB:
            return _Amount(number)
    elif part:
        return _Amount(part, relative=True)
    raise ValueError(_MEMORY_EXPECTED)


def _parse_cpus(text: str) -> _Amount | None:
    part = _part(text)
    if not part:
        raise ValueError(_CPU_EXPECTED)
    return _Amount(part)


def _parse_tasks(text: str) -> _Amount | None:
    if text == _INFINITY:
        return None
    part = _part(text)
    if part:
        return _Amount(part, relative=True)
    if _WHOLE.fullmatch(text) and int(text):
        return _Amount(Fraction(text))
    raise ValueError(_TASKS_EXPECTED)


def _part(text: str) -> Fraction | None:
    """Return the number that a percentage stands for; None for 0%, and for anything else."""
    part = _PART.fullmatch(text)
    return (Fraction(part[1]) / _PARTS[part[2]] or None) if part else None


_MEMORY = ("MemoryMax", "MemoryHigh")
_PARSERS = {**dict.fromkeys(_MEMORY, _parse_memory), "CPUQuota": _parse_cpus, "TasksMax": _parse_tasks}
