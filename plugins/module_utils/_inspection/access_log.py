# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and their latency from the end of a Gunicorn access log.

Visitors decide what half of each line says. So the pattern that is made of the log's format matches a line in one way
only, in a time that grows with its length and no faster. Lines that do not match are not counted.
Source: access_log_format in Gunicorn's settings, and Logger.atoms of Gunicorn 23 to 27.
"""

from __future__ import annotations

import datetime
import math
import os
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import read_tail, whole_lines
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.requests import Latency, Requests

# With fewer requests in a sample, or in a service's life, its CPU time says more about chance or about the start
ENOUGH_IN_SAMPLE, ENOUGH_IN_LIFE = 50, 1000
# In seconds of CPU time; its counters are too coarse for less
LEAST_CPU = 0.001

# The fields that say how long a request took, with their units in seconds, the finest first
_DURATIONS = {"D": 1e-6, "L": 1.0, "M": 1e-3, "T": 1.0}
_FIELD = re.compile(r"%\((\w|\{[^}]{1,100}\}[ioe])\)s")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = re.compile(r"\[(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\]", re.ASCII)
_LONGEST_FORMAT = 2000


class AccessLogError(Exception):
    """The log does not tell about requests; the message says why."""


class Spent(t.NamedTuple):
    """What a service spent in seconds: CPU time, and being ready to run without a CPU. None is not known."""

    cpu: float | None
    queued: float | None


class Sample(t.NamedTuple):
    """A short span of time: where the log ended before and after it, and what the service spent within."""

    begin: int
    end: int
    spent: Spent


class Entry(t.NamedTuple):
    """One request: when it ended, in epoch seconds, and how long it took, in seconds. None is not logged."""

    ended: float | None
    seconds: float | None


def read_requests(
    path: str, log_format: str, longest: int, life: tuple[float, float], sample: Sample, spent: Spent
) -> Requests | None:
    """Return the requests in the end of a log; None if there were none.

    `life` is when the service started, and now; `spent` is what it spent in between. Raises AccessLogError if the log
    can't be read.
    """
    pattern = compile_format(log_format)
    if pattern is None or "t" not in pattern.groupindex:
        raise AccessLogError("its format has no time, or leaves open where a field ends")
    try:
        tail, begin = read_tail(path, longest)
    except (OSError, ValueError) as error:
        raise AccessLogError(getattr(error, "strerror", None) or str(error)) from None
    started, now = life
    entries = parse_lines(whole_lines(tail, begin), pattern)
    # The log tells whole seconds.
    own = [entry for entry in entries if entry.ended is not None and entry.ended >= int(started)]
    if not own:
        return None
    complete = len(own) < len(entries) or (begin == 0 and not was_rotated(path, started))
    since = started if complete else t.cast(float, own[0].ended)
    sampled: list[Entry] = []
    if begin <= sample.begin <= sample.end:
        sampled = parse_lines(whole_lines(tail[sample.begin - begin : sample.end - begin], 0), pattern)
    if len(sampled) >= ENOUGH_IN_SAMPLE:
        basis, spent = sampled, sample.spent
    else:
        basis = own if complete and len(own) >= ENOUGH_IN_LIFE else []
    return Requests(
        count=len(own),
        since=since,
        per_second=len(own) / max(1.0, now - since),
        latency=latency_of(entry.seconds for entry in own if entry.seconds is not None),
        wait_ratio=wait_ratio([entry.seconds for entry in basis], spent),
        cpu_per_request=spent.cpu / len(basis) if basis and spent.cpu else None,
        in_sample=len(sampled),
    )


def compile_format(log_format: str) -> re.Pattern[str] | None:
    """Return the pattern of lines in a format, with groups t and D, L, M or T; None if it could match in many ways."""
    if len(log_format) > _LONGEST_FORMAT:
        return None
    parts = _FIELD.split(log_format)
    fields, literals = parts[1::2], parts[::2]
    wanted = {"t"} | set([name for name in _DURATIONS if name in fields][:1])
    pattern = re.escape(_literal(literals[0]))
    for number, field in enumerate(fields):
        before, after = literals[number], literals[number + 1]
        if not after and number + 1 < len(fields):
            return None  # nothing separates this field from the next one
        value = _value(field, before, _literal(after))
        if field in wanted:
            wanted.discard(field)  # the first, if the format has it twice
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
    """Return the epoch seconds of a time such as [22/Nov/2026:11:01:46 +0000], which is in English in every locale."""
    found = _TIME.fullmatch(text)
    if not found or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[number]) for number in (1, 3, 4, 5, 6))
    offset = datetime.timedelta(hours=int(found[8]), minutes=int(found[9]))
    try:
        zone = datetime.timezone(-offset if found[7] == "-" else offset)
        return datetime.datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None


def was_rotated(path: str, since: float) -> bool:
    """Whether a log was rotated after that time: another file with its name and a suffix has changed since."""
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


def latency_of(seconds: t.Iterable[float]) -> Latency | None:
    """Return the mean, the largest, and percentiles by the nearest rank; None without any."""
    ordered = sorted(seconds)
    if not ordered:
        return None

    def rank(percent: int) -> float:
        return ordered[max(0, math.ceil(percent * len(ordered) / 100) - 1)]

    return Latency(math.fsum(ordered) / len(ordered), rank(50), rank(95), rank(99), ordered[-1])


def wait_ratio(seconds: t.Sequence[float | None], spent: Spent) -> float | None:
    """Return how long requests waited for each second that they computed; None where it is not known.

    Being ready to run without a CPU is not waiting: more workers would not use that time.
    """
    if not seconds or None in seconds or spent.cpu is None or spent.cpu < LEAST_CPU or spent.queued is None:
        return None
    waited = math.fsum(t.cast(t.Sequence[float], seconds)) - spent.cpu - spent.queued
    return round(max(0.0, waited) / spent.cpu, 3)
