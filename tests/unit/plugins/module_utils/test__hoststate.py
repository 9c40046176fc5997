# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils import _hoststate
from ansible_collections.pyweb.gunicorn.plugins.module_utils._hoststate import Account, Unit

FIXTURES = Path(__file__).parents[3] / "fixtures" / "systemctl"
SUITES = ["bookworm", "trixie"]
# of /proc/net/if_inet6
LOOPBACK = "00000000000000000000000000000001 01 80 10 80       lo\n"
LINK_LOCAL = "fe80000000000000ac5334fffeee6fa7 02 40 20 80     eth0\n"


def write(path: Path, content: str | bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


class TestIpv6:
    @pytest.mark.parametrize(
        ("content", "there"),
        [
            (LOOPBACK, True),
            (LINK_LOCAL + LOOPBACK, True),
            (LINK_LOCAL, False),
            ("", False),
            ("\n", False),
            (None, False),
        ],
    )
    def test_the_loopback_address_decides(self, tmp_path: Path, content: str | None, there: bool) -> None:
        """A host without IPv6 has no such file; one where it is disabled on lo lists other addresses at most."""
        if content is not None:
            write(tmp_path / "proc/net/if_inet6", content)
        assert _hoststate.has_ipv6_loopback(str(tmp_path)) is there

    def test_this_host_is_as_its_kernel_says(self) -> None:
        """Where the file lists ::1, the kernel lets a server listen on it."""
        assert _hoststate.has_ipv6_loopback() == (_hoststate.bind_error(socket.AF_INET6, "::1", 0) == 0)


class TestAccounts:
    def test_a_user_of_the_host(self) -> None:
        """The ids and all groups are those that the kernel would give the user's processes."""
        assert _hoststate.read_account("root") == Account(0, 0, tuple(os.getgrouplist("root", 0)))

    def test_what_the_host_lacks(self) -> None:
        """A missing user or group is no error: it is to be made."""
        assert _hoststate.read_account("no-such-user") is None
        assert not _hoststate.has_group("no-such-group")
        assert _hoststate.has_group("root")

    @pytest.mark.parametrize(
        ("owner", "group", "mode", "writable"),
        [
            (1000, 9, 0o700, True),
            (1000, 9, 0o300, True),
            (1000, 9, 0o600, False),
            (1000, 9, 0o577, False),  # an owner's own bits count, and no others
            (0, 1001, 0o770, True),
            (0, 1002, 0o730, True),
            (0, 1002, 0o757, False),  # so do a group's
            (0, 1002, 0o760, False),
            (0, 9, 0o770, False),
            (0, 9, 0o777, True),
            (0, 9, 0o1777, True),
            (0, 9, 0o772, False),
        ],
    )
    def test_writable_by(self, owner: int, group: int, mode: int, writable: bool) -> None:
        """To make a file in a directory takes writing and searching, by the one class that the account is in."""
        status = os.stat_result((0o040000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
        assert _hoststate.writable_by(status, Account(1000, 1001, (1001, 1002))) is writable


class TestBindError:
    def test_a_free_port(self) -> None:
        """Nothing stays open behind the answer."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert _hoststate.bind_error(socket.AF_INET, "127.0.0.1", port) == 0
        assert _hoststate.bind_error(socket.AF_INET, "127.0.0.1", port) == 0

    @pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
    def test_a_port_that_is_taken(self, host: str) -> None:
        """Also where the other listens on every address."""
        with socket.create_server((host, 0)) as server:
            assert _hoststate.bind_error(socket.AF_INET, "127.0.0.1", server.getsockname()[1]) == errno.EADDRINUSE

    def test_a_port_that_was_left_a_moment_ago(self) -> None:
        """Connections in TIME_WAIT keep a server of systemd from nothing, so they are no error."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            with socket.create_connection(address), server.accept()[0] as first:
                first.close()  # who closes first is left waiting
        assert _hoststate.bind_error(socket.AF_INET, *address) == 0

    def test_an_address_of_another_host(self) -> None:
        """192.0.2.1 is for documentation, see RFC 5737."""
        assert _hoststate.bind_error(socket.AF_INET, "192.0.2.1", 8000) == errno.EADDRNOTAVAIL

    def test_ipv6_next_to_ipv4(self) -> None:
        """[::] does not stand for IPv4, too, as the socket unit says."""
        with socket.create_server(("0.0.0.0", 0)) as server:
            assert _hoststate.bind_error(socket.AF_INET6, "::", server.getsockname()[1]) in (0, errno.EAFNOSUPPORT)


class TestReadUnits:
    def test_a_masked_unit_is_known(self) -> None:
        """Its FragmentPath says nothing of it."""
        (unit,) = _hoststate.read_units(["a.service"], lambda command: "Id=a.service\nLoadState=masked\n").values()
        assert (unit.exists, unit.masked) == (True, True)

    @pytest.mark.parametrize("suite", SUITES)
    def test_a_host_with_the_role_applied(self, suite: str) -> None:
        """Captured from hosts of either release: what runs, what does not exist, and what is the host's own."""
        asked = []

        def run(command: list[str]) -> str:
            asked.append(command)
            return (FIXTURES / f"{suite}.txt").read_text()

        names = ["shop.service", "shop.socket", "nosuch.service", "ssh.service"]
        units = _hoststate.read_units(names, run)
        ours = Unit(
            True, True, False, True, 0, False, "/etc/systemd/system/shop.socket", ("127.0.0.1:8000", "[::1]:8000")
        )
        assert list(units) == names
        assert units["shop.socket"] == ours
        assert units["shop.service"]._replace(main_pid=0, path="", listen=()) == ours._replace(path="", listen=())
        assert units["shop.service"].main_pid > 1
        assert units["nosuch.service"] == Unit(False, False, False, False, 0, False, "", ())
        assert units["ssh.service"].path.endswith("/lib/systemd/system/ssh.service")
        (command,) = asked
        assert command[:2] == ["systemctl", "show"]
        assert command[-4:] == names

    @pytest.mark.parametrize("suite", SUITES)
    def test_states_that_are_not_the_rule(self, suite: str) -> None:
        """Captured, too: failed and changed on disk, between two attempts, unix and dual-stack, a socket of the host."""
        names = ["hang.service", "exit1.service", "web.socket", "syslog.service", "syslog.socket"]
        text = (FIXTURES / f"{suite}-states.txt").read_text()
        hang, crashing, web, syslog, syslog_socket = _hoststate.read_units(names, lambda _command: text).values()
        assert (hang.exists, hang.active, hang.starting, hang.stale) == (True, False, False, True)
        assert (crashing.exists, crashing.active, crashing.starting) == (True, False, True)
        assert (web.active, web.enabled, web.listen) == (True, False, ("/run/web.sock", "[::]:8200"))
        assert not syslog.exists
        assert (syslog_socket.exists, syslog_socket.active) == (True, False)

    @pytest.mark.parametrize(
        ("line", "field", "value"),
        [
            ("ActiveState=reloading", "active", True),
            ("ActiveState=deactivating", "active", False),
            ("ActiveState=activating", "starting", True),
            ("LoadState=masked", "exists", True),
            ("LoadState=", "exists", False),
            ("UnitFileState=disabled", "enabled", False),
            ("UnitFileState=enabled-runtime", "enabled", False),
            ("MainPID=", "main_pid", 0),
            ("Listen=/run/a (b).sock (Stream)", "listen", ("/run/a (b).sock",)),
        ],
    )
    def test_each_word_of_systemd(self, line: str, field: str, value: object) -> None:
        """A unit counts as enabled only if it starts at boot, and as active also while it reloads."""
        (unit,) = _hoststate.read_units(["a.service"], lambda _command: f"{line}\nId=a.service\n").values()
        assert getattr(unit, field) == value


class TestReadEnvironment:
    def test_a_captured_process(self, tmp_path: Path) -> None:
        """NUL parts the items; values keep their equals signs, newlines and broken bytes."""
        write(tmp_path / "proc/42/environ", b"A=1\0B=x=y\nz\0C=\0BROKEN\0D=\xff\0")
        assert _hoststate.read_environment(42, str(tmp_path)) == {"A": "1", "B": "x=y\nz", "C": "", "D": "\udcff"}

    def test_a_real_process(self) -> None:
        """It is what the process was started with."""
        command = [sys.executable, "-c", "print('here', flush=True); input()"]
        environment, pipe = {"GUNICORN_SECRETS": "abc"}, subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe) as process:
            assert process.stdout.readline() == b"here\n"  # the kernel shows it a moment after the start
            assert _hoststate.read_environment(process.pid)["GUNICORN_SECRETS"] == "abc"
            process.communicate(b"\n")

    def test_a_process_that_is_gone(self, tmp_path: Path) -> None:
        """It ended between two looks at it, which is no error."""
        assert _hoststate.read_environment(42, str(tmp_path)) == {}


class TestListening:
    """Asked of this machine's kernel."""

    @pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
    def test_tcp(self, family: int, host: str) -> None:
        """A bound socket counts once it listens, on its own address alone."""
        with socket.socket(family, socket.SOCK_STREAM) as server:
            server.bind((host, 0))
            port = server.getsockname()[1]
            assert not _hoststate.is_listening(family, host, port, None)
            server.listen()
            assert _hoststate.is_listening(family, host, port, None)
            wildcard = "::" if family == socket.AF_INET6 else "0.0.0.0"
            assert not _hoststate.is_listening(family, wildcard, port, None)
        assert not _hoststate.is_listening(family, host, port, None)

    def test_unix(self, tmp_path: Path) -> None:
        """By its path, also with characters that mean something elsewhere; a connected one is no listener."""
        path = str(tmp_path / "a+b.sock")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            assert not _hoststate.is_listening(socket.AF_UNIX, None, None, path)
            server.listen()
            assert _hoststate.is_listening(socket.AF_UNIX, None, None, path)
            assert not _hoststate.is_listening(socket.AF_UNIX, None, None, path[1:])
        assert not _hoststate.is_listening(socket.AF_UNIX, None, None, path)


def test_parent_of_a_process() -> None:
    """Read from the kernel; nobody's where the process is gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert _hoststate.parent_of(child.pid) == os.getpid()
    assert _hoststate.parent_of(child.pid) == 0
