# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB, parse_size

GIB = 1024 * MIB


class TestParseSize:
    @pytest.mark.parametrize(
        ("text", "size_in_bytes"),
        [
            ("512M", 512 * MIB),
            ("512MB", 512 * MIB),
            ("512MiB", 512 * MIB),
            ("512Mi", 512 * MIB),
            ("512m", 512 * MIB),
            (" 512 M ", 512 * MIB),
            ("1.5G", 1536 * MIB),
            ("2048K", 2 * MIB),
            ("2048KB", 2 * MIB),
            ("2048KiB", 2 * MIB),
            ("1T", 1024 * GIB),
            ("1073741824", GIB),
            ("1M", MIB),
        ],
    )
    def test_units_are_powers_of_1024(self, text: str, size_in_bytes: int) -> None:
        """The ways in which people write a size all mean the same."""
        assert parse_size("memory", text) == size_in_bytes

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "abc",
            "lots",
            "M",
            "-5M",
            "0",
            "nan",
            "inf",
            "1e9",
            "128",
            "1023K",
            "512X",
            "512Mb",
            "512MiBs",
            "1 000M",
            "1_000M",
            "512M\n512M",
            "٣M",
            "9" * 400,
        ],
    )
    def test_anything_else_is_refused_with_what_was_expected(self, text: str) -> None:
        """The error names the option, the value and the form; a number without its unit is a mistake as well."""
        with pytest.raises(InvalidValue) as caught:
            parse_size("memory", text)
        assert str(caught.value).startswith(f"memory: {text!r} ")
        assert "128M" in str(caught.value)

    @pytest.mark.parametrize("text", ["200", "10", "10M; deny all"])
    def test_zero_is_a_size_where_it_makes_sense(self, text: str) -> None:
        """A reserve may be nothing, but not a few bytes."""
        assert parse_size("memory_reserve", "0", zero_allowed=True) == 0
        with pytest.raises(InvalidValue, match="or 0"):
            parse_size("memory_reserve", text, zero_allowed=True)
