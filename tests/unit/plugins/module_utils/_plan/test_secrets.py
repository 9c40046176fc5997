# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import parameters as plan_parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

SECRETS = 'BROKER="redis://x"\nPYTHONPATH="/srv"\nKEY="line\nURL=\\"x\\""\nGUNICORN_SECRETS=@SECRETS@\n'


@pytest.fixture
def check(parameters: Callable[..., dict]) -> Callable[..., None]:
    """Check names against those of three secrets."""

    def run(**changes: object) -> None:
        given = parameters(secrets=SECRETS, **changes)
        steps = {**given, "release_steps": []}
        secrets.check_names(plan_parameters.check_parameters(steps, ipv6=True), given)

    return run


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"companions": {"mail": {"command": "x", "environment": {"A": 1, "BROKER": "hush"}}}}, "gunicorn_companions['mail']['environment']"),
        ({"release_steps": [{"name": "a"}, {"name": "b", "environment": {"BROKER": "hush"}}]}, "gunicorn_release_steps[1]['environment']"),
        ({"service_directives": {"Environment": ["A=1", "B=2 'BROKER=hush'"]}}, "gunicorn_service_directives['Environment']"),
        ({"service_directives": {"Environment": "BROKER=hush"}}, "gunicorn_service_directives['Environment']"),
    ],
)  # fmt: skip
def test_no_variable_has_the_name_of_a_secret(check: Callable, changes: dict, variable: str) -> None:
    """In one sentence that names the variable and the secret, and shows neither's value."""
    with pytest.raises(InvalidValue) as caught:
        check(**changes)
    assert str(caught.value) == (
        f"{variable}: 'BROKER' can't be used: expected another name, or no secret of this name: the one in "
        "gunicorn_secrets['BROKER'] would replace it"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        # What is in a secret's value is no name.
        {"companions": {"mail": {"command": "x", "environment": {"URL": "x", "OTHER": "x"}}}},
        {"companions": {"mail": {"command": "x", "environment": {"BROKER": None}}}},
        {"release_steps": [{"name": "a", "environment": {"BROKER": None}}, {"name": "b"}]},
        # The secret is the value for all processes, and somebody may have a default for other hosts.
        {"environment": {"BROKER": "hush", "PYTHONPATH": "/opt/shop"}},
    ],
)
def test_other_names_are_free(check: Callable, changes: dict) -> None:
    """Also those that are left out, and those of all processes."""
    check(**changes)
