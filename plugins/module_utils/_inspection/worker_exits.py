# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How workers of a Gunicorn ended, as its error log tells it.

Lines are taken only in Gunicorn's own format, since applications and their visitors write into the log, too. They can
still forge one: the numbers are a hint. What the kernel killed for want of memory is exact, see _cgroup.
Source: the arbiter of Gunicorn 23 to 27.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t

_LINE = re.compile(
    r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\] \[(\d{1,10})\] "
    r"\[(?:INFO|WARNING|ERROR|CRITICAL)\] "
    r"(WORKER TIMEOUT|Worker|Booting worker with pid:) ?\(?(?:pid:)?(\d{1,10})\)?"
    r"(?: (was sent SIGKILL!.*|exited with code \d+\.?))?",
    re.ASCII,
)
_STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\] ", re.ASCII)
_LONGEST_LINE = 400


class Exits(t.NamedTuple):
    """How many workers ended, by reason, and since when the log tells, in epoch seconds."""

    timeout: int = 0
    killed: int = 0
    failed: int = 0
    since: float | None = None


def count_exits(lines: t.Iterable[str], master: int | None = None) -> Exits:
    """Count workers that ended by no wish of the master; each of them once, for the first reason that is told.

    Of the master with this process id alone, if it is given: those before it ran with another configuration, maybe.
    """
    ended: set[str] = set()
    counts = {"timeout": 0, "killed": 0, "failed": 0}
    since = None
    for line in lines:
        if len(line) > _LONGEST_LINE:
            continue
        if since is None:
            stamp = _STAMP.match(line)
            since = parse_time(stamp[1]) if stamp else None
        found = _LINE.fullmatch(line)
        if not found:
            continue
        _time, writer, what, pid, how = found.groups()
        if what.startswith("Booting"):
            ended.discard(pid)  # the number of one that ended, used again
            continue
        if master is not None and int(writer) != master:
            continue
        reason = "timeout" if what == "WORKER TIMEOUT" else _reason(how)
        # A worker that took too long is then ended by the master, or exits with 1.
        if reason and pid not in ended:
            ended.add(pid)
            counts[reason] += 1
    return Exits(since=since, **counts)


def _reason(how: str | None) -> str | None:
    if how is None:
        return None
    return "killed" if "SIGKILL" in how else "failed"


def parse_time(text: str) -> float | None:
    """Return the epoch seconds of a time in Gunicorn's error log."""
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").timestamp()
    except (ValueError, OverflowError):
        return None


def journal_command(pids: t.Sequence[int], lines: int, since: float) -> list[str]:
    """Return the command that prints what these masters wrote to the journal, which knows the writer of each line."""
    matches = [f"_PID={pid}" for pid in pids]
    return [
        "journalctl",
        "--quiet",
        "--no-pager",
        f"--since=@{int(since)}",
        f"--lines={lines}",
        "--output=json",
        "--output-fields=_PID,MESSAGE",
        *" + ".join(matches).split(),
    ]


def parse_journal(printed: str) -> dict[int, list[str]]:
    """Return the lines of the journal by the process that wrote them."""
    lines: dict[int, list[str]] = {}
    for text in printed.splitlines():
        try:
            entry = json.loads(text)
            pid, message = int(entry["_PID"]), entry["MESSAGE"]
            if isinstance(message, list):  # bytes, where it is not UTF-8
                message = bytes(message).decode("utf-8", "replace")
            lines.setdefault(pid, []).extend(str(message).splitlines())
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return lines
