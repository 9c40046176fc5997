# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change of a service at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError

LOCK_TIMEOUT = 600.0  # seconds


def locked(name: str) -> AbstractContextManager[None]:
    """Let one change of a service run at a time; raises DeployError if another one does not end."""
    return atomic_lock.held(
        names.lock_name(name), LOCK_TIMEOUT, lambda reason: DeployError(f"{name}: {reason}. Nothing was changed.")
    )
