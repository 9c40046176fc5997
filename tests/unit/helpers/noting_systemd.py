# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A systemd for tests, which notes what it is asked."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import Systemctl


class Systemd:
    """A systemd that only notes what it is asked to do; units are as a test sets them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing = ""
        self.loaded: dict[str, str] = {}  # properties by unit; another unit is not found

    def run(self, command: list[str]) -> tuple[int, str, str]:
        """What systemctl does."""
        assert command[0] == "systemctl"
        if command[1] == "show":
            return 0, "\n\n".join(self.loaded.get(name, "LoadState=not-found") for name in command[4:]), ""
        words = " ".join(command[1:])
        self.asked.append(words)
        return (1, "", "Job failed.\nSee more.\n") if self.failing and self.failing in words else (0, "", "")

    @property
    def systemctl(self) -> Systemctl:
        """The way to it."""
        return Systemctl(Runner(self.run))
