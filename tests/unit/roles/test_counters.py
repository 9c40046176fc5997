"""The counters in gunicorn_hooks.py, and the module that reads them."""

import array
import os
import time

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.counters_format import CountersFormat


def ask(counters, cpu=0.0, wait=0.0):
    begun = counters.begin()
    end = time.thread_time() + cpu
    while time.thread_time() < end:
        pass
    time.sleep(wait)
    counters.end(begun)


def test_what_is_counted_is_read(hooks, tmp_path):
    """Requests that compute and wait: their number, their CPU time, and how they waited."""
    counters = hooks._Counters(True)
    for _number in range(100):
        ask(counters, cpu=0.001, wait=0.004)
    requests = request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time())
    assert requests.count == 100
    assert 0.001 <= requests.cpu_per_request < 0.003
    assert requests.wait_ratio > 1.5
    assert 0.005 <= requests.latency.mean <= requests.latency.max
    assert requests.latency.p50 <= requests.latency.p95 <= requests.latency.p99 <= requests.latency.max
    assert time.time() - 60 < requests.since <= time.time()


def test_waiting_for_a_cpu_is_not_waiting(hooks, tmp_path):
    """Processes that share one CPU and only compute have no wait ratio, though each request takes as long as all."""
    pids = []
    for _number in range(3):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        counters = hooks._Counters(True)
        for _request in range(100):
            ask(counters, cpu=0.002)
        os._exit(0)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    requests = request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time())
    assert requests.count == 300
    assert requests.latency.mean > 1.5 * requests.cpu_per_request
    assert requests.wait_ratio < 0.2


def test_requests_beside_others_have_no_part_in_the_ratio(hooks, tmp_path):
    """One that begins while another one runs is counted, but neither says how the application waits."""
    counters = hooks._Counters(True)
    for _number in range(request_counters.ENOUGH):
        first = counters.begin()
        ask(counters)
        counters.end(first)
    requests = request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time())
    assert requests.count == 2 * request_counters.ENOUGH
    assert requests.wait_ratio is None


def test_greenlets_have_no_account(hooks, tmp_path):
    """Without an account of each thread there is the latency, but no ratio."""
    counters = hooks._Counters(False)
    for _number in range(request_counters.ENOUGH):
        ask(counters)
    assert request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time()).wait_ratio is None


def test_workers_that_ended_count(hooks, tmp_path):
    """Their file is added up in one, so that a worker for each thousand requests leaves no heap of files."""
    for number in range(3):
        counters = hooks._Counters(True)
        ask(counters, wait=0.001 * number)
        counters.words[1] -= 100 * number
        hooks._Counters.keep(os.getpid())
    assert [path.name for path in tmp_path.iterdir()] == ["requests-0"]
    requests = request_counters.summarize(request_counters.read_all(str(tmp_path)), time.time())
    assert requests.count == 3
    assert requests.latency.max >= 0.002
    assert time.time() - 260 < requests.since <= time.time() - 200


def test_a_worker_that_counted_nothing_ends(hooks):
    """One that ended before it was ready has no file."""
    hooks._Counters.keep(12345)


def test_what_is_kept_is_the_sum(hooks, tmp_path):
    """Two files become one: counts add up, the longest is the longer one, and since is the earlier one."""
    places = range(len(CountersFormat.WORDS) + CountersFormat.BUCKETS)
    for pid, since, longest in ((1, 1000, 70), (2, 900, 50)):
        words = array.array("Q", [pid * place for place in places])
        words[0], words[1], words[4] = CountersFormat.VERSION, since, longest
        (tmp_path / f"requests-{pid}").write_bytes(words.tobytes())
        hooks._Counters.keep(pid)
    kept = array.array("Q", (tmp_path / "requests-0").read_bytes())
    wanted = [3 * place for place in places]
    wanted[0], wanted[1], wanted[4] = CountersFormat.VERSION, 900, 70
    assert kept.tolist() == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["requests-0"]


def test_the_file_has_the_layout(hooks, tmp_path):
    """A worker makes the whole file at once, with its version and its beginning, and nothing counted."""
    hooks._Counters(True)
    content = (tmp_path / f"requests-{os.getpid()}").read_bytes()
    assert len(content) == CountersFormat.SIZE
    version, since, *counts = array.array("Q", content)
    assert version == CountersFormat.VERSION
    assert time.time() - 60 < since <= time.time()
    assert not any(counts)


def test_each_count_is_read_by_its_name(hooks, tmp_path):
    """Every word that is written is the one of that name for the reader."""
    counters = hooks._Counters(True)
    for place in range(1, len(counters.words)):
        counters.words[place] = place
    read = request_counters._read_counters(str(tmp_path / f"requests-{os.getpid()}"))
    words = {"version": CountersFormat.VERSION, **read._asdict()}
    assert words.pop("histogram") == tuple(range(len(CountersFormat.WORDS), len(counters.words)))
    assert words == {**hooks._AT, "version": CountersFormat.VERSION}
