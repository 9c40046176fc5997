# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.pyweb.gunicorn.plugins.filter.systemd import FilterModule

FILTERS = FilterModule().filters()


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("systemd_environment", {"A": "b c", "B": "100%"}, ['"A=b c"', '"B=100%%"']),
        ("systemd_environment", {}, []),
        ("systemd_arguments", ["/bin/printf", "%s", "$HOME", ""], '/bin/printf "%%s" "$$HOME" ""'),
        ("systemd_arguments", [], ""),
        ("systemd_text", "50 %\nof it", "50 %% of it"),
        ("systemd_text", 2026, "2026"),
        ("systemd_directives", {"PrivateTmp": True, "A": None, "B": ["c", 1]}, ["PrivateTmp=yes", "B=c", "B=1"]),
    ],
)
def test_each_filter(name: str, value: object, result: object) -> None:
    """Its result is what a template writes into a unit."""
    assert FILTERS[name](value) == result


class OwnString(str):
    """Like Ansible's own classes of strings."""


def test_ansibles_own_strings() -> None:
    """They are written like any other string."""
    assert FILTERS["systemd_arguments"]([OwnString("a b")]) == '"a b"'
    assert FILTERS["systemd_directives"]({"A": [OwnString("a b")]}) == ["A=a b"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("systemd_environment", {"A": "a\0"}, "systemd_environment: a NUL character"),
        ("systemd_environment", {"A B": "x"}, "systemd_environment: 'A B' is not a name of an environment variable"),
        ("systemd_arguments", ["a", "\ufffe"], "systemd_arguments: .*U\\+FFFE"),
        ("systemd_text", "a\0b", "systemd_text: a NUL character"),
        ("systemd_directives", {"user": "x"}, "systemd_directives: 'user' is not a name of a systemd directive"),
        (
            "systemd_directives",
            {"User": "x\nGroup=y"},
            "systemd_directives: User: .* would run over the end of its line",
        ),
        ("systemd_directives", {"User": {"a": 1}}, "systemd_directives: User: "),
    ],
)
def test_an_error_names_its_filter(name: str, value: object, message: str) -> None:
    """It is an error of Ansible, not a traceback."""
    with pytest.raises(AnsibleFilterError, match=message):
        FILTERS[name](value)


def test_the_order_is_kept() -> None:
    """A later line wins in systemd, and the same input writes the same file."""
    assert FILTERS["systemd_environment"]({"Z": "1", "A": "2"}) == ["Z=1", "A=2"]


def test_directives_take_a_drop_in() -> None:
    """It replaces or extends them, as a positional or a named argument."""
    ours, given = {"PrivateTmp": True, "Paths": ["/a"]}, {"PrivateTmp": False, "Paths": "/b"}
    assert FILTERS["systemd_directives"](ours, given) == ["PrivateTmp=no", "Paths=/a", "Paths=/b"]
    assert FILTERS["systemd_directives"](ours, drop_in=given) == ["PrivateTmp=no", "Paths=/a", "Paths=/b"]
    with pytest.raises(AnsibleFilterError, match="systemd_directives: 'x' is not a name"):
        FILTERS["systemd_directives"](ours, {"x": 1})


def test_unfit_secrets_are_named_without_their_values() -> None:
    """A secret is unfit if its name is no environment variable's, or its value is no string or has a NUL."""
    secrets = {"GOOD": "value $\n", "BAD NAME": "x", "NUL": "hidden\0", "NUMBER": 5, "NONE": None, "EMPTY": ""}
    assert FILTERS["unfit_secrets"](secrets) == ["BAD NAME", "NUL", "NUMBER", "NONE"]


def test_unfit_credentials_are_named_without_their_contents() -> None:
    """A credential is unfit if its file can't have its name, or its content is no string or has a NUL."""
    fit = {"api-token": "x", "tls.key": "x", "PATH": "", "a@b+c=d,e~f_1": "$", "a" * 240: "x"}
    assert FILTERS["unfit_credentials"](fit) == []
    unfit = ["", ".", "..", ".key", "../x", "a/b", "a b", "a:b", "a%b", "a'b", "a\\b", "ü", "a" * 241, 5]
    assert FILTERS["unfit_credentials"](dict.fromkeys(unfit, "x")) == list(map(str, unfit))
    assert FILTERS["unfit_credentials"]({"a\nb": "x", "NUL": "hidden\0", "n": 5}) == ["a\\nb", "NUL", "n"]


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("LIST", ["x"], "LIST"),
        ("A\nUser", "x", "A\\nUser"),
        ("GUNICORN_CMD_ARGS", "--bind=:80", "GUNICORN_CMD_ARGS"),
        ("GUNICORN_SECRETS", "x", "GUNICORN_SECRETS"),
    ],
)
def test_secrets_that_would_undo_what_the_role_builds_are_unfit(name: str, value: object, named: str) -> None:
    """Their file wins over the unit's environment; a name is shown on one line."""
    assert FILTERS["unfit_secrets"]({name: value}) == [named]


def test_environment_file_has_a_line_for_each() -> None:
    """They are quoted, in the order of the mapping."""
    assert FILTERS["systemd_environment_file"]({"B": "1", "A": "$2"}) == ['B="1"', 'A="\\$2"']
