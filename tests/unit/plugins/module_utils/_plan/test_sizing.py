# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import sizing
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_text_counts_as_what_it_says() -> None:
    """Command lines give nothing but text; null is as good as not given."""
    given = {"wait_ratio": "2", "thread_safe": "no", "maximum": "7", "memory": "1G", "minimum": None}
    changed = {"wait_ratio": 2.0, "thread_safe": False, "maximum": 7, "memory": "1G"}
    assert sizing.read_options(given) == {**answer.DEFAULTS, **changed}


@pytest.mark.parametrize(
    ("name", "value", "shown", "expected"),
    [
        ("memory_per_worker", "lots", "lots", "a size of at least 1M, with its unit, such as 128M, 1.5G or 512MiB"),
        (
            "memory_companions",
            "lots",
            "lots",
            "a size of at least 1M, with its unit, such as 128M, 1.5G or 512MiB, or 0",
        ),
        ("share", "2", 2.0, "a number above 0 and at most 1"),
        ("share", 2.0, 2.0, "a number above 0 and at most 1"),
        ("minimum", 0, 0, "a whole number of at least 1"),
        ("cpus", -1.0, -1.0, "a number above 0, which may be a fraction"),
        ("maximum", "x", "x", "a whole number"),
        ("wait_ratio", "x", "x", "a number"),
        ("thread_safe", "perhaps", "perhaps", "true or false"),
    ],
)
def test_an_option_that_can_not_be_used(name: str, value: object, shown: object, expected: str) -> None:
    """The error names it as a part of the role's variable."""
    with pytest.raises(InvalidValue) as caught:
        sizing.read_options({name: value})
    assert str(caught.value) == f"gunicorn_sizing['{name}']: {shown!r} can't be used: expected {expected}"
