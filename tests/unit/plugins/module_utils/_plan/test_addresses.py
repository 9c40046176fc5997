# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import addresses
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import addresses as values_addresses


class TestSocketDirectives:
    @pytest.mark.parametrize(
        ("binds", "directives"),
        [
            (["127.0.0.1:80"], {"ListenStream": ["127.0.0.1:80"]}),
            (["[::]:80"], {"ListenStream": ["[::]:80"]}),
            (["0.0.0.0:80", "[::]:80"], {"ListenStream": ["0.0.0.0:80", "[::]:80"], "BindIPv6Only": "ipv6-only"}),
            (
                ["unix:/run/a", "127.0.0.1:80"],
                {
                    "ListenStream": ["/run/a", "127.0.0.1:80"],
                    "SocketUser": "shop",
                    "SocketGroup": "shop",
                    "SocketMode": "0660",
                },
            ),
        ],
    )
    def test_they_follow_from_the_addresses(self, binds: list[str], directives: dict) -> None:
        """[::] stands for IPv4 as well, as it does elsewhere, unless IPv4 has addresses of its own."""
        assert addresses.socket_directives(values_addresses.parse_binds(binds, "shop", "shop")) == directives
