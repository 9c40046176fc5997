# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What made texts say of themselves is in test_companion_units.py."""

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion_texts


@pytest.mark.parametrize(
    "text", [None, "", "[Service]\nExecStart=/bin/true\n", "[Unit]\n# A companion of shop: mail\n"]
)
def test_no_other_unit_is_one(text: str | None) -> None:
    """The line alone does not make it the role's."""
    assert companion_texts.owner_of(text) == ("", "")


@pytest.mark.parametrize(
    ("unit", "generation"),
    [("shop-mail@12-3.service", 12), ("shop-mail.service", 0), ("shop-mail@x-1.service", 0), ("shop@1-2.timer", 0)],
)
def test_the_generation_of_a_unit(unit: str, generation: int) -> None:
    """By its name; other units have none."""
    assert companion_texts.generation_of(unit) == generation


def test_the_live_generation() -> None:
    """The newest for which the unit stands; a unit of another companion that it wants does not count."""
    text = "[Unit]\nWants=shop-mail@3-1.service shop-mail@4-1.service shop-news@9-1.service\n"
    assert companion_texts.live_generation("shop-mail.service", text) == 4
    assert companion_texts.live_generation("shop-mail.service", "[Unit]\n") == 0
