# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import shared_addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.shared_addresses import clashing
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.unit_processes import Held
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import parse_streams


def held(*addresses: str) -> list[Held]:
    """Sockets of one process."""
    return [Held(bind, str(number), 7, number) for number, bind in enumerate(parse_streams(list(addresses)))]


@pytest.mark.parametrize(
    ("wanted", "has", "clash"),
    [
        (["127.0.0.1:8000", "[::1]:8000"], ["127.0.0.1:8000", "[::1]:8000"], ""),
        (["127.0.0.1:8000", "[::1]:8000"], ["127.0.0.1:8000"], ""),
        (["127.0.0.1:8000"], ["127.0.0.1:8000", "10.0.0.1:8000", "0.0.0.0:8001", "/run/shop.ctl"], ""),
        (["/run/shop.sock"], ["/run/shop.sock", "127.0.0.1:8000"], ""),
        (["127.0.0.1:8000"], ["0.0.0.0:8000"], "it listens on 0.0.0.0:8000, and gunicorn_bind names other addresses"),
        (["0.0.0.0:8000"], ["127.0.0.1:8000"], "it listens on 127.0.0.1:8000"),
        (["127.0.0.1:8000"], ["[::]:8000"], "it listens on [::]:8000"),
        (["127.0.0.1:8000"], ["127.0.0.1:8000", "127.0.0.1:8000"], "several of its processes listen on 127.0.0.1:8000"),
    ],
)
def test_what_can_be_shared(wanted: list[str], has: list[str], clash: str) -> None:
    """The same addresses, and such as have nothing to do with each other."""
    found = clashing(tuple(parse_streams(wanted)), held(*has))
    assert found.startswith(clash)
    assert bool(found) == bool(clash)


def test_a_socket_takes_anothers_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no time is there nothing, and who waits at the former is not lost."""
    path, beside = str(tmp_path / "shop.sock"), str(tmp_path / ".beside.shop.sock")
    with socket.socket(socket.AF_UNIX) as former, socket.socket(socket.AF_UNIX) as coming:
        for server, name in ((former, path), (coming, beside)):
            server.bind(name)
            server.listen()
        clients = [socket.socket(socket.AF_UNIX) for _number in range(2)]
        clients[0].connect(path)
        replace = os.replace

        def replace_while_it_is_there(source: str, target: str) -> None:
            assert os.path.lexists(target)
            replace(source, target)

        monkeypatch.setattr(os, "replace", replace_while_it_is_there)
        shared_addresses._replace(beside, path)
        clients[1].connect(path)
        former.accept()[0].close()
        coming.accept()[0].close()
        assert os.path.samestat(os.lstat(path), os.lstat(beside))
        shared_addresses.forget_names([path])
        assert os.listdir(tmp_path) == ["shop.sock"]
        for client in clients:
            client.close()
