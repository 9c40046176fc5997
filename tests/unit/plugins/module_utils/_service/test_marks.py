# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import marks


def test_where_marks_are() -> None:
    """Beside the runtime directories, whose parent may be another service's."""
    assert marks.refused("shop") == "/run/gunicorn-shop.refused"
    assert marks.untried("shop") == "/run/gunicorn-shop.untried"


def test_a_mark_is_made_and_removed_again(tmp_path: Path) -> None:
    """Also where it is there already, or not."""
    path = tmp_path / "mark"
    for _time in range(2):
        marks.make(str(path))
        assert path.read_bytes() == b""
    for _time in range(2):
        marks.remove(str(path))
        assert not path.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever has put it there."""
    (tmp_path / "mark").symlink_to("elsewhere")
    with pytest.raises(OSError, match="mark"):
        marks.make(str(tmp_path / "mark"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_mark_for_a_while_does_not_stay(tmp_path: Path) -> None:
    """Whether what it is for works or fails."""
    path = tmp_path / "mark"

    def fail() -> None:
        with marks.made(str(path)):
            assert path.exists()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert not path.exists()
