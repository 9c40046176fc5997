# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess


@pytest.mark.parametrize(
    ("process", "is_up"),
    [
        (ProgramProcess("RUNNING", 7), True),
        (ProgramProcess("STARTING", 7), True),
        (ProgramProcess("STOPPING", 7), False),
        (ProgramProcess("BACKOFF", 0), False),
        (ProgramProcess(), False),
    ],
)
def test_a_process_that_is_up(process: ProgramProcess, is_up: bool) -> None:
    """It is there, and was not told to stop."""
    assert process.is_up is is_up
