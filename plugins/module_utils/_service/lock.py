# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change of a service at a time."""

from __future__ import annotations

import contextlib
import os
from typing import Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError

LOCK_TIMEOUT = 600.0  # seconds


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one change of a service run at a time; raises DeployError if another one does not end."""
    try:
        lock = atomic_lock.take(names.lock_name(name), LOCK_TIMEOUT)
    except TimeoutError as error:
        raise DeployError(f"{name}: {error}. Nothing was changed.") from None
    try:
        yield
    finally:
        os.close(lock)
