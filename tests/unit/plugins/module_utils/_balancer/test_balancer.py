# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer import balancer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import Server


def test_a_condition_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked at least once, however short the time is."""
    monkeypatch.setattr(balancer, "INTERVAL", 0.001)
    answers = iter([False, False, True])
    assert balancer.wait_until(lambda: next(answers), 30)
    assert balancer.wait_until(lambda: True, 0)
    assert not balancer.wait_until(lambda: False, 0.01)


def test_a_server_is_labelled_with_its_group() -> None:
    """HAProxy takes it like this, and users see it."""
    assert Server("shop", "web1", None, balancer.READY, True).label == "shop/web1"
