# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import unit_files


class TestExecStart:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("ExecStart=/a b c", ("/a", "b", "c")),
            ("  ExecStart = -@/a  b", ("/a", "b")),
            ("ExecStart=/a \\\n  b\nExecStart=", ("/a", "b")),
            ('ExecStart=/a "b c" \'d "e"\' f\\"g', ("/a", "b c", 'd "e"', 'f"g')),
            (
                'ExecStart=/a --format="%%(h)s \\"%%(r)s\\"" --x=\'y z\'w \\x',
                ("/a", '--format=%(h)s "%(r)s"', "--x=y zw", "x"),
            ),
            ('ExecStart=/a "--format=%%(h)s \\"%%(r)s\\"" $$x', ("/a", '--format=%(h)s "%(r)s"', "$x")),
            ("# ExecStart=/a", ()),
            ("ExecStartPre=/a", ()),
            ("", ()),
        ],
    )
    def test_words(self, text: str, words: tuple[str, ...]) -> None:
        """By systemd's rules of quoting."""
        assert unit_files.parse_exec_start(text) == words

    @given(st.text() | st.text("ExecStart= \\\n\"'%$-@ab"))
    def test_no_text_stops_it(self, text: str) -> None:
        """Whatever stands in a unit's file."""
        unit_files.parse_exec_start(text)
        unit_files.split_words(text)
