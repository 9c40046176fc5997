# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import unit_details


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("infinity", None),
        ("", None),
        ("1s", 1.0),
        ("1s 500ms", 1.5),
        ("2min 30s", 150.0),
        ("250us", 0.00025),
        ("x", None),
    ],
)
def test_time_spans(text: str, seconds: float | None) -> None:
    """As systemd prints a quota."""
    assert unit_details.parse_span(text) == (None if seconds is None else pytest.approx(seconds))
