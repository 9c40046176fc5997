# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


def test_the_sockets_of_a_process() -> None:
    """This one's, of both kinds, with the descriptors by which they can be taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = {one.bind: one for one in unit_processes.read_held("nosuch.service", os.getpid())}
        one = found[Address("127.0.0.1", server.getsockname()[1])]
        assert os.path.samestat(os.fstat(one.descriptor), os.fstat(server.fileno()))
        assert one.pid == os.getpid()


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/shop.service\n", "shop.service"),
        ("0::/web.slice/web-shop.slice/shop.service/sub\n", "shop.service"),
        ("1:name=systemd:/system.slice/shop.service\n0::/\n", "shop.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n", None),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", None),
        ("0::/system.slice/docker-1.scope/system.slice/shop.service\n", None),
        ("0::/../../etc/x y.service\n", None),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_the_unit_of_a_process(tmp_path: Path, cgroup: str, unit: str | None) -> None:
    """As systemd finds it: the first that is no slice, and not one of a user's or within a container."""
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text(cgroup, encoding="utf-8")
    assert unit_processes.unit_of(7, str(tmp_path)) == unit
