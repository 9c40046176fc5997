# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workers counted, read from files that the service's user may write."""

import array
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.request_counters import Counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.counters_format import CountersFormat

BUCKETS = CountersFormat.BUCKETS
NOW = 3000.0
COUNTERS = Counters(
    since=1000, requests=200, time=8 * 10**9, longest=10**8, alone=150, alone_time=6 * 10**9, alone_cpu=10**9,
    alone_delay=5 * 10**8, histogram=(0,) * 20 + (200,) + (0,) * (BUCKETS - 21),
)  # fmt: skip


def write(path, counters, version=1):
    words = [version, *counters[:-1], *counters.histogram]
    path.write_bytes(array.array("Q", words).tobytes())


def test_ratio_is_of_what_was_alone():
    """A request waits while it neither computes nor is in the queue for a CPU; the ratio is to its computing."""
    requests = request_counters.summarize([COUNTERS], NOW)
    assert requests.wait_ratio == pytest.approx((6 - 1 - 0.5) / 1)
    assert requests.cpu_per_request == pytest.approx(1 / 150)
    assert requests.latency.mean == pytest.approx(8 / 200)
    assert requests.per_second == pytest.approx(0.1)


def test_too_few_requests_have_no_ratio():
    """99 requests that were alone are not enough; there is their latency all the same."""
    requests = request_counters.summarize([COUNTERS._replace(alone=99)], NOW)
    assert requests.wait_ratio is None
    assert requests.count == 200


def test_workers_add_up(tmp_path):
    """The longest is the longest of all, and the time since when is the earliest."""
    write(tmp_path / "requests-12", COUNTERS)
    write(tmp_path / "requests-0", COUNTERS._replace(since=500, longest=3 * 10**8))
    requests = request_counters.summarize(request_counters.read_all(str(tmp_path)), NOW)
    assert (requests.count, requests.since, requests.latency.max) == (400, 500, pytest.approx(0.3))
    assert requests.wait_ratio == pytest.approx(4.5)


@pytest.mark.parametrize("directory", ["empty", "missing"])
def test_nothing_is_none(tmp_path, directory):
    """A service without counters has no requests."""
    (tmp_path / "empty").mkdir()
    assert request_counters.summarize(request_counters.read_all(str(tmp_path / directory)), NOW) is None


def test_other_files_are_left_out(tmp_path):
    """A link, a pipe, a directory, a text and the layout of another version: the rest counts."""
    write(tmp_path / "requests-1", COUNTERS)
    write(tmp_path / "secret", COUNTERS)
    (tmp_path / "requests-2").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "requests-3")
    (tmp_path / "requests-4").mkdir()
    (tmp_path / "requests-5").write_text("x" * 5000)
    write(tmp_path / "requests-6", COUNTERS, version=2)
    assert request_counters.summarize(request_counters.read_all(str(tmp_path)), NOW).count == 200


@given(st.binary(min_size=CountersFormat.SIZE, max_size=CountersFormat.SIZE))
def test_any_bytes_are_read(tmp_path_factory, content):
    """Whatever is in the file, there is an answer."""
    path = tmp_path_factory.mktemp("run") / "requests-1"
    path.write_bytes(array.array("Q", [CountersFormat.VERSION]).tobytes() + content[8:])
    requests = request_counters.summarize(request_counters.read_all(str(path.parent)), NOW)
    assert requests is None or requests.count > 0


@given(st.lists(st.integers(0, 1000), min_size=BUCKETS, max_size=BUCKETS), st.floats(0.01, 1))
def test_quantile_has_its_part_below(histogram, part):
    """At least this part of the requests is in buckets that begin below the quantile."""
    value = request_counters.quantile(histogram, part)
    below = sum(
        count
        for bucket, count in enumerate(histogram)
        if CountersFormat.bucket_start(bucket) * 2**16 / 1e9 <= value + 1e-9
    )
    assert below >= part * sum(histogram) - 1e-6
