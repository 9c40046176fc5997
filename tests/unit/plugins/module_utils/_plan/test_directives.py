# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.directives import ROLES_OWN, check_directives
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def test_good_ones() -> None:
    """Any directive that is not the role's own, in systemd's own syntax."""
    check_directives(
        "gunicorn_service_directives", {"MemoryMax": "512M", "Slice": "web.slice", "RestartSec": [1, "2"], "Nice": None}
    )


@pytest.mark.parametrize("name", sorted(ROLES_OWN))
def test_those_of_the_role_have_their_variables(name: str) -> None:
    """User=root among the directives would undo what gunicorn_user promises."""
    with pytest.raises(InvalidValue, match=rf"gunicorn_service_directives\['{name}'\]: 'root'"):
        check_directives("gunicorn_service_directives", {name: "root"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ExecStart", "/bin/sh"),
        ("Slice", "a/b"),
        ("MemoryMax", "512MB"),
        ("MemoryHigh", "0"),
        ("MemoryHigh", 0),
        ("CPUQuota", 150),
        ("TasksMax", "many"),
    ],
)
def test_a_value_that_can_not_be_used(name: str, value: object) -> None:
    """The error names the directive."""
    with pytest.raises(InvalidValue) as caught:
        check_directives("gunicorn_service_directives", {"Nice": 5, name: value})
    assert str(caught.value).startswith(f"gunicorn_service_directives['{name}']: {value!r} can't be used: expected ")


@pytest.mark.parametrize(
    ("directives", "reason"),
    [
        ({"A B": 1}, "'A B' is not a name of a systemd directive"),
        ({"[Install]": "x"}, "'[Install]' is not a name of a systemd directive"),
        ({"Nice=5\nUser": "root"}, "'Nice=5\\nUser' is not a name of a systemd directive"),
        ({"RestartSec": "1\nUser=root"}, "RestartSec: '1\\nUser=root' would run over the end of its line"),
        ({"RestartSec": ["1", "1\nUser=root"]}, "RestartSec: '1\\nUser=root' would run over the end of its line"),
        ({"RestartSec": "1 \\"}, "RestartSec: '1 \\\\' would run over the end of its line"),
        ({"X": "a\\"}, "X: 'a\\\\' would run over the end of its line"),
        ({"Nice": {"a": 1}}, "Nice: {'a': 1} is no text, number, boolean, or list of these"),
        ({"LimitNOFILE": None, "Nice": [None]}, "Nice: None is no text, number, boolean, or list of these"),
    ],
)
def test_what_is_no_directive(directives: dict, reason: str) -> None:
    """The error has systemd's rule."""
    with pytest.raises(InvalidValue) as caught:
        check_directives("gunicorn_service_directives", directives)
    expected = f"names and values of systemd ({reason})"
    assert str(caught.value) == f"gunicorn_service_directives: {directives!r} can't be used: expected {expected}"
