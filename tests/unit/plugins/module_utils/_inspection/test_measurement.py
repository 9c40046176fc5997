# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import measurement
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.other_cpu import SampledCpu

WATCHED = measurement.Watched(counted=None, cpu=SampledCpu(0.5, 2.0, None, {}, frozenset(), None), cores=2.0)


def test_three_requests_are_no_measurement(captured_host: Path, services_of: Callable[..., dict]) -> None:
    """A worker that has served hardly anything has not yet taken all its memory."""
    assert services_of(captured_host)["plain"]["measured"] is None


@pytest.mark.parametrize(("ratio", "rounded"), [(None, None), (0.0, 0.0), (8.349, 8.3), (0.0349, 0.035), (123.4, 120)])
def test_what_is_measured_is_rounded(ratio: float | None, rounded: float | None) -> None:
    """Two digits, and twice the memory of a worker up to the next 8 MiB: a second measurement gives the same."""
    requests = {"count": 100, "wait_ratio": ratio, "other_cpu_ratio": None}
    assert measurement.measured_needs(requests, {"per_worker": (61 << 20) + 1}, WATCHED) == {
        "wait_ratio": rounded,
        "memory_per_worker": "128M",
        "requests": 100,
    }
    assert measurement.measured_needs({**requests, "count": 99}, {"per_worker": 1}, WATCHED) is None
    assert measurement.measured_needs(requests, {"per_worker": None}, WATCHED) is None


@pytest.mark.parametrize(("cores", "needed"), [(2.0, 0.67), (1.4, 1.4), (1.0, 1.5)])
def test_what_others_compute_is_no_reason_for_workers(cores: float, needed: float) -> None:
    """On the two cores of a host, of which a quota leaves some of the time to the others."""
    requests = {"count": 100, "wait_ratio": 1.5, "other_cpu_ratio": 0.5}
    watched = WATCHED._replace(cores=cores)
    assert measurement.measured_needs(requests, {"per_worker": 1}, watched)["wait_ratio"] == needed
