# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer import balancer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer import nginx as balancer_nginx
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.balancer import BalancerError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._balancer.nginx import Nginx
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

TEXT = """\
# server 10.0.0.9:8000;
upstream shop {
    least_conn;
    server 10.0.0.1:8000;
    server 10.0.0.2:8000 weight=2 max_fails=3;  # the big one
    server 10.0.0.3:8000 down;
    server 10.0.0.4:8000 backup;
}

upstream blog {
    server 10.0.0.1:8000;
}

server {
    listen 80;
    location / { proxy_pass http://shop; }
}
"""
SERVERS = [("shop", f"10.0.0.{number}:8000") for number in (1, 2, 3, 4)] + [("blog", "10.0.0.1:8000")]
DRAINED, READY = balancer.DRAINED, balancer.READY


def states(text: str) -> list[str]:
    return [line.state for line in balancer_nginx.parse(text)]


def test_the_servers_of_upstreams_are_found() -> None:
    """With their states, and no other servers."""
    assert [(line.group, line.name) for line in balancer_nginx.parse(TEXT)] == SERVERS
    assert states(TEXT) == [READY, READY, balancer.MAINTENANCE, READY, READY]


def test_an_upstream_ends_with_its_block() -> None:
    """A server in a later block is not one of its servers."""
    assert balancer_nginx.parse("upstream shop {\n}\nother {\n    server 10.0.0.1:8000;\n}\n") == []


def test_a_server_is_taken_out_by_its_parameter() -> None:
    """The rest of its line stays, and no other line changes."""
    text = balancer_nginx.with_state(TEXT, {("shop", "10.0.0.2:8000")}, DRAINED)
    line = "    server 10.0.0.2:8000 weight=2 max_fails=3 down;  # the big one  # taken out by pyweb.gunicorn"
    assert set(text.splitlines()) - set(TEXT.splitlines()) == {line}
    assert states(text)[1] == DRAINED


@given(st.sets(st.sampled_from(SERVERS)), st.sampled_from(["\n", "\r\n"]))
def test_what_was_taken_out_is_put_back_as_it_was(servers: set, newline: str) -> None:
    """Doing either twice changes nothing more, and a server that an administrator took out stays out."""
    before = TEXT.replace("\n", newline)
    out = balancer_nginx.with_state(before, servers, DRAINED)
    assert balancer_nginx.with_state(out, servers, DRAINED) == out
    assert [line.state == DRAINED for line in balancer_nginx.parse(out)] == [
        name in servers and name != ("shop", "10.0.0.3:8000") for name in SERVERS
    ]
    assert balancer_nginx.with_state(out, servers, READY) == before
    assert balancer_nginx.with_state(before, servers, READY) == before


@pytest.mark.parametrize(
    ("name", "family", "address"),
    [
        ("10.0.0.1:8000", socket.AF_INET, "10.0.0.1:8000"),
        ("10.0.0.1", socket.AF_INET, "10.0.0.1:80"),
        ("[2001:db8::1]:8000", socket.AF_INET6, "[2001:db8::1]:8000"),
        ("[2001:db8::1]", socket.AF_INET6, "[2001:db8::1]:80"),
    ],
)
def test_an_address_is_read_as_nginx_does(name: str, family: int, address: str) -> None:
    """The port is 80 where there is none."""
    (bind,) = balancer_nginx.addresses(name)
    assert (bind.family, bind.gunicorn_bind) == (family, address)


@pytest.mark.parametrize("name", ["unix:/run/shop.sock", "no such host:80", "10.0.0.1:http:"])
def test_an_address_that_can_not_be_reached_is_refused(name: str) -> None:
    """The error names it."""
    with pytest.raises(InvalidValue, match="server: "):
        balancer_nginx.addresses(name)


class Commands:
    """Takes the place of nginx's commands; one of them fails."""

    def __init__(self, failing: str) -> None:
        self.asked: list[list[str]] = []
        self._failing = failing

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        self.asked.append(command)
        failed = self._failing in command
        return int(failed), "", "nginx: [emerg] no" if failed else ""


def proc(root: Path, titles: dict[int, str]) -> None:
    """A /proc with processes; the first is the parent of the others."""
    master = min(titles)
    (root / "run").mkdir()
    (root / "run" / "nginx.pid").write_text(f"{master}\n")
    for pid, title in titles.items():
        folder = root / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "cmdline").write_bytes(title.encode() + b"\0")
        parent = 1 if pid == master else master
        (folder / "stat").write_text(f"{pid} (nginx) S {parent} " + "0 " * 48)


@pytest.mark.parametrize("failing", ["-t", "reload"])
def test_a_file_that_nginx_refuses_is_put_back(tmp_path: Path, failing: str) -> None:
    """The file is what it was, mode included, and the error has nginx's own words."""
    file = tmp_path / "shop.conf"
    file.write_text(TEXT)
    file.chmod(0o640)
    proc(tmp_path, {100: "nginx: master process /usr/sbin/nginx", 101: "nginx: worker process"})
    nginx = Nginx(str(file), Runner(Commands(failing)), str(tmp_path))
    with pytest.raises(BalancerError, match=r"nginx: \[emerg\] no.*is as it was"):
        nginx.set_state(nginx.servers()[:1], DRAINED)
    assert (file.read_text(), file.stat().st_mode & 0o777) == (TEXT, 0o640)


def test_servers_of_other_kinds_do_not_hide_the_rest(tmp_path: Path) -> None:
    """A unix socket has no address here. A backup is in use, but is known to be one."""
    file = tmp_path / "shop.conf"
    file.write_text(TEXT.replace("10.0.0.2:8000", "unix:/run/shop.sock"))
    first, unix, down, backup, _blog = Nginx(str(file), Runner(Commands("none")), str(tmp_path)).servers()
    assert first.address == balancer_nginx.addresses("10.0.0.1:8000")[0]
    assert (unix.name, unix.address) == ("unix:/run/shop.sock", None)
    assert [(server.serving, server.backup) for server in (first, down, backup)] == [
        (True, False),
        (False, False),
        (True, True),
    ]


def test_an_nginx_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    """Before the file is written."""
    file = tmp_path / "shop.conf"
    file.write_text(TEXT)
    nginx = Nginx(str(file), Runner(Commands("none")), str(tmp_path))
    with pytest.raises(BalancerError, match="nginx does not run"):
        nginx.set_state(nginx.servers()[:1], DRAINED)
    assert file.read_text() == TEXT


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It names the option."""
    with pytest.raises(InvalidValue, match="config_file: "):
        Nginx(str(tmp_path / "none"), Runner(Commands("none")), str(tmp_path)).servers()
