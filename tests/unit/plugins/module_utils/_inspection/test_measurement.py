# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import measurement


def test_three_requests_are_no_measurement(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """A worker that has served hardly anything has not yet taken all its memory."""
    assert services_of(captured_host)["plain"]["measured"] is None


@pytest.mark.parametrize(("ratio", "rounded"), [(None, None), (0.0, 0.0), (8.349, 8.3), (0.0349, 0.035), (123.4, 120)])
def test_what_is_measured_is_rounded(ratio: float | None, rounded: float | None) -> None:
    """Two digits, and twice the memory of a worker up to the next 8 MiB: a second measurement gives the same."""
    measured = measurement.Measured({"count": 100}, ratio)
    assert measurement.measured_needs(measured, {"per_worker": (61 << 20) + 1}) == {
        "wait_ratio": rounded,
        "memory_per_worker": "128M",
        "requests": 100,
    }
    assert measurement.measured_needs(measurement.Measured({"count": 99}, ratio), {"per_worker": 1}) is None
    assert measurement.measured_needs(measured, {"per_worker": None}) is None


@pytest.mark.parametrize(
    ("worker_class", "threads", "slots"),
    [("sync", 1, 3), ("gthread", 4, 12), ("gevent", 1, None), (None, 1, None), ("sync", None, None)],
)
def test_requests_at_a_time(worker_class: str | None, threads: int | None, slots: int | None) -> None:
    """An event loop has any number of them."""
    details = SimpleNamespace(
        configured=SimpleNamespace(worker_class=worker_class, threads=threads),
        service=SimpleNamespace(workers=[71, 72, 73]),
    )
    assert measurement.slots_of(details) == slots
