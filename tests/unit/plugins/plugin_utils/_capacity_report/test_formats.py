# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import formats


@pytest.mark.parametrize(
    ("function", "amount", "text"),
    [
        ("size", 0, "0 bytes"),
        ("size", 999, "999 bytes"),
        ("size", 1000, "0.977 KiB"),
        ("size", 1 << 20, "1 MiB"),
        ("size", 8326742016, "7.75 GiB"),
        ("size", 3 << 40, "3 TiB"),
        ("size", 1 << 60, "1048576 TiB"),
        ("percent", 0, "0%"),
        ("percent", 0.02, "0.02%"),
        ("percent", 3.14, "3.1%"),
        ("percent", 81.4, "81%"),
        ("number", 12000, "12,000"),
        ("number", 31.25, "31.2"),
        ("number", 0.205, "0.205"),
        ("number", 2.0, "2"),
        ("seconds", 0.0482, "48.2 ms"),
        ("seconds", 1.84, "1.84 s"),
        ("seconds", 0, "0 ms"),
        ("moment", 1763812345, "2025-11-22 11:52 UTC"),
        ("moment", 1e300, "unknown"),
        ("moment", -1e18, "unknown"),
    ],
)
def test_figures_are_written_as_people_do(function: str, amount: float, text: str) -> None:
    """In the unit that they would choose, to three digits."""
    assert getattr(formats, function)(amount) == text
