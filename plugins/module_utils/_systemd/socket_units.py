# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of socket units: their addresses, and units that open some of them beside others."""

from __future__ import annotations

import re


def socket_addresses(text: str | None) -> frozenset[str]:
    """The addresses of a socket unit."""
    return frozenset(re.findall(r"^ListenStream=(.*)$", text or "", re.MULTILINE))


def with_addresses(text: str, addresses: set[str] | frozenset[str]) -> str:
    """The text of a socket unit with only these of its addresses."""
    gone = [f"ListenStream={address}" for address in socket_addresses(text) - addresses]
    return "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\n") not in gone)


def ended_flag(name: str) -> str:
    """The file that says that a unit of added addresses has ended."""
    return f"/run/gunicorn-{name}.ended"


def added_unit(text: str, socket: str, name: str, addresses: set[str]) -> str:
    """The text of a unit with these addresses of a socket unit, which goes when that one does.

    Restarted along with it, it would find its addresses taken by that one: its own end keeps it from that.
    """
    unit = f"BindsTo={socket}\nAfter={socket}\nConditionPathExists=!{ended_flag(name)}\n"
    section = f"ExecStopPost=/bin/touch {ended_flag(name)}\n"
    part = with_addresses(text, addresses).partition("[Install]")[0].rstrip()
    return part.replace("[Socket]\n", f"{unit}\n[Socket]\n{section}", 1) + "\n"


def beside_unit(text: str, service: str, moved: dict[str, str], ipv6_only: bool | None) -> str:
    """The text of a socket unit that opens TCP addresses beside a server, and unix sockets at the paths in `moved`.

    It is another service's, since systemd opens no socket for one that runs already. Two sockets share an address only
    if they are of one mind about IPv4, of which `ipv6_only` says what the server's are, if it has any.
    """
    lines = []
    for line in text.partition("[Install]")[0].rstrip().splitlines():
        name, _equals, value = line.partition("=")
        if name == "ListenStream":
            line = f"ListenStream={moved.get(value, value)}"
        if name not in ("Service", "ReusePort") and (name != "BindIPv6Only" or ipv6_only is None):
            lines.append(line)
    lines += [f"Service={service}", "ReusePort=yes"]
    if ipv6_only is not None:
        lines.append(f"BindIPv6Only={'ipv6-only' if ipv6_only else 'both'}")
    return "\n".join(lines) + "\n"
