# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the running web server has last read its configuration."""

from __future__ import annotations

import json
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import processes


def read(stamp: str, pid: int, root: str = "/") -> float:
    """When the running server last read its configuration, in epoch seconds; 0 if it does not run."""
    stat = processes.read_stat(pid, root) if pid else None
    if stat is None:
        return 0.0
    started = processes.boot_time() + stat.started
    text = files.read(stamp)
    known = json.loads(text) if text else {}
    # Another process may get the same id, with another start.
    same = known.get("pid") == pid and known.get("started") == stat.started
    return max(started, known["loaded"]) if same else started


def note(stamp: str, pid: int, loaded: float) -> None:
    """Note when a server loaded its configuration. A reboot ends the server and removes the note."""
    stat = processes.read_stat(pid)
    if stat is not None:
        text = json.dumps({"pid": pid, "started": stat.started, "loaded": loaded})
        files.put(WantedFile(stamp, text, 0o600, os.getegid(), os.geteuid()))
