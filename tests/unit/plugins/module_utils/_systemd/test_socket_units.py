# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from service_samples import SOCKET_TEXT as TEXT

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import socket_units


def test_the_addresses_of_a_unit_are_found() -> None:
    """There are none without a unit, or on lines of another directive."""
    assert socket_units.socket_addresses(TEXT) == {"127.0.0.1:8000", "[::1]:8000"}
    assert socket_units.socket_addresses(None) == frozenset()
    assert socket_units.socket_addresses("[Socket]\n#ListenStream=1\nListenStreams=2\n") == frozenset()


def test_only_the_chosen_addresses_stay() -> None:
    """Every other line stays, too, and an address that begins like another one is not that one."""
    text = TEXT.replace("[::1]:8000\n", "[::1]:8000\nListenStream=[::1]:80001\n")
    found = socket_units.with_addresses(text, {"127.0.0.1:8000", "[::1]:80001", "10.0.0.1:80"})
    assert found == TEXT.replace("[::1]:8000\n", "[::1]:80001\n")
    assert socket_units.with_addresses(text, socket_units.socket_addresses(text)) == text


def test_an_added_unit_has_only_the_new_addresses() -> None:
    """It keeps the rest of the socket's section, and stops with the unit that it adds to."""
    text = socket_units.added_unit(TEXT, "shop.socket", "shop-added-1.socket", {"[::1]:8000"})
    assert text == (
        "[Unit]\nDescription=shop\n\nBindsTo=shop.socket\nAfter=shop.socket\n"
        "ConditionPathExists=!/run/gunicorn-shop-added-1.socket.ended\n"
        "\n[Socket]\nExecStopPost=/bin/touch /run/gunicorn-shop-added-1.socket.ended\n"
        "ListenStream=[::1]:8000\nFreeBind=yes\nService=shop.service\n"
    )


class TestBesideUnit:
    """The unit with which systemd opens addresses beside a service that has them."""

    def test_it_starts_the_other_service_and_shares_addresses(self) -> None:
        """The addresses stay. The section that only a boot needs is removed."""
        text = socket_units.beside_unit(TEXT, "shop-standin.service", {}, None)
        assert socket_units.socket_addresses(text) == {"127.0.0.1:8000", "[::1]:8000"}
        assert "Service=shop-standin.service\nReusePort=yes\n" in text
        assert "Service=shop.service" not in text
        assert "[Install]" not in text

    @pytest.mark.parametrize(("ipv6_only", "line"), [(True, "ipv6-only"), (False, "both")])
    def test_it_takes_ipv4_as_the_server_does(self, ipv6_only: bool, line: str) -> None:
        """Whatever the unit itself says."""
        text = TEXT.replace("FreeBind", "BindIPv6Only=ipv6-only\nFreeBind")
        found = socket_units.beside_unit(text, "shop-standin.service", {}, ipv6_only)
        assert [each for each in found.splitlines() if each.startswith("BindIPv6Only")] == [f"BindIPv6Only={line}"]

    def test_the_units_own_choice_counts_if_the_server_has_no_ipv6_socket(self) -> None:
        """Then there is nothing to share with."""
        text = TEXT.replace("FreeBind", "BindIPv6Only=ipv6-only\nFreeBind")
        found = socket_units.beside_unit(text, "shop-standin.service", {}, None)
        assert "BindIPv6Only=ipv6-only\n" in found

    def test_unix_sockets_move(self) -> None:
        """The other addresses stay where they were."""
        text = TEXT.replace("[::1]:8000", "/run/shop.sock")
        found = socket_units.beside_unit(
            text, "shop-standin.service", {"/run/shop.sock": "/run/.beside.shop.sock"}, None
        )
        assert socket_units.socket_addresses(found) == {"127.0.0.1:8000", "/run/.beside.shop.sock"}
