# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.accounts import Account
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import directories, parameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Neither the owner of the files that the tests make nor in their group
WEB_SERVER = Account(os.getuid() + 1, os.getgid() + 1, (os.getgid() + 1,))
SERVICE = Account(os.getuid(), os.getgid(), (os.getgid(),))
STATIC, MEDIA = "proxy_static_directory", "proxy_media_directory"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict]]:
    """The planned directories, those above the test's own left out."""

    def wanted(service: Account | None = SERVICE, **paths: str) -> list[dict]:
        monkeypatch.setattr(accounts, "read_account", {"shop": service}.get)
        unset = dict.fromkeys(parameters.ProxyParameters._fields)
        given = parameters.ProxyParameters(**{**unset, "user": "shop", "directories": paths})
        planned = directories.wanted_directories(given, WEB_SERVER)
        return [one for one in planned if one["path"].startswith(f"{tmp_path}/")]

    return wanted


def test_those_that_are_missing(plan: Callable[..., list[dict]], tmp_path: Path) -> None:
    """Static files and what leads there are root's; media are the service's, for the web server's group to read."""
    roots = {"owner": "root", "group": "root", "mode": "0755"}
    static = [{"path": f"{tmp_path}/cache", **roots}, {"path": f"{tmp_path}/cache/static", **roots}]
    media = {"path": f"{tmp_path}/media", "owner": "shop", "group": "www-data", "mode": "2750"}
    assert plan(**{STATIC: f"{tmp_path}/cache/static", MEDIA: f"{tmp_path}/media"}) == [*static, media]


def test_one_in_the_other(plan: Callable[..., list[dict]], tmp_path: Path) -> None:
    """Each is made once."""
    planned = plan(**{STATIC: f"{tmp_path}/all", MEDIA: f"{tmp_path}/all/media"})
    assert [(one["path"], one["owner"]) for one in planned] == [
        (f"{tmp_path}/all", "root"),
        (f"{tmp_path}/all/media", "shop"),
    ]


@pytest.mark.parametrize(("group", "mode"), [(os.getgid(), "0751"), (os.getgid() + 1, "0710")])
def test_the_way_there_is_opened(plan: Callable[..., list[dict]], tmp_path: Path, group: int, mode: str) -> None:
    """A directory of the service lets the web server enter, by its group or as others; it does not list it."""
    folder = tmp_path / "var"
    (folder / "media").mkdir(parents=True)
    (folder / "media").chmod(0o755)
    folder.chmod(0o750 if group == os.getgid() else 0o700)
    os.chown(folder, -1, group)
    assert plan(**{MEDIA: f"{folder}/media"}) == [{"path": str(folder), "owner": "shop", "mode": mode}]


def test_one_that_somebody_else_closed(plan: Callable[..., list[dict]], tmp_path: Path) -> None:
    """It is not the service's to open, and what is served is never opened by the role."""
    folder = tmp_path / "static"
    folder.mkdir(mode=0o750)
    with pytest.raises(InvalidValue, match=f"{STATIC}: .*www-data can read: {folder} does not let it"):
        plan(**{STATIC: str(folder)})
    with pytest.raises(InvalidValue, match=f"{STATIC}: .*www-data can enter: .* does not let it"):
        plan(service=None, **{STATIC: f"{folder}/css"})


def test_from_where_links_are_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the outermost directory of the service's user on; without one, from the media directory."""
    media = f"{tmp_path}/var/shop/media"
    (tmp_path / "var" / "shop").mkdir(parents=True)

    def links_from(service: Account | None, **paths: str) -> str:
        monkeypatch.setattr(accounts, "read_account", {"shop": service}.get)
        unset = dict.fromkeys(parameters.ProxyParameters._fields)
        return directories.media_links_from(
            parameters.ProxyParameters(**{**unset, "user": "shop", "directories": paths})
        )

    service = Account(4242, 4242, (4242,))
    assert links_from(service, **{MEDIA: media}) == media
    os.chown(tmp_path / "var" / "shop", 4242, 4242)
    assert links_from(service, **{MEDIA: media}) == f"{tmp_path}/var/shop"
    assert links_from(None, **{MEDIA: media}) == media
    assert links_from(service) == ""


def test_a_path_through_a_file(plan: Callable[..., list[dict]], tmp_path: Path) -> None:
    """The directory could not be made."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidValue, match=f"{STATIC}: .*file is not a directory"):
        plan(**{STATIC: f"{tmp_path}/file/static"})


def test_a_link_of_the_services_user(plan: Callable[..., list[dict]], tmp_path: Path) -> None:
    """Root does not make or open a directory where it leads."""
    theirs, harmless = tmp_path / "theirs", tmp_path / "harmless"
    theirs.mkdir()
    harmless.mkdir(mode=0o700)
    (theirs / "media").symlink_to(harmless / "deep")
    os.chown(theirs, SERVICE.uid + 1, -1)
    with pytest.raises(InvalidValue, match=f"{MEDIA}: .*{theirs}/media is not a directory"):
        plan(**{MEDIA: f"{theirs}/media/new"})
    (harmless / "deep").mkdir(mode=0o700)
    with pytest.raises(InvalidValue, match=f"{MEDIA}: .*{theirs}/media is a link to {harmless}/deep"):
        plan(**{MEDIA: f"{theirs}/media/new"})
