# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the workers of a service ended, as Gunicorn's error log tells it, in a file or in the journal.

Lines are taken only in Gunicorn's own format, since applications and their visitors write into the log, too. They can
still forge one: the numbers are a hint. The number that the kernel killed because memory ran out is exact: the cgroup
counts it.
Source: the arbiter of Gunicorn 23 to 27.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import cgroup_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.kernel_files import join, read_tail, whole_lines
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.service_details import ServiceDetails
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner

ERROR_LOG_BYTES = 256 << 10
JOURNAL_LINES = 1000

_LINE = re.compile(
    r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\] \[(\d{1,10})\] "
    r"\[(?:INFO|WARNING|ERROR|CRITICAL)\] "
    r"(WORKER TIMEOUT|Worker|Booting worker with pid:) ?\(?(?:pid:)?(\d{1,10})\)?"
    r"(?: (was sent SIGKILL!.*|exited with code \d+\.?))?",
    re.ASCII,
)
_STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\] ", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d[0-5]\d", re.ASCII)
_LONGEST_LINE = 400


class Exits(t.NamedTuple):
    """How many workers ended, by reason, and since when the log tells, in epoch seconds."""

    timeout: int = 0
    killed: int = 0
    failed: int = 0
    since: float | None = None


def read_journal(services: list[ServiceDetails], runner: Runner) -> dict[int, list[str]] | None:
    """Return the lines in the journal of the masters whose error log goes there; None if it can't be read."""
    masters = {details.service.master: details for details in services if _logs_to_journal(details)}
    if not masters:
        return {}
    since = min(details.started or 0.0 for details in masters.values())
    printed = runner.output(journal_command(sorted(pid for pid in masters if pid), JOURNAL_LINES, since))
    return parse_journal(printed) or None


def read_exits(
    details: ServiceDetails, journal: dict[int, list[str]] | None, root: str, unseen: list[str]
) -> dict[str, t.Any]:
    """Return how many workers of a service ended, by reason, and which log tells; what can't be read is `unseen`."""
    exits, source = Exits(), None
    path = details.configured.errorlog
    if _logs_to_journal(details):
        if journal is None:
            unseen.append("worker exits: the journal may not be read, or has nothing of this service")
        else:
            exits, source = count_exits(journal.get(details.service.master or 0, [])), "journal"
            exits = exits._replace(since=details.started)
    elif path and path.startswith("/"):
        try:
            lines = whole_lines(*read_tail(join(root, path), ERROR_LOG_BYTES))
            exits, source = count_exits(lines, details.service.master), path
            exits = exits._replace(since=max(exits.since or 0.0, details.started or 0.0) or None)
        except (OSError, ValueError) as error:
            unseen.append(f"worker exits: {path} can't be read ({getattr(error, 'strerror', None) or error})")
    elif details.service.master:
        unseen.append("worker exits: it is not known where the error log is")
    return {
        **{name: getattr(exits, name) if source else None for name in ("timeout", "killed", "failed")},
        "out_of_memory": cgroup_counters.read_oom_kills(details.groups),
        "since": exits.since,
        "source": source,
    }


def _logs_to_journal(details: ServiceDetails) -> bool:
    return bool(details.service.master and details.service.unit and details.configured.errorlog == "-")


def journal_command(pids: t.Sequence[int], lines: int, since: float) -> list[str]:
    """Return the command that prints what these masters wrote to the journal, with the writer of each line."""
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


def count_exits(lines: t.Iterable[str], master: int | None = None) -> Exits:
    """Count the workers that ended although the master did not want it, each once, by the first reason in the log.

    If a master's process id is given, its workers alone count: earlier masters may have had another configuration.
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
            ended.discard(pid)  # an ended worker's process id, used again
            continue
        if master is not None and int(writer) != master:
            continue
        reason = "timeout" if what == "WORKER TIMEOUT" else _reason(how)
        # A worker that timed out is then killed by the master, or exits with 1: more lines, but no other worker.
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
    if not _TIME.fullmatch(text):
        return None
    try:
        # strptime would load the locale, which takes longer than all the rest that is done with a log.
        return datetime.datetime.fromisoformat(f"{text[:10]}T{text[11:19]}{text[20:23]}:{text[23:]}").timestamp()
    except (ValueError, OverflowError):
        return None
