# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.version import check_version
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


@pytest.mark.parametrize(
    "value",
    [
        "newest",
        "27",
        "23.0.0",
        "28.0.0rc1",
        "27.0.1.post1",
        "28.0.dev3",
        ">=25.3,<28",
        ">= 25.3 , < 28",
        "==27.*",
        "!=27.0.0,~=27.0",
        "===27.0.1",
    ],
)
def test_versions(value: str) -> None:
    """A version, specifiers of PEP 440, or newest."""
    check_version("gunicorn_version", value)


@pytest.mark.parametrize(
    "value",
    [
        *["", "latest", "Newest", "v27", "27abc1", "27.*"],
        *["=27", ">=", ">=27x", ">=27.*", "~=27", "==27.0.1;python_version<'4'"],
        # What a shell, pip or another line of requirements would take for more
        *["23;rm", "27; touch /tmp/pwned", "27 || x", "27 --index-url=x", "27 --index-url=http://192.0.2.1/"],
        *[">=25,\n<28", ">=25\u00a0"],
    ],
)
def test_what_is_no_version(value: str) -> None:
    """The error says what one looks like."""
    with pytest.raises(InvalidValue) as caught:
        check_version("gunicorn_version", value)
    expected = "newest, a version (27.0.1) or specifiers (>=25.3,<28)"
    assert str(caught.value) == f"gunicorn_version: {value!r} can't be used: expected {expected}"


@pytest.mark.parametrize(
    "value",
    ["22.0.0", "20", "0.1", "==22.*", "~=22.0", "<23", "<23.0.0", "<=22", ">=20,<22.1", ">=20,<=22.0"],
)
def test_a_version_that_is_too_old(value: str) -> None:
    """Also where specifiers leave no newer one; the error says which is the oldest, and why."""
    with pytest.raises(InvalidValue) as caught:
        check_version("gunicorn_version", value)
    expected = "23.0.0 or newer: older ones let requests be smuggled"
    assert str(caught.value) == f"gunicorn_version: {value!r} can't be used: expected {expected}"
