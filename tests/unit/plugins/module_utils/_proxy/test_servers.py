# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._proxy import servers


@pytest.fixture
def apache(tmp_path: Path) -> Path:
    """A folder as Debian's Apache has it: modules of which one is enabled, and one depends on others."""
    available, enabled = tmp_path / "mods-available", tmp_path / "mods-enabled"
    available.mkdir()
    enabled.mkdir()
    (available / "alias.load").write_text("LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so\n")
    (available / "proxy.load").write_text("LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n")
    (available / "proxy.conf").write_text("<IfModule mod_proxy.c>\n</IfModule>\n")
    (available / "proxy_balancer.load").write_text("# Depends: proxy alias slotmem_shm\nLoadModule ...\n")
    (available / "slotmem_shm.load").write_text("# Depends: proxy_balancer\nLoadModule ...\n")
    (enabled / "alias.load").symlink_to("../mods-available/alias.load")
    return tmp_path


def test_a_module_is_enabled_with_those_it_depends_on(apache: Path) -> None:
    """With their configuration, without those that are enabled, and each once."""
    links = servers.module_links(str(apache), ["proxy_balancer", "alias"])
    assert {Path(link).name: target for link, target in links.items()} == {
        name: f"../mods-available/{name}"
        for name in ("proxy_balancer.load", "proxy.load", "proxy.conf", "slotmem_shm.load")
    }
    assert {Path(link).parent for link in links} == {apache / "mods-enabled"}


def test_a_module_that_is_not_there_is_left_to_the_server(apache: Path) -> None:
    """Its own check says what is missing; in check mode nothing is there yet."""
    assert servers.module_links(str(apache), ["no_such"]) == {}
    assert servers.module_links("/no/such/folder", ["proxy"]) == {}


def test_where_the_servers_have_their_sites() -> None:
    """Apache includes what ends in .conf."""
    nginx, apache = servers.SERVERS["nginx"], servers.SERVERS["apache"]
    assert nginx.site_file("shop") == "/etc/nginx/sites-available/shop"
    assert nginx.default_link == "/etc/nginx/sites-enabled/default"
    assert apache.site_link("shop") == "/etc/apache2/sites-enabled/shop.conf"
    assert apache.default_link == "/etc/apache2/sites-enabled/000-default.conf"
