# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import lock
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.errors import DeployError


def test_nothing_starts_from_a_venv_while_pip_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change waits for whoever installs, and is refused in time; it keeps others from installing, too."""
    monkeypatch.setattr(lock, "LOCK_TIMEOUT", 0.1)
    venv = str(tmp_path / "venv")
    held = directories.lock(venv)
    with pytest.raises(DeployError, match="shop: another run did not end within 0.1 s. Nothing was changed."):
        lock.locked("shop", venv).__enter__()
    os.close(held)
    with lock.locked("shop", venv), pytest.raises(TimeoutError):
        directories.lock(venv, wait=0)
    os.close(directories.lock(venv, wait=0))


@pytest.mark.parametrize("mark", [directories.CHANGING, directories.MAKING])
def test_nothing_starts_from_a_venv_that_a_killed_pip_left(tmp_path: Path, mark: str) -> None:
    """The next run puts it right first."""
    directories.mark(str(tmp_path), mark)
    with pytest.raises(DeployError, match=f"was killed while it installed into {tmp_path}"):
        lock.locked("shop", str(tmp_path)).__enter__()
    with lock.locked("shop", str(tmp_path / "other")):
        pass
