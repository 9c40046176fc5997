# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an application needs and the user wants, checked: the values that users give or measure."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import sizes, worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

# What is not for the web workers of this project, and what nobody may take from it
_OTHERS = ("memory_companions", "memory_neighbours", "memory_kept")


class Demand(t.NamedTuple):
    """What the application needs and the user wants. Memory is in bytes."""

    memory_per_worker: int = 128 * MIB
    memory_reserve: int | None = None
    memory_companions: int = 0
    memory_neighbours: int = 0
    memory_kept: int = 0
    wait_ratio: float | None = None
    worker_class: str = "sync"
    threads: int | None = None
    thread_safe: bool = False
    minimum: int = 1
    maximum: int | None = None
    share: float = 1.0


def read_demand(options: dict) -> Demand:
    """Return the demand that the options describe, or raise InvalidValue for the first that can't be used."""
    reserve = options["memory_reserve"]
    return check_demand(
        Demand(
            **{
                **{option: options[option] for option in Demand._fields},
                "memory_per_worker": sizes.parse_size("memory_per_worker", options["memory_per_worker"]),
                "memory_reserve": None
                if reserve is None
                else sizes.parse_size("memory_reserve", reserve, zero_allowed=True),
                **{option: _size_or_zero(option, options[option]) for option in _OTHERS},
            }
        )
    )


def _size_or_zero(option: str, value: str | None) -> int:
    return 0 if value is None else sizes.parse_size(option, value, zero_allowed=True)


def read_resources(options: dict) -> tuple[float | None, int | None]:
    """Return the CPUs and the bytes of memory to use instead of the host's; None for what the options don't give."""
    cpus, memory = options["cpus"], options["memory"]
    if cpus is not None:
        check_number("cpus", cpus, "a number above 0, which may be a fraction", lambda number: number > 0)
    return cpus, None if memory is None else sizes.parse_size("memory", memory)


def check_demand(demand: Demand) -> Demand:
    """Return the demand, or raise InvalidValue for the first option in it that can't be used."""
    if demand.wait_ratio is not None:
        check_number("wait_ratio", demand.wait_ratio, "a number of at least 0", lambda ratio: ratio >= 0)
    check_number("share", demand.share, "a number above 0 and at most 1", lambda share: 0 < share <= 1)
    for option in ("threads", "minimum", "maximum"):
        value = getattr(demand, option)
        if value is not None and value < 1:
            raise InvalidValue(option, value, "a whole number of at least 1")
    if demand.maximum is not None and demand.maximum < demand.minimum:
        raise InvalidValue("maximum", demand.maximum, f"a number not below minimum, which is {demand.minimum}")
    worker_classes.check_worker_class("worker_class", demand.worker_class)
    return demand


def check_number(option: str, value: float, expected: str, holds: t.Callable[[float], bool]) -> None:
    """Raise InvalidValue unless the value is a finite number for which the condition holds."""
    if not math.isfinite(value) or not holds(value):
        raise InvalidValue(option, value, expected)
