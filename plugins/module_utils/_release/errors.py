# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error that a release gets."""

from __future__ import annotations


class ReleaseError(Exception):
    """A release can't be found, brought or used as wanted; the message says why."""
