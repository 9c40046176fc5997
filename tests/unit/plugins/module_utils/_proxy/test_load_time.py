# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import load_time


def test_when_a_server_has_loaded_what_is_there(tmp_path: Path, child: Callable) -> None:
    """At its start, and when it was reloaded since; a stamp of another process says nothing."""
    stamp = str(tmp_path / "stamp.json")
    with child() as process:
        started = load_time.read(stamp, process.pid)
        assert abs(started - time.time()) < 60
        load_time.note(stamp, process.pid, started + 100)
        assert load_time.read(stamp, process.pid) == started + 100
        assert load_time.read(stamp, os.getpid()) < started + 100
    assert load_time.read(stamp, process.pid) == 0.0
    assert load_time.read(stamp, 0) == 0.0
