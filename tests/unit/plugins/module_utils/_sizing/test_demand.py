# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand, check_demand
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class TestCheckDemand:
    @pytest.mark.parametrize(
        "demand",
        [
            Demand(),
            Demand(wait_ratio=0),
            Demand(share=0.001),
            Demand(minimum=4, maximum=4),
            Demand(worker_class="egg:shop#loop"),
            Demand(worker_class="shop.workers.Loop"),
            Demand(threads=1),
        ],
    )
    def test_what_makes_sense_is_returned_as_it_is(self, demand: Demand) -> None:
        """The limits themselves are allowed."""
        assert check_demand(demand) is demand

    @pytest.mark.parametrize(
        ("option", "values"),
        [
            ("wait_ratio", [-0.1, math.nan, math.inf, -math.inf]),
            ("share", [0, -1, 1.01, math.nan, math.inf]),
            ("threads", [0, -1]),
            ("minimum", [0, -1]),
            ("maximum", [0, -1]),
            ("worker_class", ["", "gthred", "shop.", ".shop", "shop.workers Loop", "9.workers", "egg:"]),
        ],
    )
    def test_what_makes_none_is_named(self, option: str, values: list[object]) -> None:
        """The error names the option, the value, and what was expected."""
        for value in values:
            with pytest.raises(InvalidValue) as caught:
                check_demand(Demand()._replace(**{option: value}))  # type: ignore[arg-type]
            assert str(caught.value).startswith(f"{option}: {value!r} can't be used: expected ")

    def test_a_maximum_below_the_minimum_is_refused(self) -> None:
        """No count could be between them."""
        with pytest.raises(InvalidValue, match="maximum: 3 can't be used: expected a number not below minimum"):
            check_demand(Demand(minimum=4, maximum=3))
