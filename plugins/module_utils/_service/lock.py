# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change of a service at a time."""

from __future__ import annotations

import contextlib
from typing import Iterator

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock as atomic_lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError

LOCK_TIMEOUT = 600.0  # seconds


@contextlib.contextmanager
def locked(name: str, venv: str = "") -> Iterator[None]:
    """Let one change of a service run at a time, and nothing be installed meanwhile into the venv that it runs from.

    DeployError if another run does not end, or was killed and has left the venv half changed.
    """

    def refusal(reason: str) -> DeployError:
        return DeployError(f"{name}: {reason}. Nothing was changed.")

    with contextlib.ExitStack() as held:
        held.enter_context(atomic_lock.held(names.lock_name(name), LOCK_TIMEOUT, refusal))
        if venv:
            held.enter_context(atomic_lock.held(directories.lock_name(venv), LOCK_TIMEOUT, refusal))
            if directories.is_interrupted(venv):
                raise refusal(f"another run was killed while it installed into {venv}; run the role again")
        yield
