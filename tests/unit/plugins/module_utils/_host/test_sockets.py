# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

SERVICES = str(Path(__file__).parents[4] / "fixtures" / "services")


def test_a_captured_master() -> None:
    """It listens on both loopback addresses, and where Gunicorn takes commands."""
    control = "unix:/var/opt/shop/.gunicorn/gunicorn.ctl"
    assert sockets.read_listening(833, SERVICES) == ["127.0.0.1:8020", "[::1]:8020", control]


def test_a_process_that_may_not_be_looked_into(tmp_path: Path) -> None:
    """Or is gone: its addresses are not known, which is not the same as none."""
    assert sockets.read_listening(833, str(tmp_path)) is None


def test_connections_are_no_listening_sockets() -> None:
    """A master may have some, such as to a database."""
    line = "   0: 0100007F:1F54 0100007F:1538 {} 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
    assert sockets.listening_tcp("sl\n" + line.format("01"), socket.AF_INET) == {}
    assert sockets.listening_tcp("sl\n" + line.format("0A"), socket.AF_INET) == {"1": "127.0.0.1:8020"}


def test_unix_sockets() -> None:
    """Those that listen; a path may hold blanks."""
    table = (
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0000000084befae0: 00000002 00000000 00010000 0001 01 1 /run/my shop.sock\n"
        "0000000084befae1: 00000002 00000000 00010000 0001 01 2 /run/other.sock\n"
        "0000000084befae2: 00000003 00000000 00000000 0001 03 1 /run/connected.sock\n"
        "0000000084befae3: 00000002 00000000 00010000 0001 01 1\n"
    )
    assert sockets.listening_unix(table) == {"1": "unix:/run/my shop.sock", "2": "unix:/run/other.sock"}


def test_a_unix_socket_whose_file_was_moved() -> None:
    """The kernel keeps calling it by the name under which it was opened beside another."""
    table = "Num\n0000000084befae0: 00000002 00000000 00010000 0001 01 1 /run/shop/.beside.shop.sock\n"
    assert sockets.listening_unix(table) == {"1": "unix:/run/shop/shop.sock"}


def test_connections_that_are_being_opened() -> None:
    """To this port, and by which other end."""
    line = "   0: 0100007F:{} 0100007F:A4C8 {} 00000000:00000000 01:00000018 00000000     0        0 0 1 0\n"
    table = "sl\n" + line.format("1F40", "03") + line.format("1F41", "03") + line.format("1F40", "01") + "\n"
    assert sockets.handshakes(table, 8000) == {"0100007F:A4C8"}
    assert sockets.handshakes(table, 8002) == set()


def test_descriptors_of_a_process() -> None:
    """This one's listening sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        inode = str(os.fstat(listening.fileno()).st_ino)
        assert (address, inode, listening.fileno()) in sockets.read_descriptors(os.getpid())


@pytest.mark.parametrize(
    ("host", "family", "expected"),
    [("127.0.0.1", socket.AF_INET, "127.0.0.1"), ("::1", socket.AF_INET6, "[::1]"), ("::", socket.AF_INET6, "[::]")],
)
def test_a_real_socket(host: str, family: int, expected: str) -> None:
    """The kernel's table and this process's own descriptors."""
    with socket.socket(family) as listening:
        listening.bind((host, 0))
        before = sockets.read_listening(os.getpid())
        listening.listen(1)
        after = sockets.read_listening(os.getpid())
        address = f"{expected}:{listening.getsockname()[1]}"
    assert before is not None
    assert after is not None
    assert set(after) - set(before) == {address}


def test_configured_addresses_count_where_somebody_listens() -> None:
    """Addresses without a server, and texts that are no address, don't."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        streams = [address, "127.0.0.1:1", "unix:/nowhere.sock", "fd://3", ""]
        assert sockets.configured_listening(streams) == [address]


