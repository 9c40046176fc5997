# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One execution of a step, as a manager is asked for it, and how it fails."""

from __future__ import annotations

from typing import NamedTuple


class Execution(NamedTuple):
    """A step, ready to be executed."""

    note: dict[str, str]  # tells the next run which step this was
    command: list[str]
    directory: str
    environment: dict[str, str]  # what the step has beside the environment of the service
    writes: list[str]
    timeout: int  # seconds


class StepFailed(Exception):
    """A step did not succeed; the message says how it ended, such as "it ended with status 1"."""

    def __init__(self, how: str, said: str = "") -> None:
        super().__init__(how)
        self.said = said  # what it printed, as it is
