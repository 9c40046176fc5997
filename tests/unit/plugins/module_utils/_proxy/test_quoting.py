# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import quoting

# What may be an argument: not what either server takes for more than text.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="$*?[]"))


def read_line(line: str) -> list[str]:
    """The arguments of a line, as ngx_conf_read_token() and ap_getword_conf() read them."""
    arguments, rest = [], line.lstrip()
    while rest:
        if rest[0] != '"':
            word, _blank, rest = rest.partition(" ")
            arguments.append(word)
            continue
        word, at = "", 1
        while rest[at] != '"':
            at += rest[at] == "\\" and rest[at + 1] in '\\"'
            word += rest[at]
            at += 1
        arguments.append(word)
        rest = rest[at + 1 :].lstrip()
    return arguments


@given(TEXT)
def test_an_argument_is_read_as_it_was(value: str) -> None:
    """One argument of the directive, whatever is in it; the next begins where it ends."""
    assert read_line(f"alias {quoting.argument(value)} next") == ["alias", value, "next"]


@given(TEXT)
def test_an_argument_is_one_line(value: str) -> None:
    """A value never begins a directive of its own."""
    assert len(quoting.argument(value).splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("/var/cache/shop/static/", "/var/cache/shop/static/"),
        ("/srv/static files/", '"/srv/static files/"'),
        ('a"; } #{', '"a\\"; } #{"'),
        ("ends\\", '"ends\\\\"'),
        ("", '""'),
        ("</Directory>", '"</Directory>"'),
        ("/srv/Bücher", '"/srv/Bücher"'),
    ],
)
def test_examples(value: str, written: str) -> None:
    """What needs no quotes reads better without."""
    assert quoting.argument(value) == written


@pytest.mark.parametrize(
    "value",
    [
        "a\nlisten 81;",
        "a\r",
        "a\0b",
        "a\x85b",
        "a\u2028b",
        "$document_root",
        "${APACHE_LOG_DIR}",
        "*.pem",
        "a?",
        "[a]",
        "\ud800",
    ],
)
def test_what_no_quoting_makes_text_is_refused(value: str) -> None:
    """Variables and patterns are expanded in quotes, too."""
    with pytest.raises(ValueError, match="has a|Unicode"):
        quoting.argument(value)
