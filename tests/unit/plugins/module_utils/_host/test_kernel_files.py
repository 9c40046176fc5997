# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import kernel_files


class TestReadTail:
    def test_the_end_of_a_file(self, tmp_path: Path) -> None:
        """And where it begins; a short file is read whole, and beyond its end there is nothing."""
        path = tmp_path / "log"
        path.write_bytes(b"0123456789")
        assert kernel_files.read_tail(str(path), 4) == (b"6789", 6)
        assert kernel_files.read_tail(str(path), 99) == (b"0123456789", 0)
        assert kernel_files.read_tail(str(path), 4, offset=8) == (b"89", 8)
        assert kernel_files.read_tail(str(path), 4, offset=99) == (b"", 99)

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        """Else a service's user would choose what root reads."""
        (tmp_path / "log").symlink_to("/etc/passwd")
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            kernel_files.read_tail(str(tmp_path / "log"), 4)

    def test_a_pipe_does_not_hold_it_up(self, tmp_path: Path) -> None:
        """Perhaps no process ever writes to it."""
        os.mkfifo(tmp_path / "log")
        with pytest.raises(OSError, match="not a regular file"):
            kernel_files.read_tail(str(tmp_path / "log"), 4)

    @pytest.mark.parametrize("path", ["/dev/zero", "/", "/nowhere", "/etc/\0"])
    def test_what_is_no_file_is_an_error(self, path: str) -> None:
        """One that the callers catch."""
        with pytest.raises((OSError, ValueError)):
            kernel_files.read_tail(path, 4)


def test_lines_that_are_cut_off_do_not_count() -> None:
    """The first one, unless the file begins there; bytes that are no UTF-8 do no harm."""
    assert kernel_files.whole_lines(b"a\nb\xff\nc", 0) == ["a", "b\ufffd", "c"]
    assert kernel_files.whole_lines(b"a\nb\xff\nc", 7) == ["b\ufffd", "c"]


def test_numbers_of_a_file_of_the_kernel() -> None:
    """Names with and without a colon; lines that are something else are left out."""
    text = "MemTotal:  24 kB\nusage_usec 5\nmax max\n\nlonely\nlow -1\n"
    assert kernel_files.numbers(text) == {"MemTotal": 24, "usage_usec": 5}


@given(st.text())
def test_no_text_stops_it(text: str) -> None:
    """Whatever the file says, the numbers are not below zero."""
    assert all(number >= 0 for number in kernel_files.numbers(text).values())
