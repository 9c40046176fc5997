# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import marks


@pytest.fixture(autouse=True)
def marks_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where marks of services are, in place of /run."""
    directory = tmp_path_factory.mktemp("run")
    monkeypatch.setattr(marks, "DIRECTORY", str(directory))
    return directory
