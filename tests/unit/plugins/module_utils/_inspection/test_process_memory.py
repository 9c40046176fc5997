# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import process_memory


def test_memory_adds_up(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """Shared pages count once, so the service takes less than its processes show."""
    memory = services_of(captured_host)["plain"]["memory"]
    assert memory["private"] + memory["shared"] == memory["pss"] < memory["rss"]


def test_what_a_worker_costs(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """Its anonymous pages, its share of the files, and how much higher its peak was; the most expensive one counts."""
    plain = services_of(captured_host)["plain"]
    (most, _other) = sorted(
        (
            worker["anonymous"] + worker["pss_file"] + worker["pss_shmem"] + worker["peak_rss"] - worker["rss"]
            for worker in plain["processes"][1:]
        ),
        reverse=True,
    )
    assert plain["memory"]["per_worker"] == most


def test_the_peak_of_a_worker_counts() -> None:
    """A worker that is idle now will need it again; a kernel that does not tell is no error."""
    worker = {"anonymous": 70, "pss_file": 5, "pss_shmem": 1, "rss": 90, "peak_rss": 120}
    assert process_memory.cost_of(worker) == 106
    assert process_memory.cost_of({**worker, "peak_rss": None}) == 76
    assert process_memory.cost_of({**worker, "pss_file": None}) is None


def test_a_worker_that_ends_meanwhile(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """It is left out, and nothing else changes."""
    shutil.rmtree(captured_host / "proc/836")
    (captured_host / "proc/835/status").write_text("Name:\tgunicorn\nState:\tZ (zombie)\n", encoding="utf-8")
    plain = services_of(captured_host)["plain"]
    assert [process["pid"] for process in plain["processes"]] == [833]
    assert plain["memory"]["per_worker"] is None
