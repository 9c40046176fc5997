# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, units


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes the place of the one in /run."""
    monkeypatch.setattr(units, "RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_unit_can_be_read_by_everyone(directory: Path) -> None:
    """As systemd expects it of a unit."""
    runtime_units.write("shop.socket", "[Socket]\n")
    assert (directory / "shop.socket").read_text() == "[Socket]\n"
    assert (directory / "shop.socket").stat().st_mode & 0o777 == 0o644


def test_a_drop_in_gets_its_directory(directory: Path) -> None:
    """A unit has none before its first drop-in."""
    runtime_units.write("shop.service.d/more.conf", "[Service]\n")
    assert (directory / "shop.service.d" / "more.conf").read_text() == "[Service]\n"


def test_only_added_sockets_of_this_service_are_found(directory: Path) -> None:
    """In the order of their names. A service name is no pattern for the names of other services."""
    for name in ("s[h]op-added-2.socket", "s[h]op-added-1.socket", "s[h]op.socket", "shop-added-1.socket"):
        runtime_units.write(name, "")
    found = [str(directory / name) for name in ("s[h]op-added-1.socket", "s[h]op-added-2.socket")]
    assert runtime_units.added_sockets("s[h]op") == found
