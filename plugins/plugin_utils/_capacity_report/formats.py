# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures as people write them."""

from __future__ import annotations

import time


def size(amount: float) -> str:
    """Return bytes in the unit that people would choose; units are powers of 1024."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if abs(amount) < 1000:
            return f"{_three_digits(amount)} {unit}"
        amount /= 1024
    return f"{_three_digits(amount)} TiB"


def percent(amount: float) -> str:
    """Return a percentage; small ones have more digits."""
    if amount == 0:
        return "0%"
    return f"{amount:.{0 if amount >= 9.95 else 1 if amount >= 0.095 else 2}f}%"


def number(amount: float) -> str:
    """Return a number with commas between thousands, and to three digits if it is not a whole one."""
    if amount == int(amount) or abs(amount) >= 1000:
        return f"{amount:,.0f}"
    return _three_digits(amount)


def seconds(amount: float) -> str:
    """Return a time in ms or s."""
    return f"{_three_digits(amount * 1000)} ms" if abs(amount) < 0.9995 else f"{_three_digits(amount)} s"


def moment(epoch: float) -> str:
    """Return a date and time in UTC, the same wherever the page is read; "unknown" for an impossible one."""
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(epoch))
    except (OverflowError, ValueError, OSError):
        return "unknown"


def _three_digits(amount: float) -> str:
    """Return a number to three digits, without an exponent."""
    if amount == int(amount):
        return f"{amount:.0f}"
    places = 0 if abs(amount) >= 99.95 else 1 if abs(amount) >= 9.995 else 2 if abs(amount) >= 0.9995 else 3
    text = f"{amount:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
