# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.cgroups import check_slice
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class TestCheckSlice:
    @pytest.mark.parametrize(
        "name",
        [
            "system.slice",
            "-.slice",
            "a-b-c.slice",
            "web_1.slice",
            "system-serial\\x2dgetty.slice",
            "a.b.slice",
        ],
    )
    def test_names_that_systemd_takes_are_taken(self, name: str) -> None:
        """They come back unchanged."""
        assert check_slice(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".slice",
            "system",
            "system.service",
            "/system.slice",
            "a/b.slice",
            "../a.slice",
            "a-.slice",
            "-a.slice",
            "a--b.slice",
            "a b.slice",
            "a.slice\n",
            "ä.slice",
            "a@b.slice",
        ],
    )
    def test_others_are_refused(self, name: str) -> None:
        """The error names option, value and what was expected; a path must never get through."""
        with pytest.raises(InvalidValue) as caught:
            check_slice(name)
        assert str(caught.value).startswith(f"slice: {name!r} can't be used: expected ")
