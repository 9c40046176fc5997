# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from removal_host import Host

from ansible_collections.pyweb.gunicorn.plugins.module_utils._removal import other_services


def test_units_programs_and_descriptions_are_read(host: Host) -> None:
    """Except the service's own. A program of the role counts with its description."""
    own = host.write(host.units / "shop.service", "own")
    host.write(host.units / "blog.service", "a unit")
    host.write(host.units / "blog.socket", "no service")
    host.write("supervisor/more/queue.ini", "a program")
    host.write_program("news", host.root / "etc" / "news", user="reporter")
    texts = dict(other_services.read_others((own,)))
    assert sorted(texts) == ["blog.service", "news.conf", "queue.ini", "supervisord.conf"]
    assert texts["blog.service"] == "a unit"
    assert '"user": "reporter"' in texts["news.conf"]


@pytest.mark.parametrize(
    "named", ["/srv/shop", "/srv/shop/bin/run", '"/srv/shop"', "a:/srv/shop:b", "--spool=/srv/shop"]
)
def test_a_path_that_another_service_names(named: str) -> None:
    """Itself, or something below it."""
    others = [("blog.service", "/srv/blog"), ("news.service", f"ExecStart={named} start")]
    assert other_services.naming_path(others, "/srv/shop") == "news.service"


@pytest.mark.parametrize("named", ["/srv/shop2", "/srv/shop-data", "/srv/shop.old", "/mnt/srv/shop/../..", "/srv/SHOP"])
def test_a_longer_path_is_another_one(named: str) -> None:
    """At either end."""
    assert other_services.naming_path([("news.service", named)], "/srv/shop") == ""


@pytest.mark.parametrize(
    ("text", "user", "group"),
    [
        ("[Service]\nUser=web\nGroup=shop\n", True, True),
        ("  user = web ; comment\n", True, False),
        ('  "user": "web",\n  "group": "shop"\n', True, True),
        ("User=web2\nGroup=shop-data\n", False, False),
        ("# User=web\nSuperUser=web\nExecStart=/bin/run user=web\n", False, False),
    ],
)
def test_the_accounts_that_another_service_names(text: str, user: bool, group: bool) -> None:
    """As units, programs and descriptions write them."""
    assert other_services.names_account(text, "user", "web") is user
    assert other_services.names_account(text, "group", "shop") is group
