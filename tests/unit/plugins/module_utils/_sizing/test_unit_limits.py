# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.unit_limits import (
    Limit,
    Limits,
    Whole,
    check_limits,
    service_limits,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

MIB = 1 << 20
HOST = Whole(memory=8192 * MIB, tasks=32768)


def limits(**directives: object) -> Limits:
    """The limits of a service on a host of 8 GiB and 32768 tasks."""
    return service_limits("service_directives", directives, HOST)


class TestServiceLimits:
    @pytest.mark.parametrize(
        ("value", "memory"),
        [
            ("512M", 512 * MIB),
            ("1.5G", 1536 * MIB),
            ("524288K", 512 * MIB),
            ("1T", MIB * MIB),
            ("536870912", 512 * MIB),
            (536870912, 512 * MIB),
            ("536870912B", 512 * MIB),
            (" 512M ", 512 * MIB),
            ("25%", 2048 * MIB),
            ("12.5%", 1024 * MIB),
            ("250‰", 2048 * MIB),
            (["1G", "512M"], 512 * MIB),
        ],
    )
    @pytest.mark.parametrize("name", ["MemoryMax", "MemoryHigh"])
    def test_sizes(self, name: str, value: object, memory: int) -> None:
        """Powers of 1024, and percentages of the host's memory; of a repeated directive the last counts."""
        text = str(value[-1] if isinstance(value, list) else value).strip()
        assert limits(**{name: value}).memory == Limit(memory, f"{name}={text}")

    @pytest.mark.parametrize(
        ("high", "maximum", "decides"), [("1G", "512M", "MemoryMax=512M"), ("512M", "1G", "MemoryHigh=512M")]
    )
    def test_the_lower_one_bounds_the_memory(self, high: str, maximum: str, decides: str) -> None:
        """A service above MemoryHigh= hardly runs, one above MemoryMax= is killed."""
        assert limits(MemoryHigh=high, MemoryMax=maximum).memory == Limit(512 * MIB, decides)

    @pytest.mark.parametrize(
        ("value", "cpus"), [("150%", 1.5), ("20%", 0.2), ("12.5%", 0.125), ("1600%", 16), ("500‰", 0.5)]
    )
    def test_quotas(self, value: str, cpus: float) -> None:
        """A percentage is of one CPU, not of all."""
        assert limits(CPUQuota=value).cpus == Limit(cpus, f"CPUQuota={value}")

    @pytest.mark.parametrize(("value", "tasks"), [("64", 64), (64, 64), ("50%", 16384)])
    def test_tasks(self, value: object, tasks: int) -> None:
        """A number, or a percentage of what the host can have."""
        assert limits(TasksMax=value).tasks == Limit(tasks, f"TasksMax={value}")

    @pytest.mark.parametrize(
        "directives",
        [
            {},
            {"MemoryMax": None, "CPUQuota": None},
            {"MemoryMax": "infinity", "MemoryHigh": "infinity", "TasksMax": "infinity"},
            {"MemoryMax": "", "CPUQuota": "", "TasksMax": []},
            {"MemoryMax": ["512M", ""]},
            {"MemorySwapMax": "0", "LimitNOFILE": 4096},
        ],
    )
    def test_no_limit(self, directives: dict) -> None:
        """Directives that are not there, that are taken back, or that limit nothing."""
        assert service_limits("service_directives", directives, HOST) == Limits()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            (name, value)
            for name in ("MemoryMax", "MemoryHigh")
            for value in ("512MB", "512Mi", "512m", "lots", "-1", "0", "512", "0%", "-5%", "M", "1,5G", "٤G", True, {})
        ],
        *[("CPUQuota", value) for value in ("150", 150, 1.5, "0%", "-10%", "infinity", "a%", "٥%", "10.123%", False)],
        *[("TasksMax", value) for value in ("0", 0, "-1", "64K", "many", "1.5", "0%", True)],
    ],
)
def test_what_systemd_would_ignore_is_refused(name: str, value: object) -> None:
    """The error names the directive, the value, and what was expected; also where it is repeated and not the last."""
    for given in (value, [value, "50%"]):
        with pytest.raises(InvalidValue) as caught:
            check_limits("gunicorn_service_directives", {"Nice": 5, name: given})
        start = f"gunicorn_service_directives['{name}']: {value!r} can't be used: expected a "
        assert str(caught.value).startswith(start)
