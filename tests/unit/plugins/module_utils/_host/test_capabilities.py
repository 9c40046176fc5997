# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import capabilities


@pytest.mark.parametrize(
    ("effective", "has"),
    [("00000000800405fb", False), ("00000000a82425fb", True), ("000001ffffffffff", True), ("none", True)],
)
def test_those_of_the_first_process(tmp_path: Path, effective: str, has: bool) -> None:
    """What the engine of a container has left; where nothing says so, nothing is missing."""
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/status").write_text(f"Name:\tCapEff:\nCapPrm:\t0\nCapEff:\t{effective}\n")
    assert capabilities.has(capabilities.SYS_ADMIN, str(tmp_path)) is has


def test_a_host_that_says_nothing(tmp_path: Path) -> None:
    """It is taken for one that has all."""
    assert capabilities.has(capabilities.BPF, str(tmp_path))
