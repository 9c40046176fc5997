# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a service's requests, wherever it was read: its counters or its access log."""

from __future__ import annotations

from typing import NamedTuple


class Latency(NamedTuple):
    """How long requests took, in seconds."""

    mean: float
    p50: float
    p95: float
    p99: float
    max: float


class Requests(NamedTuple):
    """What requests took since `since` (seconds of the clock), as the service's counters or its access log tell.

    `wait_ratio` is how long a request waits for each second that it computes; `cpu_per_request` are seconds. What is
    not known, or not of enough requests, is None. `in_sample` are those that were answered within the sample.
    """

    count: int
    since: float
    per_second: float
    latency: Latency | None
    wait_ratio: float | None
    cpu_per_request: float | None
    in_sample: int | None = None
