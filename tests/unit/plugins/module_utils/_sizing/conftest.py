# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workers that are sized to a host of one's choice."""

from __future__ import annotations

from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Host, Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.sizing import Sizing, size_workers
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import NO_LIMITS, Limits
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB


@pytest.fixture(scope="session")
def size() -> Callable[..., Sizing]:
    """Size an application with this demand to a host, of 2 cores and 16 GiB unless the test says otherwise."""

    def size_for(
        cpus: float = 2,
        memory: int = 16384 * MIB,
        cpus_by: str = "online",
        memory_by: str = "total",
        limits: Limits = NO_LIMITS,
        **demand: object,
    ) -> Sizing:
        host = Host(Resource(cpus, cpus_by), Resource(memory, memory_by))
        return size_workers(host, Demand(**demand), limits)  # type: ignore[arg-type]

    return size_for
