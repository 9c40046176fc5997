# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workers that take more than they were sized for; their readings are captured ones, of which one is enlarged."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import worker_memory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer

CAPTURED = Path(__file__).parents[4] / "fixtures" / "services" / "proc"
MASTER, WORKERS = 833, (835, 836)
# The worker 835 costs 34,560 KiB of its own, and 251 of what it shares.
HOST = {**answer.DEFAULTS, "cpus": 2.0, "service_directives": {"MemoryMax": "512M"}, "memory": "8G"}
LARGE = 150 << 10  # KiB


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The root of a host on which shop runs with two workers."""
    for pid in (MASTER, *WORKERS):
        shutil.copytree(CAPTURED / str(pid), tmp_path / "proc" / str(pid), symlinks=True)
    (tmp_path / "run/gunicorn/shop").mkdir(parents=True)
    for pid in WORKERS:
        (tmp_path / f"run/gunicorn/shop/worker-{pid}").touch()
    return tmp_path


@pytest.fixture
def say(host: Path) -> Callable[..., list[str]]:
    """What is said of a number of workers that were sized with some options."""

    def ask(workers: int, **options: object) -> list[str]:
        return worker_memory.warnings("shop", MASTER, workers, {**HOST, **options}, str(host))

    return ask


def enlarge(host: Path, pid: int, name: str = "VmHWM") -> None:
    """Have a worker whose memory was once so large."""
    status = host / f"proc/{pid}/status"
    status.write_text(re.sub(rf"^{name}:.*", f"{name}:\t{LARGE} kB", status.read_text(), flags=re.MULTILINE))


def test_workers_that_take_less_than_they_were_sized_for(say: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said, and how their pages are shared is not read."""
    monkeypatch.setattr(processes, "read_pages", lambda pid, root: pytest.fail(f"{pid} was read"))
    assert say(30) == []


def test_workers_that_once_took_more_do_not_fit(say: Callable, host: Path) -> None:
    """The peak of the largest counts: what it has now, and what it has given back. 512 MiB hold the master and 3 of it."""
    enlarge(host, 836)
    (warning,) = say(4)
    assert warning == (
        "The workers of shop have taken up to 142 MiB each, and memory_per_worker is 128 MiB: the memory holds 3 of that "
        "size, and not 4. Set gunicorn_sizing: {memory_per_worker: 284M}, which is enough for reloads, too; or raise what "
        "limits the memory, or have fewer workers."
    )
    assert say(3) == []


def test_what_it_says_to_set_is_enough(say: Callable, host: Path) -> None:
    """With this value nothing is said any more, and so many are sized."""
    enlarge(host, 835)
    (warning,) = say(4)
    measured = re.search(r"memory_per_worker: (\d+M)", warning)[1]
    assert say(answer.size({**HOST, "memory_per_worker": measured})[0]["workers"], memory_per_worker=measured) == []


def test_other_projects_leave_less(say: Callable, host: Path) -> None:
    """What they have is not for larger workers: of 544 MiB that it has already, or 300 that are left, 3 of them fit."""
    enlarge(host, 836)
    alone = {"service_directives": {}, "memory": "1000M"}
    assert say(4, **alone) == []
    (warning,) = say(4, **alone, memory_neighbours="500M", memory_kept="544M")
    assert "the memory holds 3 of that size, and not 4." in warning


def test_shared_pages_count_once(say: Callable, host: Path) -> None:
    """A worker whose resident memory is large since others share it costs what it has of its own."""
    for name in ("VmRSS", "VmHWM"):
        enlarge(host, 835, name)
    assert say(100, memory_per_worker="40M") == []


def test_a_file_that_the_service_has_made_is_not_believed(say: Callable, host: Path) -> None:
    """It may name any process; only the master's children are its workers."""
    enlarge(host, 836)
    (host / "run/gunicorn/shop/worker-836").unlink()
    shutil.copytree(host / "proc/836", host / "proc/999")
    stat = host / "proc/999/stat"
    stat.write_text(stat.read_text().replace(f" {MASTER} ", " 1 ", 1))
    (host / "run/gunicorn/shop/worker-999").touch()
    (host / "run/gunicorn/shop/worker-none").touch()
    assert say(30) == []


def test_what_the_kernel_does_not_tell_is_not_judged(say: Callable, host: Path) -> None:
    """An older kernel, or a worker that has just ended."""
    enlarge(host, 836)
    rollup = host / "proc/836/smaps_rollup"
    rollup.write_text(re.sub(r"Pss_(File|Shmem):.*\n", "", rollup.read_text()))
    assert say(30) == []
    rollup.unlink()
    assert say(30) == []
