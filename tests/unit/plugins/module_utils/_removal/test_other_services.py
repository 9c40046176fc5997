# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

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


def test_drop_ins_and_units_in_run_count(host: Host) -> None:
    """Except those of the service itself and of its stand-in."""
    own = host.write(host.units / "shop.service", "own")
    for folder, name in (
        (host.units, "blog.service"),
        (host.units, "blog.service.d/more.conf"),
        (host.runtime_units, "queue.service"),
        (host.runtime_units, "timer.service.d/x.conf"),
        (host.units, "shop.service.d/own.conf"),
        (host.runtime_units, "shop-standin.service"),
        (host.runtime_units, "shop-standin.service.d/own.conf"),
    ):
        host.write(folder / name, f"text of {name}")
    assert dict(other_services.read_others((own,))) == {
        "blog.service": "text of blog.service\ntext of blog.service.d/more.conf",
        "queue.service": "text of queue.service",
        "timer.service": "text of timer.service.d/x.conf",
        "supervisord.conf": dict(other_services.read_others((own,)))["supervisord.conf"],
    }


def test_what_processes_use(tmp_path: Path) -> None:
    """Programs, arguments, directories and files in memory, of units of the system alone."""
    units = {1: "init.scope", 2: "system.slice/blog.service", 3: "system.slice/shop.service", 4: "user.slice/x.scope"}
    for pid, unit in units.items():
        folder = tmp_path / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "cgroup").write_text(f"0::/{unit}\n")
        (folder / "cmdline").write_bytes(b"python\0/opt/shop/venv/bin/x\0--data=/var/shop\0")
        (folder / "maps").write_text("7f00-7f01 r-xp 0000 08:01 99    /opt/lib/a b.so\n7f01-7f02 rw-p 0000 00:00 0\n")
        (folder / "exe").symlink_to("/usr/bin/python3")
        (folder / "cwd").symlink_to("/srv/work")
    ((unit, text),) = other_services.read_processes(("shop.service",), f"{tmp_path}/")
    assert unit == "blog.service"
    assert set(text.splitlines()) == {
        "python",
        "/opt/shop/venv/bin/x",
        "--data=/var/shop",
        "/opt/lib/a b.so",
        "/usr/bin/python3",
        "/srv/work",
    }


def test_a_path_that_another_service_reaches_by_links(tmp_path: Path) -> None:
    """A link on the way counts, wherever it is: without it, the service would not get there."""
    shop = tmp_path / "shop"
    (shop / "venv").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (shop / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "blog").symlink_to("shop/venv")
    (tmp_path / "through").symlink_to(shop / "out")
    (tmp_path / "loop").symlink_to("loop")
    for way in ("blog", "through"):
        others = [("blog.service", f"ExecStart={tmp_path}/loop {tmp_path}/{way}/bin/run")]
        assert other_services.naming_path(others, str(shop)) == "blog.service"
        assert other_services.naming_path(others, str(tmp_path / "other")) == ""
    (tmp_path / "alias").symlink_to(shop)
    others = [("blog.service", f"{shop}/venv/bin/run")]
    assert other_services.naming_path(others, str(tmp_path / "alias" / "venv")) == "blog.service"
    assert other_services.naming_path(others, str(tmp_path / "alias")) == ""


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
