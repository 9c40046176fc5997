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


def test_numbers_of_some_names() -> None:
    """Of a long file, what is asked for."""
    assert kernel_files.numbers("pswpin 1\npgin 2\npswpout 3\n", "pswp") == {"pswpin": 1, "pswpout": 3}


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("18446744073709551615", (1 << 64) - 1), ("007", 7), ("1" * 21, None), ("", None)]
)
def test_whole_numbers(text: str, number: int | None) -> None:
    """As many digits as a number of 64 bits has."""
    assert kernel_files.whole(text) == number


@pytest.mark.parametrize("text", ["-1", "+1", "1_0", " 1", "1\n", "max", "1.0", "²", "٣", "１"])
def test_what_is_no_whole_number(text: str) -> None:
    """Digits of other scripts, and what else int() takes, are none that the kernel writes."""
    assert kernel_files.whole(text) is None


@pytest.mark.parametrize(("name", "value"), [("Name", "x y"), ("Uid", "0\t0"), ("Pid", ""), ("id", ""), ("Gid", "")])
def test_a_field_of_a_file_of_the_kernel(name: str, value: str) -> None:
    """The whole name counts, at the beginning of a line; the first line of a name wins."""
    assert kernel_files.field("Name:\t x y\nUid:\t0\t0\nUid:\t1\nPid:\n", name) == value


@given(st.binary())
def test_a_file_is_read_as_text(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """As Python reads one that it opens as text: with all ends of lines, and whatever its bytes are."""
    path = tmp_path_factory.getbasetemp() / "text"
    path.write_bytes(content)
    assert kernel_files.read(str(path)) == path.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/etc/\0", "/etc/passwd/x"])
def test_what_can_not_be_read_is_empty(path: str) -> None:
    """No error ends a module."""
    assert kernel_files.read(path) == ""


@given(st.text("/abc", max_size=6))
def test_a_path_below_the_root(path: str) -> None:
    """The root itself has a slash, and other folders have none at their end."""
    for root in ("/", "/tmp/x", "/tmp/x/"):
        assert kernel_files.join(root, path) == os.path.join(root, path.lstrip("/"))
