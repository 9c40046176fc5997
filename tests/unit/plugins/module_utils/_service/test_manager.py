# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.mark.parametrize(
    ("wanted", "booted", "chosen"),
    [
        ("auto", True, "systemd"),
        ("auto", False, "supervisor"),
        ("systemd", True, "systemd"),
        ("supervisor", True, "supervisor"),
        ("supervisor", False, "supervisor"),
    ],
)
def test_choose(tmp_path: Path, wanted: str, booted: bool, chosen: str) -> None:
    """systemd where it runs the host, unless somebody wants it otherwise."""
    if booted:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert manager.choose(wanted, str(tmp_path)) == chosen


def test_systemd_that_does_not_run(tmp_path: Path) -> None:
    """It may be installed, and still can't run a service."""
    with pytest.raises(InvalidValue, match="gunicorn_service_manager: 'systemd' can't be used: expected auto"):
        manager.choose("systemd", str(tmp_path))
