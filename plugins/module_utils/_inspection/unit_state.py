# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a unit of a companion is."""

from __future__ import annotations

import typing as t


class UnitState(t.NamedTuple):
    """What systemd says of a unit, or supervisor of a program, and its processes."""

    state: str = ""
    main_pid: int = 0
    restarts: int = 0
    result: str = ""
    ended: float | None = None
    next_run: float | None = None
    pids: tuple[int, ...] = ()
