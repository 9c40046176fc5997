# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import environment
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

BAD_VALUES = [
    *[True, False, [], {}, ["a"], ["a", "b"], {"a": 1}],
    *["a\0b", "\0", "\ud83d", "\ud800", "\ufffe", "\uffff"],
]
BAD_NAMES = [
    *["", "A B", "A=B", "1A", "Ä", "A\n", "A\nB", "A\nUser", "A-B", "A.B", "%n"],
    *["A;id", "A;touch /tmp/pwned;B", 5, True],
]


class TestEnvironment:
    @given(
        variables=st.dictionaries(
            st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True).filter(lambda name: name != "WEB_CONCURRENCY"),
            st.text(st.characters(codec="ascii", exclude_characters="\0") | st.sampled_from("é😀\u2028")),
        )
    )
    def test_strings_pass_unchanged(self, variables: dict) -> None:
        """Quoting is not a user's business: what is given is what the process gets."""
        assert environment.check_environment("gunicorn_environment", variables) == variables

    @pytest.mark.parametrize(
        ("value", "text"), [(8000, "8000"), (1.5, "1.5"), ("true", "true"), ("", ""), ("a\nb", "a\nb"), ("😀", "😀")]
    )
    def test_numbers_become_text(self, value: object, text: str) -> None:
        """An unquoted number in YAML has one spelling; a boolean has several, and is refused below."""
        assert environment.check_environment("gunicorn_environment", {"A": value}) == {"A": text}

    def test_none_takes_a_variable_out(self) -> None:
        """This is how a variable of the role is left out."""
        assert environment.check_environment("gunicorn_environment", {"A": None, "B": "x"}) == {"B": "x"}

    @pytest.mark.parametrize("value", BAD_VALUES)
    def test_a_value_that_is_no_text_is_refused(self, value: object) -> None:
        """The message names the variable of the environment, too."""
        with pytest.raises(InvalidValue) as caught:
            environment.check_environment("gunicorn_environment", {"GOOD": "x", "BAD": value})
        assert str(caught.value).startswith(f"gunicorn_environment['BAD']: {value!r} can't be used: expected ")

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_a_name_that_is_none_is_refused(self, name: object) -> None:
        """The message names it."""
        with pytest.raises(InvalidValue) as caught:
            environment.check_environment("gunicorn_environment", {name: "x"})
        assert str(caught.value).startswith(f"gunicorn_environment: {name!r} can't be used: expected ")

    @pytest.mark.parametrize("name", [*environment.RESERVED_ENVIRONMENT, "A", "_a1"])
    def test_a_name_alone(self, name: str) -> None:
        """What the role reserves for a service is free elsewhere, as for pip."""
        assert environment.check_environment_name("gunicorn_pip_environment", name) == name

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_a_bad_name_alone(self, name: object) -> None:
        """The message names it, too."""
        with pytest.raises(InvalidValue) as caught:
            environment.check_environment_name("gunicorn_pip_environment", name)
        assert str(caught.value).startswith(f"gunicorn_pip_environment: {name!r} can't be used: expected ")

    @pytest.mark.parametrize(
        ("name", "instead"),
        [
            ("WEB_CONCURRENCY", "gunicorn_workers"),
            ("GUNICORN_CMD_ARGS", "gunicorn_settings"),
            ("GUNICORN_APP_REVISION", "another name: the role"),
            ("LISTEN_FDS", "another name: systemd"),
        ],
    )
    def test_a_reserved_name(self, name: str, instead: str) -> None:
        """The message says which variable to use instead, or who needs the name."""
        with pytest.raises(InvalidValue, match=f"{name}.*{instead}"):
            environment.check_environment("gunicorn_environment", {name: "4"})
