# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text

PASSWORD = "pa$s'w\"or\\d %1"


class TestShown:
    @pytest.mark.parametrize(
        ("line", "fit"),
        [
            ("ValueError: no such table", "ValueError: no such table"),
            ("Größe 三 🦄", "Größe 三 🦄"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07\x08\r", "?]0;title??"),
            ("\u202eback\u2028!", "?back?!"),
            ("\ttab", "        tab"),
            ("\udcff", "?"),
        ],
    )
    def test_nothing_controls_a_terminal(self, line: str, fit: str) -> None:
        """Letters of all scripts stay, colors go, and a question mark is left of everything else."""
        assert text.shown(line) == fit

    def test_a_long_line_is_cut(self) -> None:
        """And says so; megabytes cost no time."""
        assert text.shown("x" * 3_000_000) == "x" * 300 + "... (cut)"
        assert text.shown("x" * 300) == "x" * 300

    @given(st.text())
    def test_every_text_can_be_shown(self, line: str) -> None:
        """Whatever it is: in one line, in UTF-8, and of a known length."""
        shown = text.shown(line)
        assert shown.isprintable()
        assert len(shown.encode()) < 1300


class TestMasked:
    @pytest.mark.parametrize(
        "form", [str, lambda value: repr({"a": value}), json.dumps, lambda value: quote(value, safe="")]
    )
    def test_a_secret_is_masked_however_it_is_quoted(self, form) -> None:
        """As it is, as Python and JSON quote it, and as a part of a URL."""
        told = text.masked(f"can't log in with {form(PASSWORD)}!", [PASSWORD])
        assert "pa$s" not in told
        assert "or\\d" not in told
        assert text.MASK in told

    def test_the_password_of_a_url_is_masked_on_its_own(self) -> None:
        """Drivers quote it without the rest, and decoded."""
        url = "postgres://shop:s%40secret@db/shop"
        assert text.masked("denied: s@secret, s%40secret", [url]) == "denied: ********, ********"

    def test_lines_of_a_secret_are_masked_one_by_one(self) -> None:
        """An error may quote one line of a key; what is as short as any word stays."""
        key = "-----\nMIIEvQIBADANBgkqhkiG9w0B\n}\n"
        assert text.masked("line MIIEvQIBADANBgkqhkiG9w0B } -----", [key]) == "line ******** } -----"

    def test_the_longer_secret_is_masked_first(self) -> None:
        """Otherwise the end of it would be left."""
        assert text.masked("longsecret", ["long", "longsecret"]) == text.MASK

    def test_short_secrets_stay(self) -> None:
        """A mask for each "1" would make the text unreadable, and hide nothing."""
        assert text.masked("line 21: 1", ["1", "", "yes"]) == "line 21: 1"

    def test_no_url_is_no_error(self) -> None:
        """Some texts look like the beginning of one."""
        assert text.masked("http://[half", ["http://[half"]) == text.MASK
