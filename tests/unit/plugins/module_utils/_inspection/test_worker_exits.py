# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import re
import time

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import worker_exits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.worker_exits import Exits

# Gunicorn 27 on a test host: one worker exits, one is killed, and one takes too long, which ends it with 1.
LOG = """\
[2026-11-22 11:26:00 +0000] [993] [INFO] Starting gunicorn 27.0.1
[2026-11-22 11:26:00 +0000] [993] [INFO] Listening at: http://127.0.0.1:8040 (993)
[2026-11-22 11:26:00 +0000] [995] [INFO] Booting worker with pid: 995
[2026-11-22 11:26:00 +0000] [996] [INFO] Booting worker with pid: 996
[2026-11-22 11:26:00 +0000] [993] [ERROR] Worker (pid:996) exited with code 7.
[2026-11-22 11:26:00 +0000] [1003] [INFO] Booting worker with pid: 1003
[2026-11-22 11:26:01 +0000] [993] [ERROR] Worker (pid:995) was sent SIGKILL! Perhaps out of memory?
[2026-11-22 11:26:01 +0000] [1010] [INFO] Booting worker with pid: 1010
[2026-11-22 11:26:31 +0000] [993] [CRITICAL] WORKER TIMEOUT (pid:1010)
[2026-11-22 11:26:31 +0000] [1010] [ERROR] Error handling request /hang
[2026-11-22 11:26:32 +0000] [993] [ERROR] Worker (pid:1010) exited with code 1.
[2026-11-22 11:26:32 +0000] [1015] [INFO] Booting worker with pid: 1015
""".splitlines()
START = 1795346760.0


def test_a_log_of_gunicorn_27() -> None:
    """Each worker counts once, by what happened to it first."""
    assert worker_exits.count_exits(LOG) == Exits(timeout=1, killed=1, failed=1, since=START)


def test_masters_before_this_one_do_not_count() -> None:
    """The restart may have mended what ended their workers."""
    later = [line.replace("993", "2993") for line in LOG]
    assert worker_exits.count_exits([*LOG, *later], master=2993)[:3] == (1, 1, 1)
    assert worker_exits.count_exits(LOG, master=2993)[:3] == (0, 0, 0)


def test_a_log_of_gunicorn_23() -> None:
    """It logs an exit twice, and the master kills a worker that timed out."""
    lines = [
        "[2026-11-22 11:26:00 +0000] [993] [CRITICAL] WORKER TIMEOUT (pid:995)",
        "[2026-11-22 11:26:01 +0000] [993] [ERROR] Worker (pid:995) was sent SIGKILL! Perhaps out of memory?",
        "[2026-11-22 11:26:02 +0000] [993] [ERROR] Worker (pid:996) exited with code 7",
        "[2026-11-22 11:26:02 +0000] [993] [ERROR] Worker (pid:996) exited with code 7.",
    ]
    assert worker_exits.count_exits(lines) == Exits(timeout=1, failed=1, since=START)


def test_a_process_id_that_is_used_again_counts_again() -> None:
    """A worker with the process id of an ended one is another worker."""
    killed = "[2026-11-22 11:26:01 +0000] [9] [ERROR] Worker (pid:10) was sent SIGKILL! Perhaps out of memory?"
    booted = "[2026-11-22 11:26:01 +0000] [10] [INFO] Booting worker with pid: 10"
    assert worker_exits.count_exits([killed, booted, killed]).killed == 2


def test_what_the_master_wants_is_no_exit() -> None:
    """A reload ends the old workers by SIGTERM; the log says nothing of one that exits with 0."""
    lines = [
        "[2026-11-22 11:26:01 +0000] [9] [INFO] Handling signal: hup",
        "[2026-11-22 11:26:01 +0000] [9] [INFO] Worker (pid:10) was sent SIGTERM!",
        "[2026-11-22 11:26:01 +0000] [10] [INFO] Worker exiting (pid: 10)",
    ]
    assert worker_exits.count_exits(lines) == Exits(since=START + 1)


def test_lines_of_others_do_not_count() -> None:
    """A visitor's text within a line, a line without Gunicorn's form, one that is too long."""
    forged = "[2026-11-22 11:26:01 +0000] [9] [CRITICAL] WORKER TIMEOUT (pid:995)"
    lines = [
        f"[2026-11-22 11:26:00 +0000] [9] [WARNING] Invalid request from ip=1.2.3.4: '{forged}'",
        forged[len("[2026-11-22 11:26:01 +0000] ") :],
        forged + "x",
        forged + " " * 500,
        f" {forged}",
        forged.replace("995", "99999999999"),
    ]
    assert worker_exits.count_exits(lines) == Exits(since=START)


def test_lines_of_hostile_length_take_no_time() -> None:
    """Megabytes that are nearly a line of Gunicorn's."""
    lines = ["[2026-11-22 11:26:00 +0000] [9] [ERROR] Worker (pid:1) was sent SIGKILL!" + "!" * 10**6] * 20
    begin = time.process_time()
    worker_exits.count_exits(lines)
    assert time.process_time() - begin < 5


@given(st.lists(st.text() | st.sampled_from(LOG)))
def test_no_lines_stop_it(lines: list[str]) -> None:
    """There are never more exits than lines."""
    exits = worker_exits.count_exits(lines)
    assert exits.timeout + exits.killed + exits.failed <= len(lines)


class TestJournal:
    def test_lines_by_writer(self) -> None:
        """As journalctl prints them; a message that is no UTF-8 comes as numbers."""
        entries = [
            {"_PID": "993", "MESSAGE": LOG[0]},
            {"_PID": "7", "MESSAGE": [104, 105, 255]},
            {"_PID": "993", "MESSAGE": LOG[4]},
            {"_PID": "993", "MESSAGE": None},
            {"MESSAGE": "nobody's"},
        ]
        printed = "\n".join(json.dumps(entry) for entry in entries) + "\n-- No entries --\n"
        assert worker_exits.parse_journal(printed) == {993: [LOG[0], LOG[4], "None"], 7: ["hi\ufffd"]}

    def test_the_command_is_bounded(self) -> None:
        """By the writers, a time, and a number of lines."""
        command = worker_exits.journal_command([993, 7], 1000, 1795346760.7)
        assert command[-3:] == ["_PID=993", "+", "_PID=7"]
        assert "--lines=1000" in command
        assert "--since=@1795346760" in command

    @given(
        st.text()
        | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
            lambda value: json.dumps({"_PID": "1", "MESSAGE": value})
        )
    )
    def test_no_text_stops_it(self, printed: str) -> None:
        """Whatever is printed."""
        worker_exits.parse_journal(printed)


# Times as logs have them: offsets of earlier times have seconds.
TIMES = st.datetimes(datetime.datetime(1980, 1, 1), timezones=st.timezones())
LOOKS_LIKE_A_TIME = r"[0-2]\d{3}-[01]\d-[0-3]\d [0-2]\d:[0-7]\d:[0-7]\d [+-]\d{4}"


@given(
    TIMES.map(lambda time: time.strftime("%Y-%m-%d %H:%M:%S %z"))
    | st.from_regex(re.compile(LOOKS_LIKE_A_TIME, re.ASCII), fullmatch=True)
)
def test_a_time_is_what_strptime_makes_of_it(text: str) -> None:
    """Which takes too long here; what is no time is none."""
    try:
        expected = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").timestamp()
    except (ValueError, OverflowError):
        expected = None
    assert worker_exits.parse_time(text) == expected
