"""The counters in gunicorn.conf.py, and the module that reads them: each has the layout of the file."""

import functools
import mmap
import os
import re
import threading
import time
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters

TEMPLATE = Path(__file__).parents[3] / "roles/gunicorn/templates/gunicorn.conf.py.j2"


@functools.cache
def counting_code():
    """The class and the function that use no variable of the role."""
    return re.search(r"^class _Counters:.*?(?=^_counters = None)", TEMPLATE.read_text(), re.MULTILINE | re.DOTALL)[0]


@pytest.fixture
def conf(tmp_path):
    import array

    names = {"array": array, "mmap": mmap, "os": os, "threading": threading, "time": time, "_RUN": str(tmp_path)}
    exec(counting_code(), names)
    return types.SimpleNamespace(**names)


def ask(counters, cpu=0.0, wait=0.0):
    begun = counters.begin()
    end = time.thread_time() + cpu
    while time.thread_time() < end:
        pass
    time.sleep(wait)
    counters.end(begun)


def test_what_is_counted_is_read(conf, tmp_path):
    """Requests that compute and wait: their number, their CPU time, and how they waited."""
    counters = conf._Counters(True)
    for _number in range(100):
        ask(counters, cpu=0.001, wait=0.004)
    requests = request_counters.read(str(tmp_path), time.time())
    assert requests.count == 100
    assert 0.001 <= requests.cpu_per_request < 0.003
    assert requests.wait_ratio > 1.5
    assert 0.005 <= requests.latency.mean <= requests.latency.max
    assert requests.latency.p50 <= requests.latency.p95 <= requests.latency.p99 <= requests.latency.max
    assert time.time() - 60 < requests.since <= time.time()


def test_waiting_for_a_cpu_is_not_waiting(conf, tmp_path):
    """Processes that share one CPU and only compute have no wait ratio, though each request takes as long as all."""
    pids = []
    for _number in range(3):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        counters = conf._Counters(True)
        for _request in range(100):
            ask(counters, cpu=0.002)
        os._exit(0)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    requests = request_counters.read(str(tmp_path), time.time())
    assert requests.count == 300
    assert requests.latency.mean > 1.5 * requests.cpu_per_request
    assert requests.wait_ratio < 0.2


def test_requests_beside_others_have_no_part_in_the_ratio(conf, tmp_path):
    """One that begins while another one runs is counted, but neither says how the application waits."""
    counters = conf._Counters(True)
    for _number in range(request_counters.ENOUGH):
        first = counters.begin()
        ask(counters)
        counters.end(first)
    requests = request_counters.read(str(tmp_path), time.time())
    assert requests.count == 2 * request_counters.ENOUGH
    assert requests.wait_ratio is None


def test_greenlets_have_no_account(conf, tmp_path):
    """Without an account of each thread there is the latency, but no ratio."""
    counters = conf._Counters(False)
    for _number in range(request_counters.ENOUGH):
        ask(counters)
    assert request_counters.read(str(tmp_path), time.time()).wait_ratio is None


def test_workers_that_ended_count(conf, tmp_path):
    """Their file is added up in one, so that a worker for each thousand requests leaves no heap of files."""
    for number in range(3):
        counters = conf._Counters(True)
        ask(counters, wait=0.001 * number)
        counters.words[1] -= 100 * number
        conf._Counters.keep(os.getpid())
    assert [path.name for path in tmp_path.iterdir()] == ["requests-0"]
    requests = request_counters.read(str(tmp_path), time.time())
    assert requests.count == 3
    assert requests.latency.max >= 0.002
    assert time.time() - 260 < requests.since <= time.time() - 200


def test_a_worker_that_counted_nothing_ends(conf):
    """One that ended before it was ready has no file."""
    conf._Counters.keep(12345)


@given(st.integers(0, 1 << 50))
def test_each_time_has_its_bucket(took):
    """The bucket that the worker counts a time in is the one that the module takes for it."""
    names = {}
    exec(counting_code().partition("def _count")[0], names)
    bucket = names["_Counters"].bucket(types.SimpleNamespace(BUCKETS=request_counters.BUCKETS), took)
    assert request_counters.bucket_start(bucket) <= took >> 16
    assert took >> 16 < request_counters.bucket_start(bucket + 1) or bucket == request_counters.BUCKETS - 1
    assert names["_Counters"].BUCKETS == request_counters.BUCKETS
