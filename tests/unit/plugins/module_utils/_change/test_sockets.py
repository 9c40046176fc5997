# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from service_samples import SYSTEMD_SPEC

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import sockets as change_sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.sockets import Sockets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import socket_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SystemdSpec:
    """A service whose socket unit has a unix socket that is open, and one that is not."""
    monkeypatch.setattr(socket_units, "ended_flag", lambda name: str(tmp_path / f"{name}.ended"))
    unit = tmp_path / "shop.socket"
    unit.write_text(f"[Socket]\nListenStream={tmp_path}/open.sock\nListenStream={tmp_path}/new.sock\n[Install]\n")
    binds = tuple(Address(path=f"{tmp_path}/{name}.sock") for name in ("open", "new"))
    return replace(SYSTEMD_SPEC, socket=SYSTEMD_SPEC.socket._replace(path=str(unit)), binds=binds)


@pytest.fixture
def server(tmp_path: Path):
    """A server on the open one."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "open.sock"))
        listening.listen()
        yield listening


def added(run_units: Path) -> dict[str, frozenset[str]]:
    """The addresses of each unit beside the service's."""
    return {path.name: socket_units.socket_addresses(path.read_text()) for path in run_units.glob("*.socket")}


class TestArrange:
    def test_a_new_address_gets_a_unit_that_the_service_wants(self, systemd, wanted, server, run_units: Path) -> None:
        """systemd opens it in the middle of the restart; what is open stays open."""
        systemd.loaded["shop.socket"] = "LoadState=loaded\nActiveState=active"
        Sockets(wanted, systemd.systemctl).arrange()
        ((name, opened),) = added(run_units).items()
        assert opened == {wanted.binds[1].path}
        assert os.readlink(run_units / "shop.service.wants" / name) == str(run_units / name)
        assert systemd.asked == ["daemon-reload"]

    def test_a_socket_whose_file_was_removed_is_closed_first(
        self, systemd, wanted, server, run_units: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Otherwise systemd would give the service both, of which nobody can connect to one."""
        text = Path(wanted.socket.path).read_text()
        other = socket.socket(socket.AF_UNIX)
        with other:
            other.bind(wanted.binds[1].path)
            other.listen()
            os.unlink(wanted.binds[1].path)
            reloaded = []
            systemctl = systemd.systemctl
            do = systemctl.do
            unit = Path(wanted.socket.path)
            monkeypatch.setattr(systemctl, "do", lambda *words: reloaded.append(unit.read_text()) or do(*words))
            systemd.loaded["shop.socket"] = "LoadState=loaded\nActiveState=active"
            own = replace(wanted, socket=wanted.socket._replace(owner=os.getuid(), group=os.getgid()))
            Sockets(own, systemctl).arrange()
        assert systemd.asked == ["daemon-reload", "daemon-reload"]
        assert [wanted.binds[1].path in each for each in reloaded] == [False, True]
        assert Path(wanted.socket.path).read_text() == text
        assert list(added(run_units).values()) == [{wanted.binds[1].path}]

    def test_a_unit_that_has_lost_all_its_sockets_is_stopped(self, systemd, wanted, run_units: Path) -> None:
        """The restart of the service starts it again."""
        listening = [socket.socket(socket.AF_UNIX) for _bind in wanted.binds]
        for each, bind in zip(listening, wanted.binds):
            each.bind(bind.path)
            each.listen()
            os.unlink(bind.path)
        Sockets(wanted, systemd.systemctl).arrange()
        for each in listening:
            each.close()
        assert systemd.asked == ["stop shop.socket", "daemon-reload"]
        assert added(run_units) == {}

    def test_a_socket_unit_that_is_not_active_opens_all_itself(self, systemd, wanted, server, run_units: Path) -> None:
        """Its start is yet to come."""
        Sockets(wanted, systemd.systemctl).arrange()
        assert added(run_units) == {}

    def test_addresses_that_are_gone_close(self, systemd, wanted, server, run_units: Path) -> None:
        """A unit beside keeps the addresses that are still wanted; one without any ends."""
        both = f"[Socket]\nListenStream={wanted.binds[0].path}\nListenStream=127.0.0.1:1\n"
        (run_units / "shop-added-1.socket").write_text(both)
        (run_units / "shop-added-2.socket").write_text("[Socket]\nListenStream=127.0.0.1:2\n")
        flags = [Path(socket_units.ended_flag(f"shop-added-{number}.socket")) for number in (1, 2)]
        for flag in flags:
            flag.touch()
        Sockets(wanted, systemd.systemctl).arrange()
        assert added(run_units) == {"shop-added-1.socket": {wanted.binds[0].path}}
        assert systemd.asked == ["stop shop-added-2.socket", "daemon-reload"]
        assert [flag.exists() for flag in flags] == [True, False]


class TestFiles:
    def test_sockets_that_stay_open_get_their_mode(self, systemd, wanted, server, monkeypatch) -> None:
        """systemd sets it only when it opens them."""
        user, group = "root", "root"
        path = Path(wanted.socket.path)
        path.write_text(path.read_text() + f"SocketUser={user}\nSocketGroup={group}\nSocketMode=0611\n")
        owners = []
        monkeypatch.setattr(os, "chown", lambda path, uid, gid: owners.append((uid, gid)))
        Sockets(wanted, systemd.systemctl).match_files()
        assert stat.S_IMODE(os.stat(wanted.binds[0].path).st_mode) == 0o611
        assert owners == [(0, 0)]

    @pytest.mark.parametrize("kind", ["a file", "a link to a file", "a link to a socket"])
    def test_nothing_else_gets_an_owner(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """What is at the path may not be a socket any more, or lead to something of somebody else's."""
        path, other = tmp_path / "shop.sock", tmp_path / "other"
        with socket.socket(socket.AF_UNIX) as others:
            others.bind(str(other)) if kind == "a link to a socket" else other.touch()
            other.chmod(0o600)
            path.touch(mode=0o600) if kind == "a file" else path.symlink_to(other)
            monkeypatch.setattr(os, "chown", lambda *arguments: pytest.fail(f"chown{arguments}"))
            change_sockets._own_socket(str(path), "root", "root", 0o666)
            assert stat.S_IMODE(other.stat().st_mode) == 0o600
            assert path.is_symlink() or stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_files_of_closed_sockets_go(self, systemd, wanted, server, tmp_path: Path) -> None:
        """Not one that is wanted or open, and nothing that is no socket."""
        for name in ("closed", "new"):
            with socket.socket(socket.AF_UNIX) as closed:
                closed.bind(str(tmp_path / f"{name}.sock"))
        (tmp_path / "file.sock").touch()
        before = tuple(f"{tmp_path}/{name}.sock" for name in ("closed", "file", "new", "open"))
        Sockets(replace(wanted, binds=wanted.binds[1:]), systemd.systemctl).remove_gone_files(before)
        assert sorted(path.name for path in tmp_path.glob("*.sock")) == ["file.sock", "new.sock", "open.sock"]
