# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host may say in any place of its answers."""

from __future__ import annotations

import re

from hypothesis import strategies as st

# Hypothesis also tries texts of our own code. Words such as a job's "success" mean something to a report, which then
# rightly says another thing.
TEXTS = st.text(st.characters(codec=None), min_size=1).filter(lambda text: not re.fullmatch("[a-z_-]+", text))
