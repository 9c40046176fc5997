# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of socket units: which addresses it has, and units that open addresses beside another unit's."""

from __future__ import annotations

import re


def socket_addresses(text: str | None) -> frozenset[str]:
    """The values of ListenStream= in a socket unit; none without a unit."""
    return frozenset(re.findall(r"^ListenStream=(.*)$", text or "", re.MULTILINE))


def with_addresses(text: str, addresses: set[str] | frozenset[str]) -> str:
    """The text of a socket unit with only these of its addresses."""
    gone = [f"ListenStream={address}" for address in socket_addresses(text) - addresses]
    return "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\n") not in gone)


def added_unit(text: str, socket: str, name: str, addresses: set[str]) -> str:
    """The text of the unit `name`, which opens these addresses of the unit `socket` and stops together with it.

    If systemd restarted both, this unit would find its addresses taken by `socket`. So its end leaves a file, and with
    that file it does not start again.
    """
    unit = f"BindsTo={socket}\nAfter={socket}\nConditionPathExists=!{ended_flag(name)}\n"
    section = f"ExecStopPost=/bin/touch {ended_flag(name)}\n"
    part = with_addresses(text, addresses).partition("[Install]")[0].rstrip()
    return part.replace("[Socket]\n", f"{unit}\n[Socket]\n{section}", 1) + "\n"


def ended_flag(name: str) -> str:
    """The path of the file that an added unit leaves when it ends."""
    return f"/run/gunicorn-{name}.ended"


def beside_unit(text: str, service: str, moved: dict[str, str], ipv6_only: bool | None) -> str:
    """The text of a unit that also opens a running server's TCP addresses, and its unix sockets at the `moved` paths.

    It is a unit of another service, since systemd opens no socket for a service that is already running. Two sockets
    can share an address only if both take IPv4 or neither does: `ipv6_only` says what the server's sockets do, and is
    None if it has no IPv6 socket.
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