@given(st.text() | st.text("0123456789ABCDEF: \n"), st.sampled_from([socket.AF_INET, socket.AF_INET6]))
def test_no_table_stops_it(table: str, family: int) -> None:
    """Whatever the kernel of tomorrow writes there."""
    line = "   0: 0100007F:1F54 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
    sockets.listening_tcp("\n" + table, family)
    sockets.listening_tcp("\n" + line.replace("0100007F", table[:40].replace(" ", "") or "x"), family)
    sockets.listening_unix("\n" + table)


class TestIsOpen:
    """Asked of this machine's kernel."""

    @pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
    def test_tcp(self, family: int, host: str) -> None:
        """A bound socket counts once it listens, and on its own address alone."""
        with socket.socket(family, socket.SOCK_STREAM) as server:
            server.bind((host, 0))
            address = Address(host=host, port=server.getsockname()[1])
            assert not sockets.is_open(address)
            server.listen()
            assert sockets.is_open(address)
            wildcard = "::" if family == socket.AF_INET6 else "0.0.0.0"
            assert not sockets.is_open(address._replace(host=wildcard))
        assert not sockets.is_open(address)

    def test_unix(self, tmp_path: Path) -> None:
        """By its path, also with characters that mean something elsewhere; a connected one is no listener."""
        path = str(tmp_path / "a+b.sock")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            assert not sockets.is_open(Address(path=path))
            server.listen()
            assert sockets.is_open(Address(path=path))
            assert not sockets.is_open(Address(path=path[1:]))
        assert not sockets.is_open(Address(path=path))


def test_a_unix_socket_without_its_file_is_not_open(tmp_path: Path) -> None:
    """The kernel goes on listing it, and nobody can connect to it."""
    bind = Address(path=str(tmp_path / "web.sock"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(bind.path)
        listening.listen()
        assert sockets.is_open(bind)
        assert not sockets.lost_its_file(bind)
        (tmp_path / "web.sock").unlink()
        assert not sockets.is_open(bind)
        assert sockets.lost_its_file(bind)
    assert not sockets.lost_its_file(bind)


def test_the_lists_of_a_network_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all processes that see it. One whose network may not be asked for is read by itself, and one may be hidden."""
    networks = {1: "net:[10]", 2: "net:[10]", 3: "net:[20]", 4: None}
    for pid, network in networks.items():
        folder = tmp_path / f"proc/{pid}"
        for name in ("fd", "net", "ns"):
            (folder / name).mkdir(parents=True)
        (folder / "fd/5").symlink_to(f"socket:[{pid}]")
        if network:
            (folder / "ns/net").symlink_to(network)
        rows = "".join(f"0: 0100007F:1F4{each} 00000000:0000 0A 0 0 0 0 0 {each}\n" for each in networks)
        (folder / "net/tcp").write_text(f"heading\n{rows}")
    paths: list[str] = []
    read = sockets.read
    monkeypatch.setattr(sockets, "read", lambda path: paths.append(path) or read(path))
    found = sockets.read_all_listening([*networks, 5], str(tmp_path))
    assert found == {**{pid: [f"127.0.0.1:{8000 + pid}"] for pid in networks}, 5: None}
    assert [path for path in paths if path.endswith("/tcp")] == [f"{tmp_path}/proc/{pid}/net/tcp" for pid in (1, 3, 4)]


def test_a_process_that_ends_hides_no_sockets_of_others(tmp_path: Path) -> None:
    """It was there when its descriptors were listed, and its network has no lists any more."""
    for pid in (1, 2):
        for name in ("fd", "net", "ns"):
            (tmp_path / f"proc/{pid}/{name}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/ns/net").symlink_to("net:[10]")
    (tmp_path / "proc/2/fd/5").symlink_to("socket:[7]")
    (tmp_path / "proc/2/net/tcp").write_text("heading\n0: 0100007F:1F40 00000000:0000 0A 0 0 0 0 0 7\n")
    assert sockets.read_all_listening([1, 2], str(tmp_path)) == {1: [], 2: ["127.0.0.1:8000"]}
