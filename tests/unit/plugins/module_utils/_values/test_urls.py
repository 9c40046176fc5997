# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls

CASES = [
    ("https://u:harmless@example.com/simple", "https://u:********@example.com/simple", ["harmless"]),
    ("https://u:harm%40less@h/", "https://u:********@h/", ["harm%40less", "harm@less"]),
    ("https://u:h@rm@h:8443/", "https://u:********@h:8443/", ["h@rm"]),
    ("https://harmless@h/", "https://********@h/", ["harmless"]),
    ("https://:harmless@h/", "https://:********@h/", ["harmless"]),
    ("--index-url=https://u:harmless@h/", "--index-url=https://u:********@h/", ["harmless"]),
    ("--proxy=u:harmless@h:3128", "--proxy=u:********@h:3128", ["harmless"]),
    ("u:harmless@h:3128", "u:********@h:3128", ["harmless"]),
    ("a @ git+https://u:harmless@h/a.git@v1#egg=a", "a @ git+https://u:********@h/a.git@v1#egg=a", ["harmless"]),
    (
        "https://h/a.whl?x=1&private_token=harmless#sha256=0",
        "https://h/a.whl?x=1&private_token=********#sha256=0",
        ["harmless"],
    ),
    ("https://u:a@h/ https://v:b@h/", "https://u:********@h/ https://v:********@h/", ["a", "b"]),
    ("git+ssh://git@h/a.git", "git+ssh://git@h/a.git", []),
    ("https://u:${PASSWORD}@h/", "https://u:${PASSWORD}@h/", []),
    ("notes @ https://h/n.whl#sha256=0", "notes @ https://h/n.whl#sha256=0", []),
    ("git+git@h:org/a", "git+git@h:org/a", []),
    ("Django~=5.2; python_version >= '3.10'", "Django~=5.2; python_version >= '3.10'", []),
]


@pytest.mark.parametrize(("text", "shown", "passwords"), CASES)
def test_passwords_in_a_text(text: str, shown: str, passwords: list[str]) -> None:
    """Each is masked and named; what is no password stays, so that people see what was asked for."""
    assert urls.without_passwords(text) == shown
    assert urls.passwords_in(text) == passwords


def test_lists_and_others() -> None:
    """What holds no text is returned as it is, for the checks to refuse."""
    assert urls.without_passwords(["https://u:a@h/", 5, ["b:c@d"]]) == ["https://u:********@h/", 5, ["b:********@d"]]
    assert urls.without_passwords(None) is None


@given(st.text(alphabet="ab:/@=?& ", max_size=30))
def test_what_is_masked_is_masked(text: str) -> None:
    """The plan sees masked values, and the module masks its own: their stamps must be the same."""
    shown = urls.without_passwords(text)
    assert urls.without_passwords(shown) == shown
