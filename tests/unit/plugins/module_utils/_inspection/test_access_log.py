# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import access_log
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.access_log import (
    AccessLogError,
    Entry,
    Sample,
    Spent,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.configuration import DEFAULTS
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.request_counters import Latency, Requests

FORMAT = DEFAULTS["access_log_format"] + " %(D)s"
# Gunicorn 27 on a test host
LINE = '127.0.0.1 - - [22/Nov/2026:11:01:46 +0000] "GET / HTTP/1.1" 200 123 "-" "curl/7.88.1" 1322'
ENDED = 1795345306.0
NOTHING = Spent(None, None)


def entries_of(log_format: str, *lines: str) -> list[Entry]:
    pattern = access_log.compile_format(log_format)
    assert pattern is not None
    return access_log.parse_lines(lines, pattern)


class TestFormats:
    @pytest.mark.parametrize(
        ("log_format", "line", "seconds"),
        [
            (FORMAT, LINE, 0.001322),
            (DEFAULTS["access_log_format"], LINE.rpartition(" ")[0], None),
            ("%(t)s %(L)s %(r)s", "[22/Nov/2026:11:01:46 +0000] 0.020624 GET /wait?1 HTTP/1.1", 0.020624),
            ("%(M)s|%(t)s", "1500|[22/Nov/2026:11:01:46 +0000]", 1.5),
            ("%(T)s %(t)s", "3 [22/Nov/2026:11:01:46 +0000]", 3.0),
            ("%(T)s %(D)s %(t)s", "3 3100000 [22/Nov/2026:11:01:46 +0000]", 3.1),
            (
                '%(D)s %({x-request-id}i)s 100%% "%(U)s" %(t)s',
                '70 a-b 100% "/\\"" [22/Nov/2026:11:01:46 +0000]',
                0.00007,
            ),
        ],
    )
    def test_time_and_duration(self, log_format: str, line: str, seconds: float | None) -> None:
        """In any unit and place; the finer one of two units counts."""
        (entry,) = entries_of(log_format, line)
        assert entry.ended == ENDED
        assert entry.seconds == (None if seconds is None else pytest.approx(seconds))

    @pytest.mark.parametrize("log_format", ["%(t)s%(D)s", "%(h)s%(t)s", "x" * 3000])
    def test_a_format_of_many_readings_is_refused(self, log_format: str) -> None:
        """If nothing separates two fields, the end of the first is not known."""
        assert access_log.compile_format(log_format) is None

    @pytest.mark.parametrize(
        "line",
        [
            "",
            LINE[:-4] + "x",
            LINE + " 5",
            LINE.replace("Nov", "Smarch"),
            LINE.replace("22/", "99/"),
            LINE.replace("+0000", "+9999"),
            LINE.replace("1322", "1" * 30),
        ],
    )
    def test_other_lines_do_not_count(self, line: str) -> None:
        """A line that is cut off, or has no valid time."""
        assert [entry for entry in entries_of(FORMAT, line) if entry.ended is not None] == []

    @pytest.mark.parametrize(
        "agent", ['x\\" 99999999', "x [22/Nov/2026:11:01:46 +0000] 5", "\x1b[2J\ufffd\u2028", "\\\\"]
    )
    def test_visitors_do_not_write_the_figures(self, agent: str) -> None:
        """They choose the user agent; Gunicorn puts a backslash before its quotes."""
        assert entries_of(FORMAT, LINE.replace("curl/7.88.1", agent)) == [Entry(ENDED, pytest.approx(0.001322))]

    def test_hostile_lines_take_no_time(self) -> None:
        """Lines as long as Gunicorn allows, made to be tried again and again; a second is a hundred times what they need."""
        hostile = [LINE.replace("curl/7.88.1", text * 4000) + " " for text in ('\\"', '" "', "\\", "%", "- ")]
        begin = time.process_time()
        for log_format in (FORMAT, "%(U)s %(u)s %(a)s %(f)s %(q)s %(t)s %(D)s", '"%(r)s" "%(f)s" "%(a)s" %(t)s %(D)s'):
            entries_of(log_format, *hostile * 10)
        assert time.process_time() - begin < 10

    @given(st.text() | st.text("%()s tDLMT\"'{}[]"), st.text())
    def test_no_format_and_no_line_stop_it(self, log_format: str, line: str) -> None:
        """Other people choose both."""
        pattern = access_log.compile_format(log_format)
        if pattern:
            access_log.parse_lines([line], pattern)


class TestTime:
    def test_zones(self) -> None:
        """The log has the time zone of the host."""
        assert access_log.parse_time("[22/Nov/2026:11:01:46 +0000]") == ENDED
        assert access_log.parse_time("[22/Nov/2026:13:01:46 +0200]") == ENDED
        assert access_log.parse_time("[22/Nov/2026:05:31:46 -0530]") == ENDED

    @given(st.from_regex(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]", fullmatch=True))
    def test_no_time_stops_it(self, text: str) -> None:
        """The 99th of Smarch is not a time."""
        access_log.parse_time(text)


class TestLatency:
    def test_known_figures(self) -> None:
        """Each percentile is one of the requests, by the nearest rank."""
        latency = access_log.latency_of(number / 100 for number in range(1, 101))
        assert latency == Latency(pytest.approx(0.505), 0.5, 0.95, 0.99, 1.0)
        assert access_log.latency_of([3.0]) == Latency(3.0, 3.0, 3.0, 3.0, 3.0)
        assert access_log.latency_of([]) is None

    @given(st.lists(st.floats(0, 1e6), min_size=1))
    def test_they_are_in_order(self, seconds: list[float]) -> None:
        """Each is one of the requests, and none is below a smaller percentile."""
        latency = access_log.latency_of(seconds)
        assert latency is not None
        ranks = [latency.p50, latency.p95, latency.p99, latency.max]
        assert ranks == sorted(ranks)
        assert set(ranks) <= set(seconds)
        assert min(seconds) <= latency.mean * (1 + 1e-9)


class TestWaitRatio:
    @pytest.mark.parametrize(
        ("seconds", "spent", "ratio"),
        [
            ([0.021] * 100, Spent(0.1, 0.0), 20.0),
            ([0.021] * 100, Spent(0.1, 1.0), 10.0),
            ([0.001] * 100, Spent(0.2, 0.0), 0.0),
            ([0.021, None], Spent(0.1, 0.0), None),
            ([0.021], Spent(None, 0.0), None),
            ([0.021], Spent(0.0, 0.0), None),
            ([0.021], Spent(0.1, None), None),
            ([], Spent(0.1, 0.0), None),
        ],
    )
    def test_known_figures(self, seconds: list[float | None], spent: Spent, ratio: float | None) -> None:
        """20 ms of waiting for 1 ms of computing are 20. The queue for a CPU is no waiting. What is unknown stays unknown."""
        assert access_log.wait_ratio(seconds, spent) == ratio

    @given(st.lists(st.floats(0, 1e4)), st.floats(0, 1e6), st.floats(0, 1e6))
    def test_it_is_a_number_that_sizing_takes(self, seconds: list[float], cpu: float, queued: float) -> None:
        """Finite, and not below zero."""
        ratio = access_log.wait_ratio(seconds, Spent(cpu, queued))
        assert ratio is None or (math.isfinite(ratio) and ratio >= 0)


class TestReadRequests:
    """A service that was started a minute before its first request, and 100 seconds before now."""

    STARTED = ENDED - 60
    LIFE = (STARTED, STARTED + 100)

    def write(self, folder: Path, count: int, before: int = 0) -> str:
        path = folder / "access.log"
        old = LINE.replace("11:01:46", "10:01:46")
        path.write_text("".join(f"{line}\n" for line in [old] * before + [LINE] * count), encoding="utf-8")
        return str(path)

    def read(self, path: str, sample: Sample, spent: Spent = NOTHING, longest: int = 1 << 20) -> Requests | None:
        return access_log.read_requests(path, FORMAT, longest, self.LIFE, sample, spent)

    def test_all_since_the_start(self, tmp_path: Path) -> None:
        """Requests of an earlier life of the service do not count."""
        requests = self.read(self.write(tmp_path, 50, before=7), Sample(0, 0, NOTHING))
        assert requests is not None
        assert (requests.count, requests.since, requests.per_second) == (50, self.STARTED, 0.5)
        assert requests.latency is not None
        assert requests.latency.max == pytest.approx(0.001322)
        assert (requests.wait_ratio, requests.cpu_per_request) == (None, None)

    def test_the_ratio_of_the_sample(self, tmp_path: Path) -> None:
        """The requests that were logged within it count, with the CPU time in it."""
        path = self.write(tmp_path, 150)
        size = os.path.getsize(path)
        requests = self.read(path, Sample(size // 3, size, Spent(0.0661, 0.0)))
        assert requests is not None
        assert (requests.wait_ratio, requests.cpu_per_request) == (1.0, pytest.approx(0.000661))

    def test_a_sample_of_few_requests_tells_nothing(self, tmp_path: Path) -> None:
        """One request more or less would change the ratio."""
        path = self.write(tmp_path, 49)
        requests = self.read(path, Sample(0, os.path.getsize(path), Spent(0.1, 0.0)))
        assert requests is not None
        assert requests.wait_ratio is None

    def test_the_ratio_of_a_life(self, tmp_path: Path) -> None:
        """If the log has all requests of it."""
        requests = self.read(self.write(tmp_path, 1000), Sample(0, 0, NOTHING), Spent(0.661, 0.0))
        assert requests is not None
        assert requests.wait_ratio == 1.0

    def test_a_log_that_was_rotated_has_not_all_of_a_life(self, tmp_path: Path) -> None:
        """Nor has a log that is read from its middle: the CPU time is that of more requests."""
        path = self.write(tmp_path, 1000)
        part = self.read(path, Sample(0, 0, NOTHING), Spent(0.661, 0.0), longest=90_000)
        (tmp_path / "access.log.1").touch()
        rotated = self.read(path, Sample(0, 0, NOTHING), Spent(0.661, 0.0))
        assert part is not None
        assert rotated is not None
        assert (part.wait_ratio, rotated.wait_ratio) == (None, None)
        assert (part.since, rotated.since) == (ENDED, ENDED)
        assert part.count < rotated.count == 1000

    def test_a_log_that_was_rotated_before_has(self, tmp_path: Path) -> None:
        """The rotated file is from before the service's start."""
        path = self.write(tmp_path, 1000)
        old = tmp_path / "access.log.1"
        old.touch()
        os.utime(old, (self.STARTED - 1, self.STARTED - 1))
        requests = self.read(path, Sample(0, 0, NOTHING), Spent(0.661, 0.0))
        assert requests is not None
        assert requests.wait_ratio == 1.0

    def test_a_log_that_is_cut_in_the_sample(self, tmp_path: Path) -> None:
        """Its end is before its begin: the sample does not count."""
        requests = self.read(self.write(tmp_path, 100), Sample(99999, 10, Spent(0.1, 0.0)))
        assert requests is not None
        assert requests.wait_ratio is None

    def test_no_requests(self, tmp_path: Path) -> None:
        """There are no requests."""
        assert self.read(self.write(tmp_path, 0, before=3), Sample(0, 0, NOTHING)) is None

    def test_what_can_not_be_read_is_said(self, tmp_path: Path) -> None:
        """In one line."""
        with pytest.raises(AccessLogError, match="No such file"):
            self.read(str(tmp_path / "none"), Sample(0, 0, NOTHING))
        with pytest.raises(AccessLogError, match="its format has no time"):
            access_log.read_requests(self.write(tmp_path, 1), "%(D)s", 99, self.LIFE, Sample(0, 0, NOTHING), NOTHING)
