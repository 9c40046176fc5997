# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and their latency from the end of a Gunicorn access log.

Visitors write half of each line, and as they please. So the pattern that is made of the log's format has one way only to
match a line, and takes no more time for a long one than its length; lines that do not match are not counted.
Source: access_log_format in Gunicorn's settings, and Logger.atoms of Gunicorn 23 to 27.
"""

from __future__ import annotations

import datetime
import math
import os
import re
import typing as t

# Seconds for each unit of the fields that tell how long a request took, the finest first
_DURATIONS = {"D": 1e-6, "L": 1.0, "M": 1e-3, "T": 1.0}
_FIELD = re.compile(r"%\((\w|\{[^}]{1,100}\}[ioe])\)s")
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_TIME = re.compile(r"\[(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\]", re.ASCII)
_LONGEST_FORMAT = 2000


class Entry(t.NamedTuple):
    """One request: when it ended, in epoch seconds, and how long it took, in seconds. None is not logged."""

    ended: float | None
    seconds: float | None


class Latency(t.NamedTuple):
    """How long requests took, in seconds."""

    mean: float
    p50: float
    p95: float
    p99: float
    max: float


def compile_format(log_format: str) -> re.Pattern[str] | None:
    """Return the pattern of lines in a format, with groups t and D, L, M or T; None where a line has many readings."""
    if len(log_format) > _LONGEST_FORMAT:
        return None
    parts = _FIELD.split(log_format)
    fields, literals = parts[1::2], parts[::2]
    wanted = {"t"} | set([name for name in _DURATIONS if name in fields][:1])
    pattern = re.escape(_literal(literals[0]))
    for number, field in enumerate(fields):
        before, after = literals[number], literals[number + 1]
        if not after and number + 1 < len(fields):
            return None  # nothing parts this field from the next one
        value = _value(field, before, _literal(after))
        if field in wanted:
            wanted.discard(field)  # the first, if it stands there twice
            value = f"(?P<{field}>{value})"
        pattern += value + re.escape(_literal(after))
    return re.compile(pattern, re.DOTALL)


def _literal(text: str) -> str:
    return text.replace("%%", "%")


def _value(field: str, before: str, after: str) -> str:
    if field == "t":
        return r"\[[^\]]{20,30}\]"
    if field == "L":
        return r"\d{1,9}\.\d{6}"
    if field in _DURATIONS:
        return r"\d{1,15}"
    if before.endswith('"') and after.startswith('"'):
        return r'(?:[^"\\]|\\.)*'  # Gunicorn puts a backslash before a quote
    return f"[^{re.escape(after[0])}]*" if after else ".*"


def parse_lines(lines: t.Iterable[str], pattern: re.Pattern[str]) -> list[Entry]:
    """Return the requests of the lines that have the format."""
    groups = pattern.groupindex
    (duration,) = [name for name in groups if name != "t"] or [None]
    unit = _DURATIONS[duration] if duration else 0.0
    has_time = "t" in groups
    times: dict[str, float | None] = {}  # many requests end within the same second
    entries = []
    for line in lines:
        found = pattern.fullmatch(line)
        if not found:
            continue
        ended = None
        if has_time:
            text = found["t"]
            if text not in times:
                times[text] = parse_time(text)
            ended = times[text]
        entries.append(Entry(ended, float(found[duration]) * unit if duration else None))
    return entries


def parse_time(text: str) -> float | None:
    """Return the epoch seconds of a time as in [22/Nov/2026:11:01:46 +0000], which is in English in every locale."""
    found = _TIME.fullmatch(text)
    if not found or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[number]) for number in (1, 3, 4, 5, 6))
    offset = datetime.timedelta(hours=int(found[8]), minutes=int(found[9]))
    try:
        zone = datetime.timezone(-offset if found[7] == "-" else offset)
        return datetime.datetime(year, _MONTHS[found[2]], day, hour, minute, second, tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None


def latency_of(seconds: t.Iterable[float]) -> Latency | None:
    """Return the mean, the largest, and percentiles by the nearest rank; None without any."""
    ordered = sorted(seconds)
    if not ordered:
        return None

    def rank(percent: int) -> float:
        return ordered[max(0, math.ceil(percent * len(ordered) / 100) - 1)]

    return Latency(math.fsum(ordered) / len(ordered), rank(50), rank(95), rank(99), ordered[-1])


def was_rotated(path: str, since: float) -> bool:
    """Whether a log was put aside after that time: there is another file of its name with an ending, changed since."""
    folder, name = os.path.split(path)
    try:
        with os.scandir(folder) as entries:
            return any(
                entry.name != name
                and entry.name.startswith(name)
                and entry.stat(follow_symlinks=False).st_mtime >= since
                for entry in entries
            )
    except OSError:
        return True
