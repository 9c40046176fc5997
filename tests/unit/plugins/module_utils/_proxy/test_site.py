# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import site as proxy_site
from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy.site import SiteSpec, SiteState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit

RUNS = Unit(True, True, False, True, 100, False, "/lib/systemd/system/nginx.service", ())
STOPPED = RUNS._replace(active=False, main_pid=0)


def observed(wanted: SiteSpec, unit: Unit = RUNS, loaded: float = 2.0) -> SiteState:
    """What there is: the newest is of second 1, and the server loaded its configuration at second 2."""
    targets = {path: links.target_of(path) for path in wanted.links}
    return SiteState(
        unit,
        [file.path for file in wanted.files if files.differs(file)],
        targets,
        os.path.exists(wanted.journal),
        1.0,
        loaded,
    )


def as_it_is(wanted: SiteSpec) -> SiteSpec:
    """The same site as it already is."""
    link = wanted.server.site_link("shop")
    mode = os.stat(wanted.file.path).st_mode & 0o7777
    return wanted._replace(file=wanted.file._replace(content="old", mode=mode), links={link: wanted.links[link]})


def test_nothing_to_do(wanted: SiteSpec) -> None:
    """It is there, and the running server has loaded it."""
    site = as_it_is(wanted)
    assert proxy_site.decide(site, observed(site)) == ([], False, False)


def test_what_differs_is_told(wanted: SiteSpec) -> None:
    """The file and each link, which are written and loaded."""
    decision = proxy_site.decide(wanted, observed(wanted))
    assert decision.reasons == [
        f"{wanted.file.path} is not as wanted",
        f"the link {wanted.server.folder}/mods-enabled/proxy.load is not there",
        f"the link {wanted.server.default_link} is there",
    ]
    assert decision.write
    assert decision.load


def test_the_room_for_long_names_is_a_file_of_the_site(wanted: SiteSpec) -> None:
    """It is compared and put in place with the other, and before it."""
    site = as_it_is(wanted)
    room = WantedFile(f"{wanted.server.folder}/conf.d/room.conf", "size 128;\n")
    site = site._replace(names_file=room)
    decision = proxy_site.decide(site, observed(site))
    assert decision == ([f"{room.path} is not as wanted"], True, True)
    assert site.files == [room, site.file]


def test_what_is_not_loaded_is_loaded(wanted: SiteSpec) -> None:
    """Whoever wrote it: what the running server has read counts."""
    site = as_it_is(wanted)
    assert proxy_site.decide(site, observed(site, loaded=0.5)) == (
        ["nginx has not loaded the site since it changed"],
        False,
        True,
    )


def test_a_server_that_does_not_run(wanted: SiteSpec) -> None:
    """It is started for a site that is wanted, and left alone if the site is to be removed."""
    site = as_it_is(wanted)
    assert proxy_site.decide(site, observed(site, STOPPED, 0.0)) == (["nginx does not run"], False, True)
    gone = wanted._replace(file=wanted.file._replace(content=None), links={wanted.server.site_link("shop"): None})
    decision = proxy_site.decide(gone, observed(gone, STOPPED, 0.0))
    assert decision.write
    assert not decision.load


def test_a_server_that_does_not_start_at_boot(wanted: SiteSpec) -> None:
    """Is enabled, which loads nothing."""
    site = as_it_is(wanted)
    decision = proxy_site.decide(site, observed(site, RUNS._replace(enabled=False)))
    assert decision == (["nginx does not start at boot"], False, False)


def test_only_root_reads_the_site() -> None:
    """It may hold more than others should know; both servers read it before they give up being root."""
    given = {"server": "nginx", "site": "shop", "state": "present", "modules": [], "default_site": True}
    rest = {"configuration": "server {}", "server_names": ["shop.example"], "read_by_server": []}
    assert proxy_site.spec_from({**given, **rest}).file[2:5] == (0o640, 0, 0)
