# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How commands are run on the host."""

from __future__ import annotations

from typing import Callable

Run = Callable[[list], "tuple[int, str, str]"]  # command; exit code, output, errors
