# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import wanted_releases

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import wanted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

COMMIT = "3f2a9c1d4e5b60718293a4b5c6d7e8f901234567"
GIT = {"git": "https://git.example.com/shop.git"}
DIRECTORY = Path("/opt/shop/releases")


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_the_id_is_the_beginning_of_the_identity() -> None:
    """Also with steps that do not write into the release: they make no other one."""
    for changes in ({}, {"steps": ["migrate"]}):
        assert wanted.id_of(wanted_releases.want(DIRECTORY, GIT, **changes), COMMIT) == "3f2a9c1d4e5b"


def test_what_makes_another_release_of_the_same_code() -> None:
    """Its build, a directory of it, its submodules, and a revision that somebody wants to be another."""
    many = [
        wanted_releases.want(DIRECTORY, GIT),
        wanted_releases.want(DIRECTORY, GIT, steps=["collectstatic"]),
        wanted_releases.want(DIRECTORY, GIT, steps=["collectstatic"], static="public"),
        wanted_releases.want(DIRECTORY, {**GIT, "path": "site"}),
        wanted_releases.want(DIRECTORY, {**GIT, "submodules": True}),
        wanted_releases.want(DIRECTORY, GIT, revision="2"),
    ]
    ids = [wanted.id_of(one, COMMIT) for one in many]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("3f2a9c1d4e5b-") and len(one) == 19 for one in ids[1:])


def test_the_login_is_decoded() -> None:
    """And a URL with a token is put where its place was."""
    source = {"archive": "https://example.com/a.tgz?token=********", "checksum": f"sha256:{'a' * 64}"}
    url = "https://example.com/a.tgz?token=canary"
    found = wanted_releases.want(DIRECTORY, source, login=encoded({"password": "x", "url": url}))
    assert (found.login.password, found.source.location) == ("x", url)


@pytest.mark.parametrize("login", ["canary", "Y2FuYXJ5", encoded("canary"), encoded({"canary": 1})[:-4]])
def test_a_login_that_is_none(login: str) -> None:
    """It is not shown."""
    with pytest.raises(InvalidValue, match="^gunicorn_release_login: 'VALUE_NOT_SHOWN'") as error:
        wanted_releases.want(DIRECTORY, GIT, login=login)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"user": "a b"}, "gunicorn_user"),
        ({"group": "a b"}, "gunicorn_group"),
        ({"identity": "../../etc"}, "identity"),
        ({"steps": ["deploy"]}, r"gunicorn_release_steps\[0\]"),
    ],
)
def test_other_values(changes: dict, variable: str) -> None:
    """The error names the variable."""
    with pytest.raises(InvalidValue, match=f"^{variable}: "):
        wanted_releases.want(DIRECTORY, GIT, **changes)
    with pytest.raises(InvalidValue, match="^gunicorn_releases_directory: "):
        wanted_releases.want(Path("/opt/../etc"), GIT)
