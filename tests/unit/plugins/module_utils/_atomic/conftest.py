# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live files for the tests that change them."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_files import OLD


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A folder with the live files of an earlier deployment: one will change, and one will go."""
    for name, text in OLD.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o640)
    return tmp_path
