# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error of a change that failed."""

from __future__ import annotations


class DeployError(Exception):
    """The service could not be brought to what is wanted; the message says what is live now."""
