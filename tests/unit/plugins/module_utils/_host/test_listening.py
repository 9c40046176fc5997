# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import listening

# Lines of /proc/net/if_inet6
LOOPBACK = "00000000000000000000000000000001 01 80 10 80       lo\n"
LINK_LOCAL = "fe80000000000000ac5334fffeee6fa7 02 40 20 80     eth0\n"


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
            (tmp_path / "proc/net").mkdir(parents=True)
            (tmp_path / "proc/net/if_inet6").write_text(content, encoding="utf-8")
        assert listening.has_ipv6_loopback(str(tmp_path)) is there

    def test_this_host_is_as_its_kernel_says(self) -> None:
        """Where the file lists ::1, the kernel lets a server listen on it."""
        assert listening.has_ipv6_loopback() == (listening.bind_error(socket.AF_INET6, "::1", 0) == 0)


class TestBindError:
    def test_a_free_port(self) -> None:
        """Nothing stays open behind the answer."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert listening.bind_error(socket.AF_INET, "127.0.0.1", port) == 0
        assert listening.bind_error(socket.AF_INET, "127.0.0.1", port) == 0

    @pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
    def test_a_port_that_is_taken(self, host: str) -> None:
        """Also where the other listens on every address."""
        with socket.create_server((host, 0)) as server:
            assert listening.bind_error(socket.AF_INET, "127.0.0.1", server.getsockname()[1]) == errno.EADDRINUSE

    def test_a_port_that_was_left_a_moment_ago(self) -> None:
        """Connections in TIME_WAIT don't keep systemd from listening, so they are no error."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            with socket.create_connection(address), server.accept()[0] as first:
                first.close()  # who closes first is left waiting
        assert listening.bind_error(socket.AF_INET, *address) == 0

    def test_an_address_of_another_host(self) -> None:
        """192.0.2.1 is for documentation, see RFC 5737."""
        assert listening.bind_error(socket.AF_INET, "192.0.2.1", 8000) == errno.EADDRNOTAVAIL

    def test_ipv6_next_to_ipv4(self) -> None:
        """[::] is for IPv6 alone, as in the socket unit."""
        with socket.create_server(("0.0.0.0", 0)) as server:
            assert listening.bind_error(socket.AF_INET6, "::", server.getsockname()[1]) in (0, errno.EAFNOSUPPORT)
