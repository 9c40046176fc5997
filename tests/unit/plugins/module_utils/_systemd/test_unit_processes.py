# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.unit_processes import Held
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(root: Path, pid: int, cgroup: str, sockets: dict[int, int]) -> None:
    """A process in a cgroup; `sockets` has the inodes by their descriptors."""
    folder = root / "proc" / str(pid)
    write(folder / "cmdline", "gunicorn\0")
    write(folder / "cgroup", f"0::{cgroup}\n")
    rows = "".join(f"0: 0100007F:1F9{inode} 00000000:0000 0A 0 0 0 0 0 {inode}\n" for inode in (1, 2))
    write(folder / "net" / "tcp", f"heading\n{rows}")
    write(folder / "net" / "unix", "heading\n0: 2 0 00010000 0001 01 3 /run/shop.sock\n")
    (folder / "fd").mkdir()
    for descriptor, inode in sockets.items():
        (folder / "fd" / str(descriptor)).symlink_to(f"socket:[{inode}]")


def test_the_sockets_of_a_service_are_those_of_its_processes(tmp_path: Path) -> None:
    """Each is there once, with the main process if that has it. The processes of other services do not count."""
    run(tmp_path, 20, "/system.slice/shop.service", {5: 1})
    run(tmp_path, 10, "/system.slice/shop.service", {6: 1, 7: 3})
    run(tmp_path, 30, "/system.slice/blog.service", {8: 2})
    assert unit_processes.read_held("shop.service", 20, str(tmp_path)) == [
        Held(Address("127.0.0.1", 0x1F91), "1", 20, 5),
        Held(Address(path="/run/shop.sock"), "3", 10, 7),
    ]


def test_the_descriptor_of_a_socket_can_be_taken() -> None:
    """On this machine: it is one of this process."""
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
    """As systemd finds it: the first name that is no slice. Units of a user or within a container do not count."""
    write(tmp_path / "proc/7/cgroup", cgroup)
    assert unit_processes.units_of([7], str(tmp_path)) == {7: unit}


@pytest.mark.parametrize("init", ["/docker/1", "/docker/1/init.scope"])
def test_the_unit_of_a_process_in_this_container(tmp_path: Path, init: str) -> None:
    """The container's own path does not count, if the container sees it."""
    write(tmp_path / "proc/1/cgroup", f"1:name=systemd:/docker\n0::{init}\n")
    write(tmp_path / "proc/7/cgroup", "0::/docker/1/system.slice/shop.service\n")
    assert unit_processes.units_of([7], str(tmp_path)) == {7: "shop.service"}


@pytest.mark.parametrize("name", ["-a.service", "a@.service", ".service", "a/b.service", "a.service\n", "é.service"])
def test_names_that_no_service_has(name: str) -> None:
    """Some would be options or paths in a command."""
    assert not unit_processes.SERVICE.fullmatch(name)


def test_the_cgroups_of_a_unit(tmp_path: Path) -> None:
    """Only those of the unit itself: neither its slice, nor a cgroup below it."""
    write(tmp_path / "proc/self/mountinfo", "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    write(tmp_path / "proc/7/cgroup", "0::/system.slice/shop.service/sub\n")
    folder = tmp_path / "sys/fs/cgroup/system.slice/shop.service"
    (folder / "sub").mkdir(parents=True)
    assert unit_processes.unit_groups(7, "shop.service", str(tmp_path)) == [str(folder)]
    assert unit_processes.unit_groups(7, "blog.service", str(tmp_path)) == []


def test_the_units_of_many_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order; each file is read once, also the one of the first process, which all are compared with."""
    write(tmp_path / "proc/1/cgroup", "0::/docker/1/init.scope\n")
    for pid in (9, 7, 8):
        write(tmp_path / f"proc/{pid}/cgroup", f"0::/docker/1/system.slice/s{pid}.service\n")
    paths: list[str] = []
    read = unit_processes.read
    monkeypatch.setattr(unit_processes, "read", lambda path: paths.append(path) or read(path))
    found = unit_processes.units_of(iter((9, 7, 8, 6)), str(tmp_path))
    assert list(found.items()) == [(9, "s9.service"), (7, "s7.service"), (8, "s8.service"), (6, None)]
    assert sorted(paths) == [f"{tmp_path}/proc/{pid}/cgroup" for pid in (1, 6, 7, 8, 9)]
